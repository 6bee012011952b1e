"""One thing changed at a time: that what is said to be changed is, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('mujoco')

from test_evaluation_closed_loop import CountingEncoder, brain, touch

from vla_ros.evaluation.ablations import run_variant, run_variants, single_step
from vla_ros.evaluation.brain import load_brain
from vla_ros.evaluation.changes import among, lit, pushed, shifted, tinted
from vla_ros.evaluation.trial import run_trial
from vla_ros.evaluation.variants import GROUPS, VARIANTS, Variant, variants_of
from vla_ros.paths import bundle_directory
from vla_ros.sim.layouts import laid_out
from vla_ros.sim.poses import world_of
from vla_ros.sim.scene import SPACING
from vla_ros.types import Verdict, VlaError

BINS = 128
RNG = np.random.default_rng(0)


def test_given_nothing_changed_when_played_then_it_is_the_plain_trial() -> None:
    outcome = run_variant(VARIANTS[0], touch(), brain(touch()), BINS)

    plain = run_trial(touch(), brain(touch()))
    assert outcome is not None
    assert (outcome.seconds, outcome.farthest, outcome.success) == (
        plain.seconds,
        plain.farthest,
        plain.success,
    )


def test_given_a_blind_camera_when_played_then_its_pictures_are_black_and_no_others() -> None:
    encoder = CountingEncoder()
    mind = brain(touch(), Verdict.REFUSED, encoder, move=False)

    run_variant(Variant('senses', 'no wrist camera', blind=('wrist',)), touch(), mind, BINS)

    for front, wrist in encoder.frames:
        assert front.image.any() and not wrist.image.any()


def test_given_a_longer_delay_when_played_then_the_arm_is_there_later() -> None:
    early = run_variant(Variant('delay', '', delay=0.0), touch(), brain(touch()), BINS)
    late = run_variant(Variant('delay', '', delay=0.3), touch(), brain(touch()), BINS)

    assert early is not None and late is not None and early.seconds < late.seconds


def test_given_light_camera_and_colours_changed_then_so_is_the_scene_and_nothing_else() -> None:
    scene = touch().scene()

    brighter, moved, pale = (change(scene, RNG, ()) for change in (lit(1.5), shifted(0.02), tinted(0.5)))

    np.testing.assert_allclose(brighter.lights[0].colour, 1.5 * np.array(scene.lights[0].colour))
    assert replace(brighter, lights=scene.lights, ambient=scene.ambient) == scene
    way = np.subtract(moved.front_camera.translation, scene.front_camera.translation)
    assert np.linalg.norm(way) == pytest.approx(0.02)
    assert replace(moved, front_camera=scene.front_camera) == scene
    for before, after in zip(scene.objects, pale.objects):
        assert np.ptp(after.rgba[:3]) == pytest.approx(0.5 * np.ptp(before.rgba[:3]))


@given(seed=st.integers(0, 10_000), count=st.integers(0, 4))
@settings(max_examples=20, deadline=None)
def test_given_a_number_of_other_things_then_so_many_stand_beside_what_is_needed(
    seed: int, count: int
) -> None:
    scene = laid_out(900_000 + seed)
    needed = {scene.objects[-1].name}

    found = among(count)(scene, np.random.default_rng(seed), needed).objects

    names = [thing.name for thing in found]
    assert needed <= set(names) and len(set(names)) == len(names) == 1 + count
    for i, thing in enumerate(found):
        for other in found[:i]:
            assert math.dist(thing.position[:2], other.position[:2]) >= SPACING


def test_given_a_thing_pushed_away_then_it_alone_has_moved_and_so_far() -> None:
    world = world_of(900_003)
    names = [thing.name for thing in world.scene.objects]
    before = {name: world.object_position(name) for name in names}

    pushed(world, names[0], 0.04, np.random.default_rng(0))

    moved = {name: float(np.linalg.norm(world.object_position(name) - before[name])) for name in names}
    assert moved.pop(names[0]) == pytest.approx(0.04, abs=1e-6)
    assert all(distance == 0 for distance in moved.values())


def test_given_the_object_pushed_away_on_the_way_then_an_arm_that_saw_where_it_was_misses_it() -> None:
    outcome = run_variant(Variant('world', '', push=0.04), touch(), brain(touch()), BINS)

    assert outcome is not None and not outcome.success


def test_given_a_look_seldom_when_played_then_more_of_each_chunk_is_executed() -> None:
    often, seldom = CountingEncoder(), CountingEncoder()
    for encoder, seconds in ((often, 0.1), (seldom, 0.4)):
        run_variant(Variant('horizon', '', replanning=seconds), touch(), brain(touch(), encode=encoder), BINS)

    assert len(often.frames) > 2 * len(seldom.frames)


@pytest.mark.parametrize('mind', ['true', 'another'])
def test_given_what_to_think_when_thought_then_the_shipped_model_means_that_object(mind: str) -> None:
    episode = touch()
    outcome = run_variant(
        Variant('thought', '', mind=mind),  # type: ignore[arg-type]
        episode,
        load_brain(bundle_directory('tabletop')),
        BINS,
    )

    assert outcome is not None
    assert (outcome.subtask == f'touch {episode.wanted}') == (mind == 'true')


def test_given_a_mind_that_is_not_the_bundles_own_when_it_is_to_be_told_then_it_is_refused() -> None:
    with pytest.raises(VlaError, match='FixedReasoner'):
        run_variant(Variant('thought', '', mind='true'), touch(), brain(touch()), BINS)


def test_rows_count_what_was_played() -> None:
    (row,) = run_variants(VARIANTS[:1], [touch()], brain(touch(), Verdict.REFUSED, move=False), BINS)

    assert (row['episodes'], row['successes'], row['failures']) == (1, 0, {'refused': 1})


def test_every_group_begins_with_the_model_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for group in GROUPS:
        chosen = variants_of(group)
        assert chosen[0].name == 'as it is' and {v.group for v in chosen[1:]} == {group}
    gl = sum(variant.gl for variant in VARIANTS)
    monkeypatch.delenv('MUJOCO_GL', raising=False)
    assert len(variants_of('all')) == len(VARIANTS) - gl
    monkeypatch.setenv('MUJOCO_GL', 'egl')
    assert len(variants_of('all')) == len(VARIANTS)
    with pytest.raises(VlaError, match="found 'luck'"):
        variants_of('luck')
    with pytest.raises(VlaError, match="found 'two_step'"):
        single_step('two_step')
