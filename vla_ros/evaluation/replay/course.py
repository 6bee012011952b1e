"""A run in the form in which two runs are compared: where the arm was told to be, and what was decided.

Commanded positions on a grid of times, so that runs whose plans were sent at other moments can be compared, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_ros.evaluation.recording import Recording, commanded
from vla_ros.types import DoubleArray

STEP = 0.05  # seconds between two places of the grid
MOVING = 0.01  # rad/s, of any joint, from which on an arm is commanded to move


@dataclass(frozen=True)
class Decided:
    """What was decided at a time in seconds, about which words."""

    at: float
    instruction: str
    verdict: str
    subtask: str


@dataclass(frozen=True)
class Course:
    """What came of a run.

    Attributes:
        joints: J names.
        positions: (N, J) rad, commanded at 0, STEP, 2 STEP, ... seconds; NaN where nothing is.
        decisions: those that a chain of thought came to.
        instructions: when words were said, and which.
    """

    joints: tuple[str, ...]
    positions: DoubleArray
    decisions: tuple[Decided, ...] = ()
    instructions: tuple[tuple[float, str], ...] = ()

    @property
    def times(self) -> DoubleArray:
        """(N,) seconds."""
        return np.arange(len(self.positions), dtype=np.float64) * STEP

    @property
    def moving(self) -> npt.NDArray[np.bool_]:
        """(N,) whether the arm is commanded to move from this place of the grid to the next."""
        speed = np.abs(np.diff(self.positions, axis=0)).max(axis=1, initial=0.0) / STEP
        return np.append(np.nan_to_num(speed) > MOVING, False)[: len(self.positions)]


def course_of(run: Recording, seconds: float) -> Course:
    """The course of a run of that many seconds, whose times begin at 0."""
    count = int(seconds / STEP) + 1
    positions: DoubleArray = np.full((count, len(run.joint_names)), np.nan)
    if len(run.plans):
        positions = commanded(run, [STEP * k for k in range(count)])
    decisions = tuple(
        Decided(at, decision.instruction, decision.verdict.value, decision.subtask)
        for at, decision in run.decisions
        if decision.trace
    )
    return Course(run.joint_names, positions, decisions, tuple(run.instructions))
