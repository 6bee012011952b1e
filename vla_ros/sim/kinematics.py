"""Forward and inverse kinematics of the SO-101's closed fingertips, apart from any scene."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt

from vla_ros.sim.model import REST_POSE, ROBOT_FILE
from vla_ros.sim.scene import PAN_AXIS_X
from vla_ros.types import DoubleArray

ARM_JOINTS = 5
"""The joints that place the fingertips; the sixth opens them."""

AXIS_WEIGHT = 0.06
"""Metres of position error that weigh as much as one radian of tilt: position first, tilt as far as it goes."""
ROLL_WEIGHT = 0.03
DAMPING = 1e-5
TOLERANCE = 1e-5


@dataclass(frozen=True)
class TipPose:
    """Where the closed fingertips are, in cylinder coordinates about the axis of shoulder_pan.

    Attributes:
        position: (3,) metres in the base frame.
        reach: distance from the pan axis in metres.
        azimuth: angle from straight ahead, positive to the left, rad.
        tilt: angle of the approach axis from straight down, positive outwards, rad.
    """

    position: DoubleArray
    reach: float
    azimuth: float
    tilt: float


class Kinematics:
    """Forward and damped-least-squares inverse kinematics on a private model of the robot. Not thread safe."""

    def __init__(self) -> None:
        self._model = mujoco.MjModel.from_xml_path(str(ROBOT_FILE))
        self._data = mujoco.MjData(self._model)
        self._tip = self._model.site('gripper_tip').id
        self._gripper = self._model.body('gripper').id
        self._lower, self._upper = self._model.jnt_range[:ARM_JOINTS].T.copy()
        self._jacobian = np.zeros((2, 3, self._model.nv))

    def forward(self, joints: npt.ArrayLike) -> TipPose:
        """Pose of the closed fingertips at ``joints`` (6,) rad."""
        self._place(np.asarray(joints, np.float64)[:ARM_JOINTS])
        position = self._data.site_xpos[self._tip].copy()
        outward = position[0] - PAN_AXIS_X, position[1]
        azimuth = math.atan2(outward[1], outward[0])
        axis = self._approach()
        radial = axis[0] * math.cos(azimuth) + axis[1] * math.sin(azimuth)
        return TipPose(position, math.hypot(*outward), azimuth, math.atan2(radial, -axis[2]))

    def solve(
        self,
        position: npt.ArrayLike,
        *,
        tilt: float = 0.0,
        roll: float = 0.0,
        seed: npt.ArrayLike | None = None,
        iterations: int = 30,
    ) -> tuple[DoubleArray, float]:
        """Joints that bring the closed fingertips to ``position`` (3,), base frame, metres.

        Damped least squares over the five arm joints within their ranges. Position outweighs tilt: where the wanted
        tilt is out of reach the nearest one results.

        Args:
            tilt: wanted angle of the approach axis from straight down, positive outwards, rad.
            roll: wanted wrist_roll, rad.
            seed: joints (6,) to start from; without it, or when it leads nowhere, a bent elbow facing the target.

        Returns:
            (5,) joints in rad and the position error that remains in metres.
        """
        target = np.asarray(position, np.float64)
        azimuth = math.atan2(target[1], target[0] - PAN_AXIS_X)
        axis = np.array([math.sin(tilt) * math.cos(azimuth), math.sin(tilt) * math.sin(azimuth), -math.cos(tilt)])
        facing = np.array([-azimuth, *REST_POSE[1:ARM_JOINTS]])
        if seed is None:
            return self._descend(facing, target, axis, roll, iterations)
        joints, error = self._descend(np.asarray(seed, np.float64)[:ARM_JOINTS], target, axis, roll, iterations)
        if error < 0.002:
            return joints, error
        other, other_error = self._descend(facing, target, axis, roll, iterations)
        return (other, other_error) if other_error < error else (joints, error)

    def _descend(
        self, start: DoubleArray, target: DoubleArray, axis: DoubleArray, roll: float, iterations: int
    ) -> tuple[DoubleArray, float]:
        joints = np.clip(start, self._lower, self._upper)
        turn_of_roll = np.array([0, 0, 0, 0, ROLL_WEIGHT])
        for _ in range(iterations):
            self._place(joints)
            moved = target - self._data.site_xpos[self._tip]
            turned = AXIS_WEIGHT * np.cross(self._approach(), axis)
            rolled = ROLL_WEIGHT * (roll - joints[4])
            mujoco.mj_jacSite(self._model, self._data, self._jacobian[0], self._jacobian[1], self._tip)
            jacobian = np.vstack(
                [self._jacobian[0, :, :ARM_JOINTS], AXIS_WEIGHT * self._jacobian[1, :, :ARM_JOINTS], turn_of_roll]
            )
            # Turning about the approach axis itself is wrist_roll's business, not an error of the axis.
            jacobian[3:6, 4] = 0.0
            residual = np.concatenate([moved, turned, [rolled]])
            normal = jacobian.T @ jacobian + DAMPING * np.eye(ARM_JOINTS)
            change = np.clip(np.linalg.solve(normal, jacobian.T @ residual), -0.5, 0.5)
            following = np.clip(joints + change, self._lower, self._upper)
            done = float(np.abs(following - joints).max()) < TOLERANCE
            joints = following
            if done:
                break
        self._place(joints)
        return joints, float(np.linalg.norm(target - self._data.site_xpos[self._tip]))

    def _place(self, joints: DoubleArray) -> None:
        self._data.qpos[:ARM_JOINTS] = joints
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)

    def _approach(self) -> DoubleArray:
        return -self._data.xmat[self._gripper].reshape(3, 3)[:, 2]
