"""Comparing generations: numbers by their formulas, and looks along the expert's way."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('mujoco')

from vla_ros.evaluation.brain import Brain
from vla_ros.evaluation.chunk_smoothness import jump, measure_chunks, on_grid
from vla_ros.evaluation.episodes import Episode
from vla_ros.evaluation.generations import collect_looks, open_both
from vla_ros.evaluation.looks import LOOK_EVERY
from vla_ros.sim.expert import PERIOD
from vla_ros.sim.layouts import OBJECTS, laid_out
from vla_ros.types import NANOSECONDS, ActionChunk, Decision, Thought, Verdict, VisualTokens, VlaError
from vla_ros.viz.generations_chart import draw_generations, generations_table

SEED = 900_017
DT = 0.1


def chunk(positions: np.ndarray, stamp: float = 0.0, dt: float = DT) -> ActionChunk:
    """Of one joint, or of several as columns."""
    rows = np.asarray(positions, float)
    return ActionChunk(round(stamp * NANOSECONDS), dt, rows[:, None] if rows.ndim == 1 else rows)


@given(st.floats(-1, 1), st.floats(-2, 2), st.floats(-5, 5))
def test_a_parabola_has_its_second_difference_and_no_jerk(c: float, b: float, a: float) -> None:
    times = DT * np.arange(1, 9)
    found = measure_chunks([chunk(c + b * times + a * times**2)], [chunk(0 * times)], [0])
    assert found.second_difference == pytest.approx(2 * abs(a) * DT**2, abs=1e-9)
    assert found.peak_jerk == pytest.approx(0.0, abs=1e-6)
    assert math.isnan(found.boundary_jump)


def test_the_jerk_of_a_cubic_is_its_third_derivative() -> None:
    times = DT * np.arange(1, 9)
    found = measure_chunks([chunk(2 * times**3), chunk(times**3)], [chunk(0 * times)] * 2, [0, 1])
    assert found.largest_jerk == pytest.approx(12.0)
    assert found.peak_jerk == pytest.approx((12.0 + 6.0) / 2)


def test_chunks_of_one_motion_do_not_jump_wherever_they_begin() -> None:
    motion = [chunk(3.0 * (begin + DT * np.arange(1, 9)), begin) for begin in (0.0, 0.2, 0.35)]
    found = measure_chunks(motion, motion, [0, 0, 0])
    assert found.largest_jump == pytest.approx(0.0, abs=1e-9)
    assert found.error == 0.0


def test_a_jump_is_how_far_the_new_chunk_begins_from_the_old_one() -> None:
    still = chunk(np.zeros((8, 2)))
    moved = chunk(np.tile([0.3, 0.4], (8, 1)), 0.2)
    assert jump(still, moved) == pytest.approx(0.5)
    # Another course begins anew.
    assert math.isnan(measure_chunks([still, moved], [still, still], [0, 1]).boundary_jump)


def test_a_finer_chunk_is_measured_at_the_steps_of_the_coarser_one() -> None:
    fine = chunk(np.arange(1, 17), dt=0.05)
    assert on_grid(fine, DT, 8).positions.ravel().tolist() == [2, 4, 6, 8, 10, 12, 14, 16]
    assert on_grid(chunk(np.arange(8)), DT, 8).positions.ravel().tolist() == list(range(8))
    for wrong in (chunk(np.arange(16), dt=0.07), chunk(np.arange(15), dt=0.05), chunk(np.arange(8), dt=0.2)):
        with pytest.raises(VlaError, match=r'chunks: expected 8 steps of 0\.1 s'):
            on_grid(wrong, DT, 8)


class Mind:
    """Knows what to do for the first thoughts only."""

    def __init__(self, knows: int) -> None:
        self.knows = knows

    def think(self, tokens, instruction, on_text=None, situation=None):
        self.knows -= 1
        verdict = Verdict.GO if self.knows >= 0 else Verdict.UNSURE
        rows = np.ones((int(verdict is Verdict.GO), 2), np.float32)
        return Decision(verdict, 'touch it', instruction, ''), Thought(tokens.stamp, rows)


def brain(knows: int) -> Brain:
    """A brain without eyes."""
    return Brain(
        cameras=(),
        encode=lambda frames: VisualTokens(0, np.zeros((1, 1), np.float32)),
        reasoner=Mind(knows),
        make_planner=lambda: pytest.fail('nothing is planned'),
    )


def touching() -> Episode:
    wanted = laid_out(SEED, OBJECTS).objects[0].name
    return Episode(0, SEED, 'touch', wanted, f'touch the {wanted}')


def test_looks_are_taken_along_the_way_of_the_expert_as_long_as_the_model_knows_what_to_do() -> None:
    looks = collect_looks([touching()], brain(2), 16)
    assert len(looks) == 6  # two thoughts, each for three looks
    assert {look.course for look in looks} == {0}
    stamps = [look.joints.stamp for look in looks]
    assert np.diff(stamps).tolist() == [round(LOOK_EVERY * PERIOD * NANOSECONDS)] * 5
    # The arm goes where the expert wanted it: the targets of one look are nearly where it is at the next.
    for look, after in zip(looks, looks[1:]):
        assert look.expert.shape == (16, 6)
        assert np.abs(look.expert[LOOK_EVERY - 1] - after.joints.positions).max() < 0.2


def test_given_a_model_that_never_knows_what_to_do_then_it_is_said() -> None:
    with pytest.raises(VlaError, match='found none in 1; vla_ros eval reasoning'):
        collect_looks([touching()], brain(0), 16)


def test_given_a_bundle_without_generation_1_then_it_is_one_sentence() -> None:
    with pytest.raises(VlaError, match="bundle 'tabletop' has no generation 1"):
        open_both(Path(__file__).parent.parent / 'models' / 'tabletop')


def test_the_table_and_the_chart_show_what_was_measured(tmp_path: Path) -> None:
    names = ['expert', 'expert, in bins', 'generation 2', 'generation 2, in bins', 'generation 1']
    row = {'error': 0.01, 'second_difference': 0.002, 'peak_jerk': 3.0, 'largest_jerk': 4.0}
    row |= {'boundary_jump': None, 'largest_jump': None}
    rows = [{'name': name, **row, 'latency_ms': None} for name in names]
    rows[-1]['latency_ms'] = {'p50': 12.5, 'p99': 20.0}
    report = {'rows': rows, 'looks': 1, 'steps': 8, 'dt': 0.1, 'expert_clipped': 0.02}
    chunks = {name: [chunk(np.linspace(0, 1, 8))] for name in names}
    assert generations_table(report).row_count == 5
    draw_generations(report, chunks, tmp_path / 'chart.png')
    assert (tmp_path / 'chart.png').read_bytes()[:4] == b'\x89PNG'
