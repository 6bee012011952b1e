"""Recordings as plain data: timelines, what was commanded when, and how each order ended."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.evaluation.recording import Recording, Timeline, commanded, measured, resets, since_arrival
from vla_ros.evaluation.segments import Ending, segments
from vla_ros.types import Decision, JointTrajectory, Verdict

LINE = Timeline((1.0, 2.0, 4.0), ('a', 'b', 'c'))


def plan(*positions: float, starts: float = 0.0) -> JointTrajectory:
    rows = np.array(positions, float)[:, None]
    times = starts + np.arange(len(rows), dtype=float)
    return JointTrajectory(('j',), times, rows, 0 * rows, 0 * rows)


def test_a_timeline_gives_the_newest_value_that_is_not_later() -> None:
    assert [LINE.at(time) for time in (0.5, 1.0, 3.9, 9.0)] == [None, 'a', 'b', 'c']
    assert LINE.since(3.5) == 1.5
    assert LINE.since(0.0) == float('inf')


def test_a_part_of_a_timeline_has_its_begin_and_not_its_end() -> None:
    assert LINE.between(1.0, 4.0).values == ('a', 'b')


def test_a_rate_counts_what_came_in_the_window_before() -> None:
    line = Timeline(tuple(0.1 * i for i in range(100)), (None,) * 100)

    assert line.rate(5.0, window=2.0) == pytest.approx(10.0, abs=0.5)


def test_between_two_plans_the_first_is_commanded_and_after_its_end_held() -> None:
    recording = Recording(
        joint_names=('j',),
        joints=Timeline((0.0,), (np.array([5.0]),)),
        plans=Timeline((1.0, 6.0), (plan(0.0, 1.0, 2.0), plan(7.0, 8.0))),
    )

    found = commanded(recording, [0.5, 1.0, 2.5, 5.9, 6.5, 20.0])[:, 0]

    assert np.isnan(found[0])
    assert found[1:].tolist() == [0.0, 1.5, 2.0, 7.5, 8.0]


def test_a_plan_without_a_point_at_zero_begins_where_the_arm_is() -> None:
    recording = Recording(
        joint_names=('j',),
        joints=Timeline((0.0,), (np.array([4.0]),)),
        plans=Timeline((1.0,), (plan(2.0, 2.0, starts=1.0),)),
    )

    assert commanded(recording, [1.0, 1.5, 2.0])[:, 0].tolist() == [4.0, 3.0, 2.0]


def run(decisions: list[tuple[float, Decision]], scores: list[tuple[float, dict[str, str]]]) -> Recording:
    return Recording(
        instructions=Timeline((1.0, 10.0, 11.0), ('touch the red cube', '', 'touch the pink cube')),
        decisions=Timeline(tuple(t for t, _ in decisions), tuple(d for _, d in decisions)),
        scores=Timeline(tuple(t for t, _ in scores), tuple(s for _, s in scores)),
        arrivals={'instruction': Timeline((1.0, 20.0), (None, None))},
    )


def test_a_run_is_cut_at_its_instructions_and_stopping_is_none() -> None:
    first, second = segments(run([], []))

    assert (first.number, first.total, first.begins, first.ends) == (1, 2, 1.0, 10.0)
    assert (second.begins, second.ending) == (11.0, Ending.UNFINISHED)


def test_an_order_is_done_when_the_referee_says_so() -> None:
    go = Decision(Verdict.GO, 'touch red cube', 'touch the red cube', 'trace')
    first, _ = segments(run([(2.0, go)], [(3.0, {'success': 'false'}), (4.0, {'success': 'true'})]))

    assert (first.ending, first.ended, first.decision) == (Ending.DONE, 4.0, go)


def test_an_order_is_refused_by_a_decision_about_it_and_by_no_other() -> None:
    about = Decision(Verdict.REFUSED, 'there is no pink cube', 'touch the pink cube', 'trace')
    other = Decision(Verdict.REFUSED, 'stopped', '', '')
    _, second = segments(run([(11.5, other), (12.0, about)], []))

    assert (second.ending, second.ended, second.decision) == (Ending.REFUSED, 12.0, about)


def test_an_order_that_the_referee_gives_up_has_failed() -> None:
    first, _ = segments(run([], [(8.0, {'success': 'false', 'failure': 'timeout'})]))

    assert (first.ending, first.ended) == (Ending.FAILED, 8.0)


def test_after_a_reset_nothing_is_commanded_until_the_next_plan_and_no_line_crosses_the_gap() -> None:
    times = tuple(0.02 * i for i in range(200))
    positions = tuple(np.array([1.0 if t < 2.0 else 0.0]) for t in times)
    recording = Recording(
        joint_names=('j',),
        joints=Timeline(times, positions),
        plans=Timeline((0.5, 3.0), (plan(1.0, 1.0), plan(0.0, 0.5))),
    )

    ((before, after),) = resets(recording)
    target = commanded(recording, [1.9, 2.01, 2.9, 3.5])[:, 0]
    seen = measured(recording, np.arange(0.0, 3.9, 0.03).tolist())[:, 0]

    assert (before, after) == (pytest.approx(1.98), pytest.approx(2.0))
    assert target[0] == 1.0 and np.isnan(target[1:3]).all() and target[3] == pytest.approx(0.25)
    assert np.isnan(seen).sum() in (1, 2)
    assert set(seen[np.isfinite(seen)]) == {0.0, 1.0}


def test_an_arm_that_moves_fast_was_not_reset() -> None:
    times = tuple(0.02 * i for i in range(100))
    recording = Recording(
        joint_names=('j',), joints=Timeline(times, tuple(np.array([2.0 * t]) for t in times))
    )

    assert resets(recording) == []


@pytest.mark.parametrize(
    ('stamp', 'arrived', 'expected'),
    [
        (0.0, 7.0, [0.0, 0.5, 1.0]),
        (7.01, 7.0, [0.01, 0.51, 1.01]),
        (6.9, 7.0, [-0.1, 0.4, 0.9]),
        (1.7e9, 7.0, [0.0, 0.5, 1.0]),
        (5.9, 7.0, [0.0, 0.5, 1.0]),
    ],
    ids=['on arrival', 'early', 'late', 'by another clock', 'over before it came'],
)
def test_a_plan_with_a_stamp_counts_from_its_arrival(stamp: float, arrived: float, expected: list[float]):
    times = since_arrival(np.array([0.0, 0.5, 1.0]), stamp, arrived)
    np.testing.assert_allclose(times, expected, atol=1e-6)
