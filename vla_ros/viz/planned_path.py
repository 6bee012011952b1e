"""The way that a plan leads a link along, with the speed at each point of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_ros.action.spline import resample
from vla_ros.types import DoubleArray, JointTrajectory
from vla_ros.viz.robot_shapes import RobotShapes

FRACTIONS = (0.0, 0.25, 0.5, 0.75)
"""Of each segment between two points of a plan, where it is looked at."""
RAMP = (0.0, 0.5, 1.0)
COLOURS = np.array([[0.15, 0.35, 1.0], [0.15, 0.9, 0.35], [1.0, 0.2, 0.1]])
"""rgb at rest, at half of the full speed, and from there on: blue, green, red."""


@dataclass(frozen=True)
class PlannedPath:
    """Where a plan leads.

    ``points`` (N, 3) m in the base, ``speeds`` (N,) m/s, and ``ends``, the positions of the robot's joints (J,) at the
    end of the plan.
    """

    points: DoubleArray
    speeds: DoubleArray
    ends: DoubleArray


def planned_path(
    plan: JointTrajectory, robot: RobotShapes, measured: dict[str, float], tip: str
) -> PlannedPath:
    """As a joint_trajectory_controller executes the plan; joints that it does not name stay where they are measured.

    Raises:
        VlaError: the robot has no such link.
    """
    states = np.stack([plan.positions, plan.velocities, plan.accelerations], axis=1)
    durations = np.diff(plan.times)
    inner = resample(states, durations, FRACTIONS)[0].reshape(-1, len(plan.joint_names))
    between = plan.times[:-1, None] + durations[:, None] * np.array(FRACTIONS)
    times = np.append(between.ravel(), plan.times[-1])
    rows = np.vstack([inner, plan.positions[-1:]])
    positions = np.array([robot.vector(dict(zip(plan.joint_names, row)), measured) for row in rows])
    points = robot.way(tip, positions)
    if len(points) < 2:
        return PlannedPath(points, np.zeros(len(points)), positions[-1])
    velocities = np.gradient(points, times, axis=0)
    return PlannedPath(points, np.linalg.norm(velocities, axis=1), positions[-1])


def speed_colours(speeds: DoubleArray, full: float) -> DoubleArray:
    """rgb (N, 3) of speeds (N,): from blue at rest by green to red at ``full`` m/s and above."""
    share = np.clip(speeds / full, 0.0, 1.0)
    return np.stack([np.interp(share, RAMP, channel) for channel in COLOURS.T], axis=1)
