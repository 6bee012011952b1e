"""Same or not, and why: what decides a test."""

from __future__ import annotations

from dataclasses import dataclass

from vla_ros.evaluation.replay.comparison import Comparison, compare
from vla_ros.evaluation.replay.course import Course, course_of
from vla_ros.evaluation.replay.golden import Golden
from vla_ros.evaluation.replay.outcome import Outcome, decisions_sha256, trajectories_sha256


@dataclass(frozen=True)
class Tolerance:
    """What may differ and still be the same.

    Attributes:
        mean: rad, mean error of the commanded positions.
        agreement: least share of the time in which decisions agree.
        false_hold_share: of the time in which the reference moves.
    """

    mean: float = 0.05
    agreement: float = 0.9
    false_hold_share: float = 0.05


@dataclass(frozen=True)
class Verdict:
    """The end of a replay test.

    Attributes:
        against: 'golden', 'recorded' or 'nothing'.
        reference: what it was compared with.
        comparison: None against nothing.
        same: None against nothing.
        differences: one sentence for each thing that is not the same.
    """

    against: str
    replayed: Course
    reference: Course | None
    comparison: Comparison | None
    same: bool | None
    differences: tuple[str, ...]


def judge(outcome: Outcome, golden: Golden | None, tolerance: Tolerance | None = None) -> Verdict:
    """Compare with a golden result, else with what the bag holds, else with nothing.

    Args:
        tolerance: None means to the last bit against a golden result, and ``Tolerance()`` against a recording.
    """
    replayed = course_of(outcome.replayed, outcome.seconds)
    if golden is not None:
        comparison = compare(golden.course, replayed)
        differences = (
            _exactly(golden, outcome, comparison) if tolerance is None else _within(comparison, tolerance)
        )
        return Verdict('golden', replayed, golden.course, comparison, not differences, differences)
    if not len(outcome.recorded.plans) and not len(outcome.recorded.decisions):
        return Verdict('nothing', replayed, None, None, None, ())
    reference = course_of(outcome.recorded, outcome.seconds)
    comparison = compare(reference, replayed)
    differences = _within(comparison, tolerance or Tolerance())
    return Verdict('recorded', replayed, reference, comparison, not differences, differences)


def _exactly(golden: Golden, outcome: Outcome, comparison: Comparison) -> tuple[str, ...]:
    found = []
    if trajectories_sha256(outcome.sent, outcome.replayed.plans.values) != golden.trajectories:
        found.append(
            'the trajectories are not those of the golden result: '
            f'the joint error is {comparison.mean:.3g} rad in the mean, {comparison.largest:.3g} rad at most'
        )
    if decisions_sha256(outcome.replayed) != golden.decisions:
        found.append('the decisions are not those of the golden result')
    if outcome.refused() != golden.refusals:
        found.append(f'refused {outcome.refused()}, and {golden.refusals} in the golden result')
    return tuple(found)


def _within(comparison: Comparison, tolerance: Tolerance) -> tuple[str, ...]:
    found = []
    if comparison.mean > tolerance.mean:
        found.append(f'mean joint error {comparison.mean:.4f} rad; the most is {tolerance.mean:g}')
    if comparison.agreement < tolerance.agreement:
        found.append(
            f'decisions agree for {comparison.agreement:.1%} of the time; the least is {tolerance.agreement:.0%}'
        )
    if comparison.false_hold_share > tolerance.false_hold_share:
        found.append(
            f'false holds for {comparison.false_hold_share:.1%} of the motion; '
            f'the most is {tolerance.false_hold_share:.0%}'
        )
    return tuple(found)
