"""Joints and trajectories as messages, and back. Pure functions."""

from __future__ import annotations

import array
import math
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage
from trajectory_msgs.msg import JointTrajectoryPoint

from vla_ros.nodes.messages import nanoseconds, time_message
from vla_ros.types import NANOSECONDS, JointSample, JointTrajectory, VlaError


def joints_from_message(message: JointState, names: Sequence[str]) -> JointSample:
    """Positions and velocities of the named joints, in that order; other joints in the message do not matter.

    Velocities are zero where the driver measures none: the list is empty, or NaN for all joints, as
    joint_state_broadcaster sends for hardware with positions only.

    Raises:
        VlaError: a joint is missing or there twice, lists differ in length, or a number is not finite.
    """
    count = len(message.name)
    if len(message.position) != count or len(message.velocity) not in (0, count):
        raise VlaError(
            f'joint_states: expected {count} positions and {count} or no velocities, one a name, '
            f'found {len(message.position)} and {len(message.velocity)}'
        )
    columns = {}
    for name in names:
        found = message.name.count(name)
        if found != 1:
            raise VlaError(f'joint_states: expected joint {name!r} once, found it {found} times')
        columns[name] = message.name.index(name)
    index = list(columns.values())
    positions = np.asarray(message.position, dtype=np.float64)[index]
    velocities = np.zeros_like(positions)
    if len(message.velocity):
        measured = np.asarray(message.velocity, dtype=np.float64)[index]
        velocities = velocities if np.isnan(measured).all() else measured
    for what, values in (('position', positions), ('velocity', velocities)):
        for name, value in zip(names, values, strict=True):
            if not math.isfinite(value):
                raise VlaError(f'joint_states: expected a finite {what} of joint {name!r}, found {value}')
    return JointSample(nanoseconds(message.header.stamp), positions, velocities)


def joints_message(names: Sequence[str], sample: JointSample) -> JointState:
    """Measured joints as a message. Efforts are zero: some readers of bags trip over an empty last list."""
    message = JointState(
        name=list(names),
        position=array.array('d', sample.positions),
        velocity=array.array('d', sample.velocities),
        effort=array.array('d', [0.0] * len(names)),
    )
    message.header.stamp = time_message(sample.stamp)
    return message


def trajectory_message(trajectory: JointTrajectory) -> JointTrajectoryMessage:
    """A plan as a joint_trajectory_controller takes it, to start when it arrives (stamp 0).

    No efforts, not even zeros: a controller without an effort interface refuses them.
    """
    message = JointTrajectoryMessage(joint_names=list(trajectory.joint_names))
    columns = (trajectory.times, trajectory.positions, trajectory.velocities, trajectory.accelerations)
    for seconds, positions, velocities, accelerations in zip(*columns, strict=True):
        due = round(seconds * NANOSECONDS)
        message.points.append(
            JointTrajectoryPoint(
                positions=array.array('d', positions),
                velocities=array.array('d', velocities),
                accelerations=array.array('d', accelerations),
                time_from_start=Duration(sec=due // NANOSECONDS, nanosec=due % NANOSECONDS),
            )
        )
    return message
