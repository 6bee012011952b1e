"""What a bag itself holds, as it goes by: joints, instructions, and the plans and decisions of its time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from vla_ros.evaluation.recording import Recording, Timeline
from vla_ros.evaluation.replay.stream import (
    ClockSet,
    Instruction,
    Joints,
    Message,
    RecordedDecision,
    RecordedPlan,
)
from vla_ros.types import NANOSECONDS, Decision, DoubleArray, JointTrajectory

Value = TypeVar('Value')


def timeline(events: Sequence[tuple[float, Value]]) -> Timeline[Value]:
    """Values with their times in seconds, in order, as a timeline."""
    return Timeline(tuple(at for at, _ in events), tuple(value for _, value in events))


class Transcript:
    """Listens to messages.

    Attributes:
        clock: nanoseconds that the clock showed at the beginning; 0 before.
    """

    def __init__(self, joint_names: tuple[str, ...]) -> None:
        self.clock = 0
        self._names = joint_names
        self._begun = False
        self._said: list[tuple[float, str]] = []
        self._joints: list[tuple[float, DoubleArray]] = []
        self._plans: list[tuple[float, JointTrajectory]] = []
        self._decisions: list[tuple[float, Decision]] = []

    def hear(self, message: Message) -> None:
        """Note what is of interest of a message."""
        at = message.at / NANOSECONDS
        if isinstance(message, Joints):
            self._joints.append((at, message.sample.positions))
        elif isinstance(message, Instruction):
            self._said.append((at, message.words))
        elif isinstance(message, RecordedPlan):
            self._plans.append((at, message.plan))
        elif isinstance(message, RecordedDecision):
            self._decisions.append((at, message.decision))
        elif isinstance(message, ClockSet) and not self._begun:
            self.clock, self._begun = message.clock, True

    def recording(self) -> Recording:
        """All of it; times in seconds from the beginning."""
        return Recording(
            instructions=timeline(self._said),
            decisions=timeline(self._decisions),
            joint_names=self._names,
            joints=timeline(self._joints),
            plans=timeline(self._plans),
        )
