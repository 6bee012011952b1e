"""One thing changed at a time: that what is said to be changed is, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip('mujoco')

from test_evaluation_closed_loop import CountingEncoder, brain, touch

from vla_ros.evaluation.ablations import (
    GROUPS,
    VARIANTS,
    Variant,
    lit,
    run_variant,
    run_variants,
    shifted,
    single_step,
    tinted,
    variants_of,
)
from vla_ros.evaluation.brain import load_brain
from vla_ros.evaluation.trial import run_trial
from vla_ros.paths import bundle_directory
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

    brighter, moved, pale = (change(scene, RNG) for change in (lit(1.5), shifted(0.02), tinted(0.5)))

    np.testing.assert_allclose(brighter.lights[0].colour, 1.5 * np.array(scene.lights[0].colour))
    assert replace(brighter, lights=scene.lights, ambient=scene.ambient) == scene
    way = np.subtract(moved.front_camera.translation, scene.front_camera.translation)
    assert np.linalg.norm(way) == pytest.approx(0.02)
    assert replace(moved, front_camera=scene.front_camera) == scene
    for before, after in zip(scene.objects, pale.objects):
        assert np.ptp(after.rgba[:3]) == pytest.approx(0.5 * np.ptp(before.rgba[:3]))


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


def test_every_group_begins_with_the_model_as_it_is() -> None:
    for group in GROUPS:
        chosen = variants_of(group)
        assert chosen[0].name == 'as it is' and {v.group for v in chosen[1:]} == {group}
    assert len(variants_of('all')) == len(VARIANTS)
    with pytest.raises(VlaError, match="found 'luck'"):
        variants_of('luck')
    with pytest.raises(VlaError, match="found 'two_step'"):
        single_step('two_step')
