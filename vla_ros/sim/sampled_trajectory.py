"""A trajectory as a stock joint_trajectory_controller samples it.

After joint_trajectory_controller/src/trajectory.cpp of ros-controls/ros2_controllers, the same in humble 2.54.0, jazzy
4.42.1 and kilted 5.17.0 (``set_point_before_trajectory_msg``, ``sample``, ``interpolate_between_points``), for points
with positions, without angle wrap-around and with interpolation_method splines, which are defaults there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vla_ros.types import NANOSECONDS, DoubleArray


@dataclass(frozen=True)
class State:
    """(J,) arrays in controller order; None where the state does not say."""

    positions: DoubleArray
    velocities: DoubleArray | None = None
    accelerations: DoubleArray | None = None


@dataclass(frozen=True)
class Sample:
    """What a trajectory has at a time.

    Attributes:
        state: with velocities and accelerations.
        since_point: seconds since the point where the segment began; before the first point, until that, negative.
        is_over: the last point is past.
    """

    state: State
    since_point: float
    is_over: bool


class SampledTrajectory:
    """Points to go through, from a stamp (ns) on; 0 is the time of ``begin``."""

    def __init__(self, points: Sequence[State], times_ns: Sequence[int], stamp_ns: int = 0) -> None:
        self._points, self._after_start, self._start = list(points), list(times_ns), stamp_ns
        self._times: list[int] = []
        self._before, self._before_ns = points[0], 0
        self._segment = 0

    @property
    def has_begun(self) -> bool:
        """Whether ``begin`` was called."""
        return bool(self._times)

    def begin(self, now_ns: int, before: State, before_ns: int) -> None:
        """Fix when it starts, and the state from which it goes to its first point, with the time of that."""
        first = self._points[0]
        # Without this, the first segment would be a spline of a lower degree than the others.
        if before.velocities is None and first.velocities is not None:
            before = replace(before, velocities=np.zeros_like(before.positions))
        if before.accelerations is None and first.accelerations is not None:
            before = replace(before, accelerations=np.zeros_like(before.positions))
        self._before, self._before_ns = before, before_ns
        start = self._start or now_ns
        self._times = [start + time for time in self._after_start]

    def sample(self, at_ns: int, *, remember: bool = True) -> Sample | None:
        """The state at a time; None before it began.

        ``remember``: never again look at a segment before this one. So a time that goes back finds none, and that
        counts as the end.
        """
        if at_ns < self._before_ns:
            return None
        times, points = self._times, self._points
        if at_ns < times[0]:
            state = interpolate(self._before_ns, self._before, times[0], points[0], at_ns)
            return Sample(state, (at_ns - times[0]) / NANOSECONDS, is_over=False)
        for i in range(self._segment, len(points) - 1):
            if times[i] <= at_ns < times[i + 1]:
                self._segment = i if remember else self._segment
                state = interpolate(times[i], points[i], times[i + 1], points[i + 1], at_ns)
                return Sample(state, (at_ns - times[i]) / NANOSECONDS, is_over=False)
        self._segment = len(points) - 1
        return Sample(_complete(points[-1]), (at_ns - times[-1]) / NANOSECONDS, is_over=True)


def _complete(point: State) -> State:
    """What is not given is zero."""
    rest = np.zeros_like(point.positions)
    return State(
        point.positions,
        rest if point.velocities is None else point.velocities,
        rest if point.accelerations is None else point.accelerations,
    )


def interpolate(begin_ns: int, a: State, end_ns: int, b: State, at_ns: int) -> State:
    """The spline of the highest degree that both ends allow: linear, cubic or quintic."""
    duration = (end_ns - begin_ns) / NANOSECONDS
    t = (at_ns - begin_ns) / NANOSECONDS
    step = b.positions - a.positions
    if a.velocities is None or b.velocities is None:
        slope = step / duration
        return State(a.positions + slope * t, slope, np.zeros_like(step))
    va, vb = a.velocities * duration, b.velocities * duration
    if a.accelerations is None or b.accelerations is None:
        coefficients = np.stack([a.positions, va, 3 * step - 2 * va - vb, -2 * step + va + vb])
    else:
        aa, ab = a.accelerations * duration**2, b.accelerations * duration**2
        c3 = 10 * step - 6 * va - 4 * vb - 1.5 * aa + 0.5 * ab
        c4 = -15 * step + 8 * va + 7 * vb + 1.5 * aa - ab
        c5 = 6 * step - 3 * va - 3 * vb - 0.5 * aa + 0.5 * ab
        coefficients = np.stack([a.positions, va, aa / 2, c3, c4, c5])
    k = np.arange(len(coefficients))
    powers = (t / duration) ** k
    positions = powers @ coefficients
    velocities = (k[1:] * powers[:-1]) @ coefficients[1:] / duration
    accelerations = (k[2:] * (k[2:] - 1) * powers[:-2]) @ coefficients[2:] / duration**2
    return State(positions, velocities, accelerations)
