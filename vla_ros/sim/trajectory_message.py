"""Trajectory messages, and which of them a stock joint_trajectory_controller refuses.

After ``validate_trajectory_msg`` of joint_trajectory_controller/src/joint_trajectory_controller.cpp in
ros-controls/ros2_controllers; humble 2.54.0, jazzy 4.42.1 and kilted 5.17.0 refuse the same, in another order.

Stricter than stock: non-finite numbers, a joint named twice, and accelerations without velocities are rejected. Stock
never looks for the first two, and commands position zero for the third.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from vla_ros.sim.controller_settings import ControllerSettings
from vla_ros.types import NANOSECONDS

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
    times_ns = [to_nanoseconds(time) for time in times]
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


def to_nanoseconds(seconds: float) -> int:
    """As the message holds it."""
    return round(seconds * NANOSECONDS)
