"""A run as plain data: what was seen, said, thought, planned and measured, each with the time it arrived.

It is read from a bag, so pictures, videos and reports can be made again at any time, without ROS.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from vla_ros.types import Decision, DoubleArray, ImageArray, JointTrajectory

Value = TypeVar('Value')

TELEPORT = 0.15
"""Radians from one joint state to the next that no motor turns: somebody reset the simulation."""
LONGEST_WAIT = 1.0
"""Seconds from the arrival of a plan to its beginning at most."""


@dataclass(frozen=True)
class Timeline(Generic[Value]):
    """Values in the order of their ``times`` (seconds, not decreasing)."""

    times: tuple[float, ...] = ()
    values: tuple[Value, ...] = ()

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[tuple[float, Value]]:
        return iter(zip(self.times, self.values, strict=True))

    def at(self, time: float) -> Value | None:
        """The newest value that is not later than ``time``; None before the first."""
        index = bisect_right(self.times, time)
        return self.values[index - 1] if index else None

    def since(self, time: float) -> float:
        """Seconds since the newest value at ``time``; infinite before the first."""
        index = bisect_right(self.times, time)
        return time - self.times[index - 1] if index else float('inf')

    def between(self, begin: float, end: float) -> Timeline[Value]:
        """The part with ``begin <= time < end``."""
        first, last = bisect_left(self.times, begin), bisect_left(self.times, end)
        return Timeline(self.times[first:last], self.values[first:last])

    def rate(self, time: float, window: float = 2.0) -> float:
        """Values a second over the ``window`` seconds that end at ``time``."""
        return (bisect_right(self.times, time) - bisect_right(self.times, time - window)) / window


@dataclass(frozen=True)
class Recording:
    """One run.

    Attributes:
        instructions: the words as they were given.
        traces: the chain of thought as it was written, the whole text so far at each time.
        decisions: what each chain of thought came to.
        cameras: rgb8 images (H, W, 3) by camera name.
        joint_names: columns of ``joints``; plans are sorted into the same order.
        joints: measured positions (J,) rad.
        plans: what was sent to the controller.
        scores: what the referee said, as the simulator publishes it.
        diagnostics: key and value of the nodes' reports, by name of the node.
        arrivals: when messages arrived, by topic.
        ages: seconds from the stamp of what was seen to the arrival of what was made of it, by topic.
    """

    instructions: Timeline[str] = Timeline()
    traces: Timeline[str] = Timeline()
    decisions: Timeline[Decision] = Timeline()
    cameras: dict[str, Timeline[ImageArray]] = field(default_factory=dict)
    joint_names: tuple[str, ...] = ()
    joints: Timeline[DoubleArray] = Timeline()
    plans: Timeline[JointTrajectory] = Timeline()
    scores: Timeline[dict[str, str]] = Timeline()
    diagnostics: dict[str, Timeline[dict[str, str]]] = field(default_factory=dict)
    arrivals: dict[str, Timeline[None]] = field(default_factory=dict)
    ages: dict[str, Timeline[float]] = field(default_factory=dict)

    @property
    def begins(self) -> float:
        """When the first message arrived, seconds."""
        return min((line.times[0] for line in self.arrivals.values() if len(line)), default=0.0)

    @property
    def ends(self) -> float:
        """When the last message arrived, seconds."""
        return max((line.times[-1] for line in self.arrivals.values() if len(line)), default=0.0)


def resets(recording: Recording) -> list[tuple[float, float]]:
    """When the arm was put somewhere else: the times of the joint states just before and just after."""
    if len(recording.joints) < 2:
        return []
    jumps = np.abs(np.diff(np.stack(recording.joints.values), axis=0)).max(axis=1)
    times = recording.joints.times
    return [(times[i], times[i + 1]) for i in np.flatnonzero(jumps > TELEPORT).tolist()]


def measured(recording: Recording, times: Sequence[float]) -> DoubleArray:
    """Measured positions (N, J) rad at any times; NaN around a reset, where the arm was in no place between."""
    moments = np.asarray(times, float)
    columns = np.stack(recording.joints.values).T
    result = np.stack([np.interp(moments, recording.joints.times, column) for column in columns], axis=1)
    step = float(np.diff(moments).max(initial=0.0))
    for before, after in resets(recording):
        # At least one sample falls into the gap, or a line would be drawn across it.
        result[(moments > before) & (moments < max(after, before + 1.01 * step))] = np.nan
    return result


def commanded(recording: Recording, times: Sequence[float]) -> DoubleArray:
    """Joint targets (N, J) rad of the plan that was being executed at each time; NaN where there was none.

    A plan starts where the one before it, or else the arm, was when it arrived. A reset ends it.
    """
    joints = len(recording.joint_names)
    result = np.full((len(times), joints), np.nan)
    moments = np.asarray(times, float)
    arrivals = np.asarray(recording.plans.times, float)
    owner = np.searchsorted(arrivals, moments, side='right') - 1
    start: DoubleArray | None = None
    for index, (arrival, plan) in enumerate(recording.plans):
        if start is None:
            now = recording.joints.at(arrival)
            start = plan.positions[0] if now is None else now
        rows = np.flatnonzero(owner == index)
        result[rows] = along(plan, start, moments[rows] - arrival)
        if index + 1 < len(arrivals):
            start = along(plan, start, np.array([arrivals[index + 1] - arrival]))[0]
    for _, after in resets(recording):
        following = arrivals[arrivals > after]
        until = following[0] if len(following) else np.inf
        result[(moments >= after) & (moments < until)] = np.nan
    return result


def since_arrival(times: DoubleArray, stamp: float, arrived: float) -> DoubleArray:
    """Times of a plan with a stamp (s; 0 is none), counted from when it arrived; what was past then is negative.

    A stamp by which the plan would have been over, or begin much later, is of another clock and tells nothing.
    """
    begins = stamp - arrived
    if stamp == 0 or not len(times) or not -times[-1] <= begins <= LONGEST_WAIT:
        return times
    counted: DoubleArray = times + begins
    return counted


def along(plan: JointTrajectory, start: DoubleArray, seconds: DoubleArray) -> DoubleArray:
    """Positions (N, J) of a plan ``seconds`` (N,) after it arrived; it holds at its end.

    Args:
        start: (J,) where it begins, if it has no point at time zero.
    """
    knots, positions = plan.times, plan.positions
    if knots[0] > 0:
        knots, positions = np.concatenate([[0.0], knots]), np.concatenate([start[None], positions])
    columns = [np.interp(seconds, knots, column) for column in positions.T]
    return np.stack(columns, axis=1).reshape(len(seconds), positions.shape[1])
