"""A stock joint_trajectory_controller of ROS 2 Jazzy, in plain Python, for a simulated arm.

Modelled after ros-controls/ros2_controllers, branch jazzy (4.42): joint_trajectory_controller/src/
joint_trajectory_controller.cpp (``validate_trajectory_msg``, ``fill_partial_goal``, ``update``) and
src/trajectory.cpp (``set_point_before_trajectory_msg``, ``sample``, ``interpolate_between_points``), for
position commands without tolerances, command timeout, angle wrap-around or speed scaling, which are off by
default there too.

What surprises people, and is modelled:

- A new message makes the controller forget the old one at its next update, even when its stamp lies in the
  future: until its first point is due, the controller interpolates from where the arm is to that point.
- It starts from the measured state, or from its own last command with ``interpolate_from_desired_state``. A
  point at ``time_from_start`` 0 leaves no time to interpolate: the command jumps there.
- With ``interpolate_from_desired_state``, the last command, meant for now, counts as the state of one period
  ago, so the command skips ahead by a period. A first point at time 0 avoids that, too.
- With a stamp, whatever lies in the past is skipped, so the command can jump as well.
- The command is one update period ahead of now. Efforts, zeros included, are refused.
- At the end it holds the last point, also with the last point's velocity if that was allowed to be non-zero.

Stricter than stock: non-finite numbers, a joint named twice, and accelerations without velocities are
rejected. Stock never looks for the first two, and commands position zero for the third.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from vla_ros.types import NANOSECONDS, DoubleArray

LARGEST_END_VELOCITY = float(np.finfo(np.float32).eps)  # rad/s that still count as rest


class RejectionReason(Enum):
    """Why a trajectory message is not executed."""

    JOINT_COUNT = 'joint_count'
    EMPTY_JOINT_NAMES = 'empty_joint_names'
    EMPTY = 'empty'
    UNKNOWN_JOINT = 'unknown_joint'
    DUPLICATE_JOINT = 'duplicate_joint'
    NONZERO_END_VELOCITY = 'nonzero_end_velocity'
    ENDS_IN_THE_PAST = 'ends_in_the_past'
    NOT_INCREASING = 'not_increasing'
    SIZE_MISMATCH = 'size_mismatch'
    EFFORT = 'effort'
    ACCELERATIONS_WITHOUT_VELOCITIES = 'accelerations_without_velocities'
    NON_FINITE = 'non_finite'


class TrajectoryRejected(Exception):  # noqa: N818
    """A message was refused; the controller goes on with what it was doing."""

    def __init__(self, reason: RejectionReason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


@dataclass(frozen=True)
class TrajectoryPoint:
    """As trajectory_msgs/JointTrajectoryPoint: rad, rad/s, rad/s^2, seconds; empty means not given."""

    positions: tuple[float, ...]
    velocities: tuple[float, ...] = ()
    accelerations: tuple[float, ...] = ()
    time_from_start: float = 0.0
    effort: tuple[float, ...] = ()


@dataclass(frozen=True)
class TrajectoryMessage:
    """As trajectory_msgs/JointTrajectory. ``stamp_ns`` is its time zero; 0 means at the next update."""

    stamp_ns: int
    joint_names: tuple[str, ...]
    points: tuple[TrajectoryPoint, ...]


@dataclass(frozen=True)
class ControllerSettings:
    """The stock parameters that matter here, with the defaults of Jazzy."""

    interpolate_from_desired_state: bool = False
    allow_partial_joints_goal: bool = False
    allow_nonzero_velocity_at_trajectory_end: bool = False


@dataclass(frozen=True)
class _State:
    """(J,) arrays in controller order; None where the state does not say."""

    positions: DoubleArray
    velocities: DoubleArray | None = None
    accelerations: DoubleArray | None = None


class JointTrajectoryController:
    """Executes the latest accepted trajectory; holds where it was switched on until there is one.

    Args:
        joints: names, the order of every array that goes in or out.
        update_period_ns: how far ahead of now the command is; stock: the controller manager's period.
    """

    def __init__(
        self,
        joints: Sequence[str],
        *,
        interpolate_from_desired_state: bool = False,
        allow_partial_joints_goal: bool = False,
        allow_nonzero_velocity_at_trajectory_end: bool = False,
        update_period_ns: int = 10_000_000,
    ) -> None:
        self._joints = tuple(joints)
        self._settings = ControllerSettings(
            interpolate_from_desired_state,
            allow_partial_joints_goal,
            allow_nonzero_velocity_at_trajectory_end,
        )
        self._update_period_ns = update_period_ns
        self._received: TrajectoryMessage | None = None
        self._points: list[_State] = []
        self._times_ns: list[int] = []
        self._begin_ns = 0
        self._sampled = False
        self._before: _State | None = None
        self._before_ns = 0
        self._command: _State | None = None
        self._command_ns = 0

    def accept(self, message: TrajectoryMessage, now_ns: int) -> None:
        """Take over a message at the next sample.

        Raises:
            TrajectoryRejected: with the reason; nothing changes then.
        """
        validate(message, self._joints, now_ns, self._settings)
        self._received = message

    def sample(
        self, now_ns: int, measured_positions: DoubleArray, measured_velocities: DoubleArray | None = None
    ) -> tuple[DoubleArray, DoubleArray]:
        """One controller update.

        Args:
            now_ns: not earlier than at the last call; if it is, the last command is repeated.
            measured_positions, measured_velocities: (J,) rad, rad/s; no velocities if the hardware has none.

        Returns:
            The commanded (positions, velocities), (J,) each.
        """
        velocities = None if measured_velocities is None else np.array(measured_velocities, dtype=float)
        measured = _State(np.array(measured_positions, dtype=float), velocities)
        if self._received is not None:
            self._load(self._received, measured)
            self._received = None
        elif not self._points:
            self._points, self._times_ns = [_State(measured.positions)], [0]
        if not self._sampled:
            self._start(now_ns, measured)
        at_ns = now_ns + self._update_period_ns
        if self._command is None or at_ns >= self._before_ns:
            self._command = self._evaluate(at_ns)
            self._command_ns = now_ns
        assert self._command.velocities is not None  # an evaluated state always has them
        return self._command.positions.copy(), self._command.velocities.copy()

    def _load(self, message: TrajectoryMessage, measured: _State) -> None:
        """Sort into controller order; joints that the message leaves out keep their command, at rest."""
        index = [self._joints.index(name) for name in message.joint_names]
        held = (self._command or measured).positions

        def fill(values: tuple[float, ...], default: DoubleArray) -> DoubleArray:
            filled = default.copy()
            filled[index] = values
            return filled

        rest = np.zeros(len(self._joints))
        self._points = [
            _State(
                fill(point.positions, held),
                fill(point.velocities, rest) if point.velocities else None,
                fill(point.accelerations, rest) if point.accelerations else None,
            )
            for point in message.points
        ]
        self._times_ns = [_nanoseconds(point.time_from_start) for point in message.points]
        self._begin_ns = message.stamp_ns
        self._sampled = False

    def _start(self, now_ns: int, measured: _State) -> None:
        """Fix where and when the first segment begins."""
        if self._settings.interpolate_from_desired_state and self._command is not None:
            before, self._before_ns = self._command, self._command_ns
        else:
            before, self._before_ns = measured, now_ns
        # Without this, the first segment would be a spline of a lower degree than the others.
        first = self._points[0]
        if before.velocities is None and first.velocities is not None:
            before = replace(before, velocities=np.zeros_like(before.positions))
        if before.accelerations is None and first.accelerations is not None:
            before = replace(before, accelerations=np.zeros_like(before.positions))
        self._before = before
        if self._begin_ns == 0:
            self._begin_ns = now_ns
        self._sampled = True

    def _evaluate(self, at_ns: int) -> _State:
        times = [self._begin_ns + time for time in self._times_ns]
        if at_ns < times[0]:
            assert self._before is not None  # set at the first sample
            return _interpolate(self._before_ns, self._before, times[0], self._points[0], at_ns)
        if at_ns < times[-1]:
            i = int(np.searchsorted(times, at_ns, side='right')) - 1
            return _interpolate(times[i], self._points[i], times[i + 1], self._points[i + 1], at_ns)
        last, rest = self._points[-1], np.zeros(len(self._joints))
        velocities = rest if last.velocities is None else last.velocities
        return _State(last.positions, velocities, rest if last.accelerations is None else last.accelerations)


def validate(
    message: TrajectoryMessage, joints: Sequence[str], now_ns: int, settings: ControllerSettings
) -> None:
    """Raise TrajectoryRejected for what the controller refuses, in the order in which it looks."""
    reason = RejectionReason
    names, points = message.joint_names, message.points
    complete = settings.allow_partial_joints_goal or len(names) == len(joints)
    _require(complete, reason.JOINT_COUNT, f'{len(names)} joints, expected {len(joints)}')
    _require(len(names) > 0, reason.EMPTY_JOINT_NAMES, 'no joint names')
    _require(len(points) > 0, reason.EMPTY, 'no points')
    for name in names:
        _require(name in joints, reason.UNKNOWN_JOINT, f'joint {name!r} is not of this controller')
        _require(names.count(name) == 1, reason.DUPLICATE_JOINT, f'joint {name!r} is there twice')
    if not settings.allow_nonzero_velocity_at_trajectory_end:
        fastest = max(map(abs, points[-1].velocities), default=0.0)
        at_rest = not fastest > LARGEST_END_VELOCITY
        _require(at_rest, reason.NONZERO_END_VELOCITY, f'it ends at {fastest} rad/s')
    times = [point.time_from_start for point in points]
    _require(bool(np.isfinite(times).all()), reason.NON_FINITE, 'a time is not finite')
    times_ns = [_nanoseconds(time) for time in times]
    if message.stamp_ns != 0:
        late = now_ns - message.stamp_ns - times_ns[-1]
        _require(late <= 0, reason.ENDS_IN_THE_PAST, f'it ended {late / NANOSECONDS:.3f} s ago')
    for i, point in enumerate(points):
        increasing = i == 0 or times_ns[i] > times_ns[i - 1]
        _require(increasing, reason.NOT_INCREASING, f'point {i} is due at {times[i]} s, too early')
        fields = {
            'positions': point.positions,
            'velocities': point.velocities or point.positions,
            'accelerations': point.accelerations or point.positions,
        }
        for field, values in fields.items():
            fits = len(values) == len(names)
            _require(
                fits, reason.SIZE_MISMATCH, f'point {i} has {len(values)} {field}, expected {len(names)}'
            )
            finite = bool(np.isfinite(values).all())
            _require(finite, reason.NON_FINITE, f'{field} of point {i} are not finite')
        _require(not point.effort, reason.EFFORT, f'point {i} has efforts')
        usable = bool(point.velocities) or not point.accelerations
        _require(usable, reason.ACCELERATIONS_WITHOUT_VELOCITIES, f'point {i} has no velocities')


def _require(condition: bool, reason: RejectionReason, sentence: str) -> None:
    if not condition:
        raise TrajectoryRejected(reason, f'Trajectory rejected: {sentence}.')


def _interpolate(begin_ns: int, a: _State, end_ns: int, b: _State, at_ns: int) -> _State:
    """The spline of the highest degree that both ends allow: linear, cubic or quintic."""
    duration = (end_ns - begin_ns) / NANOSECONDS
    t = (at_ns - begin_ns) / NANOSECONDS
    step = b.positions - a.positions
    if a.velocities is None or b.velocities is None:
        slope = step / duration
        return _State(a.positions + slope * t, slope, np.zeros_like(step))
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
    return _State(positions, velocities, accelerations)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * NANOSECONDS)
