"""Two joints, short ways to write messages, and a controller of each release that is asked for the present."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vla_ros.sim.controller_settings import JAZZY, ControllerSettings
from vla_ros.sim.joint_trajectory_controller import JointTrajectoryController
from vla_ros.sim.trajectory_message import TrajectoryMessage, TrajectoryPoint
from vla_ros.types import DoubleArray

JOINTS = ('shoulder', 'elbow')
SECOND = 1_000_000_000
NOW = 100 * SECOND
REST = np.zeros(2)


def controller(release: ControllerSettings = JAZZY, **settings: Any) -> JointTrajectoryController:
    """One whose command is for now, not for the next update, so that formulas stay short."""
    return JointTrajectoryController(JOINTS, replace(release, **settings), update_period_ns=0)


def message(
    *points: TrajectoryPoint, stamp_ns: int = 0, names: tuple[str, ...] = JOINTS
) -> TrajectoryMessage:
    return TrajectoryMessage(stamp_ns, names, points)


def point(
    seconds: float,
    positions: tuple[float, ...],
    velocities: tuple[float, ...] = (),
    accelerations: tuple[float, ...] = (),
) -> TrajectoryPoint:
    return TrajectoryPoint(positions, velocities, accelerations, seconds)


def run(
    arm: JointTrajectoryController, seconds: float, measured: DoubleArray = REST
) -> tuple[DoubleArray, DoubleArray]:
    """An update ``seconds`` after NOW."""
    return arm.sample(NOW + round(seconds * SECOND), measured)
