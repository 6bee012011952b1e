"""Two runs compared in numbers: joint error, agreement of decisions, false holds."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_ros.evaluation.replay.course import STEP, Course, Decided
from vla_ros.types import DoubleArray

SHORTLY = 1e-6  # seconds
LATE_START = 0.5  # seconds by which the first motion after an instruction may come later, and be no hold
WEAK_HOLD = 0.2  # seconds; the arm rests so long between two plans now and then


@dataclass(frozen=True)
class Changed:
    """The last decision about an instruction is another one than in the reference."""

    at: float
    instruction: str
    reference: str
    replayed: str


@dataclass(frozen=True)
class Comparison:
    """How a replay differs from its reference.

    Attributes:
        error: (N, J) rad between the commanded positions; NaN where one of them commands nothing.
        mean, p95, largest: rad, of all joints at all times.
        by_joint: mean in rad by joint.
        agreement: share of the time in which both say the same, of that in which both have decided; 1 if never.
        changed: instructions that ended otherwise.
        false_holds: times in seconds from which on the replay rests for WEAK_HOLD or longer while the reference moves,
            but for the time from an instruction to a first motion that is less than LATE_START late.
        false_hold_share: share of the time in which the reference moves and the replay does not.
    """

    error: DoubleArray
    mean: float
    p95: float
    largest: float
    by_joint: dict[str, float]
    agreement: float
    changed: tuple[Changed, ...]
    false_holds: tuple[float, ...]
    false_hold_share: float


def compare(reference: Course, replayed: Course) -> Comparison:
    """Compare a replay with what it should be; both of the same bag."""
    count = min(len(reference.positions), len(replayed.positions))
    error = np.abs(reference.positions[:count] - replayed.positions[:count])
    known = error[np.isfinite(error)]
    moving, resting = reference.moving[:count], ~replayed.moving[:count]
    wrongly = moving & resting & ~_starting(moving, ~resting, replayed)
    return Comparison(
        error=error,
        mean=float(known.mean()) if known.size else 0.0,
        p95=float(np.percentile(known, 95)) if known.size else 0.0,
        largest=float(known.max()) if known.size else 0.0,
        by_joint={
            name: float(np.nan_to_num(np.nanmean(column))) if np.isfinite(column).any() else 0.0
            for name, column in zip(reference.joints, error.T, strict=True)
        },
        agreement=_agreement(reference, replayed, count),
        changed=_changes(reference, replayed),
        false_holds=_long(wrongly),
        false_hold_share=float(wrongly.sum() / moving.sum()) if moving.any() else 0.0,
    )


def _starting(
    reference: npt.NDArray[np.bool_], replayed: npt.NDArray[np.bool_], course: Course
) -> npt.NDArray[np.bool_]:
    """(N,) where the reference already moves after an instruction and the replay is about to."""
    found = np.zeros(len(reference), bool)
    begins = [round(at / STEP) for at, _ in course.instructions]
    for begin, end in zip(begins, [*begins[1:], len(reference)], strict=True):
        starts = [np.flatnonzero(moving[begin:end]) for moving in (reference, replayed)]
        if all(len(moves) for moves in starts):
            first, later = (begin + int(moves[0]) for moves in starts)
            if (later - first) * STEP <= LATE_START + 1e-9:
                found[first:later] = True
    return found


def _long(wrongly: npt.NDArray[np.bool_]) -> tuple[float, ...]:
    """Where stretches of WEAK_HOLD or longer begin, seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wrongly, [False]]).astype(int)))
    return tuple(
        round(float(STEP * begin), 3)
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
        if (end - begin) * STEP >= WEAK_HOLD - 1e-9
    )


def _agreement(reference: Course, replayed: Course, count: int) -> float:
    both = [(_at(reference, STEP * k), _at(replayed, STEP * k)) for k in range(count)]
    decided = [(a, b) for a, b in both if a is not None and b is not None]
    if not decided:
        return 1.0
    return sum(_said(a) == _said(b) for a, b in decided) / len(decided)


def _at(course: Course, time: float) -> Decided | None:
    """The decision in force; none before the words of the moment were thought about."""
    said = bisect_right(course.instructions, time, key=lambda entry: entry[0])
    begins, words = course.instructions[said - 1] if said else (0.0, '')
    for index in range(bisect_right(course.decisions, time, key=lambda decided: decided.at) - 1, -1, -1):
        decided = course.decisions[index]
        if decided.at < begins:
            return None
        if _same(decided.instruction, words):
            return decided
    return None


def _changes(reference: Course, replayed: Course) -> tuple[Changed, ...]:
    """The decisions in force when each instruction of the replay ended, where they are not the same."""
    changed = []
    said = list(replayed.instructions)
    ends = [*(at for at, _ in said), float('inf')][1:]
    for (at, words), end in zip(said, ends, strict=True):
        before, now = (_at(course, end - SHORTLY) for course in (reference, replayed))
        if before is not None and words.strip():
            told = ' '.join(_said(now)) if now is not None else 'nothing'
            if told != ' '.join(_said(before)):
                changed.append(Changed(round(at, 3), words, ' '.join(_said(before)), told))
    return tuple(changed)


def _said(decided: Decided) -> tuple[str, str]:
    return decided.verdict, decided.subtask


def _same(one: str, other: str) -> bool:
    return one.split() == other.split()
