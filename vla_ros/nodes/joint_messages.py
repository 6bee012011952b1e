"""Joints and trajectories as messages, and back. Pure functions."""

from __future__ import annotations

import array
from collections.abc import Sequence

from builtin_interfaces.msg import Duration
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage
from trajectory_msgs.msg import JointTrajectoryPoint

from vla_ros.action.joint_state import joint_sample
from vla_ros.nodes.messages import nanoseconds, time_message
from vla_ros.types import NANOSECONDS, JointSample, JointTrajectory


def joints_from_message(message: JointState, names: Sequence[str]) -> JointSample:
    """Positions and velocities of the named joints; see ``vla_ros.action.joint_state.joint_sample``."""
    stamp = nanoseconds(message.header.stamp)
    return joint_sample(stamp, message.name, message.position, message.velocity, names)


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


def trajectory_message(trajectory: JointTrajectory, stamp: int = 0) -> JointTrajectoryMessage:
    """A plan as a joint_trajectory_controller takes it, to begin at a time in nanoseconds; 0 is on arrival.

    No efforts, not even zeros: a controller without an effort interface refuses them.
    """
    message = JointTrajectoryMessage(joint_names=list(trajectory.joint_names))
    message.header.stamp = time_message(stamp)
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
