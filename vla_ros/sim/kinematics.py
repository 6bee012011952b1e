"""Forward and inverse kinematics of the SO-101's closed fingertips, apart from any scene.

The shoulder, elbow and wrist turn about parallel axes, so seen from the side the arm is a planar chain of three links
that shoulder_pan turns as a whole. Angles in that plane are pitches: positive noses down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import mujoco
import numpy as np
import numpy.typing as npt

from vla_ros.sim.model import ROBOT_FILE
from vla_ros.sim.scene import PAN_AXIS_X
from vla_ros.types import DoubleArray

ARM_JOINTS = 5
"""The joints that place the fingertips; the sixth opens them."""

AXIS_WEIGHT = 0.06
"""Metres of position error that weigh as much as one radian of tilt or roll."""
DAMPING = 1e-6
TOLERANCE = 1e-6
ITERATIONS = 6
TILT_STEP = 0.01


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
    """Forward and inverse kinematics on a private model of the robot. Not thread safe."""

    def __init__(self) -> None:
        self._model = mujoco.MjModel.from_xml_path(str(ROBOT_FILE))
        self._data = mujoco.MjData(self._model)
        self._tip = self._model.site('gripper_tip').id
        self._gripper = self._model.body('gripper').id
        self._lower, self._upper = self._model.jnt_range[:ARM_JOINTS].T.copy()
        self._jacobian = np.zeros((2, 3, self._model.nv))
        self._tilt_changes = sorted(np.arange(-1.6, 1.6, TILT_STEP).tolist(), key=abs)
        self._measure_links()

    def forward(self, joints: npt.ArrayLike) -> TipPose:
        """Pose of the closed fingertips at ``joints`` (6,) rad."""
        self._place(np.asarray(joints, np.float64)[:ARM_JOINTS])
        position = self._data.site_xpos[self._tip].copy()
        outward = position[0] - PAN_AXIS_X, position[1]
        azimuth = math.atan2(outward[1], outward[0])
        axis = self._approach()
        radial = axis[0] * math.cos(azimuth) + axis[1] * math.sin(azimuth)
        return TipPose(position, math.hypot(*outward), azimuth, math.atan2(radial, -axis[2]))

    def jacobian(self, joints: npt.ArrayLike) -> DoubleArray:
        """How the fingertips' position changes with the arm joints at ``joints`` (6,): (3, 5) in m/rad."""
        self._place(np.asarray(joints, np.float64)[:ARM_JOINTS])
        mujoco.mj_jacSite(self._model, self._data, self._jacobian[0], self._jacobian[1], self._tip)
        return self._jacobian[0, :, :ARM_JOINTS].copy()

    def solve(
        self, position: npt.ArrayLike, *, tilt: float = 0.0, roll: float = 0.0
    ) -> tuple[DoubleArray, float]:
        """Joints that bring the closed fingertips to ``position`` (3,), base frame, metres, with the elbow up.

        The planar chain is solved in closed form at the feasible tilt nearest to the wanted one; damped least squares
        then removes what the plane leaves out. Depends on nothing but its arguments.

        Args:
            tilt: wanted angle of the approach axis from straight down, positive outwards, rad.
            roll: wanted wrist_roll, rad.

        Returns:
            (5,) joints in rad within their ranges, and the position error that remains in metres.
        """
        target = np.asarray(position, np.float64)
        joints, tilt = self._solve_plane(target, tilt, roll)
        azimuth = -joints[0]
        axis = np.array(
            [math.sin(tilt) * math.cos(azimuth), math.sin(tilt) * math.sin(azimuth), -math.cos(tilt)]
        )
        return self._polish(joints, target, axis, roll)

    def _measure_links(self) -> None:
        """Link vectors (outward, up) at zero joints: shoulder, upper arm, forearm, hand; and the tilt there."""
        self._zero_tilt = self.forward(np.zeros(ARM_JOINTS)).tilt
        anchors = [self._data.xpos[self._model.body(name).id] for name in ('upper_arm', 'lower_arm', 'wrist')]
        points = np.array([*anchors, self._data.site_xpos[self._tip]])[:, [0, 2]]
        self._shoulder = points[0].copy()
        self._links = np.diff(points, axis=0)

    def _solve_plane(self, target: DoubleArray, tilt: float, roll: float) -> tuple[DoubleArray, float]:
        """Joints (5,) and the tilt they give; the tilt nearest to ``tilt`` that the joint ranges allow."""
        azimuth = math.atan2(target[1], target[0] - PAN_AXIS_X)
        reach = math.hypot(target[0] - PAN_AXIS_X, target[1])
        upper, fore, hand = self._links
        tilts = tilt + np.array(self._tilt_changes)
        pitch = self._zero_tilt - tilts
        wrist_outward = (
            PAN_AXIS_X + reach - (hand[0] * np.cos(pitch) + hand[1] * np.sin(pitch)) - self._shoulder[0]
        )
        wrist_up = target[2] - (hand[1] * np.cos(pitch) - hand[0] * np.sin(pitch)) - self._shoulder[1]
        a, b = float(np.linalg.norm(upper)), float(np.linalg.norm(fore))
        cosine = (wrist_outward**2 + wrist_up**2 - a * a - b * b) / (2 * a * b)
        bend = np.arccos(np.clip(cosine, -1.0, 1.0))
        lift = (
            np.arctan2(-wrist_up, wrist_outward)
            - _pitch(upper)
            - np.arctan2(b * np.sin(bend), a + b * np.cos(bend))
        )
        elbow = bend - (_pitch(fore) - _pitch(upper))
        planar = np.stack([lift, elbow, pitch - lift - elbow], axis=1)
        beyond = np.maximum(planar - self._upper[1:4], self._lower[1:4] - planar).max(axis=1).clip(0.0)
        misfit = beyond + np.maximum(np.abs(cosine) - 1.0, 0.0)
        # The first of the least misfits: candidates stand in the order of their distance from the wanted tilt.
        best = int(np.argmin(misfit))
        joints = np.clip(np.array([-azimuth, *planar[best], roll]), self._lower, self._upper)
        return joints, float(tilts[best])

    def _polish(
        self, joints: DoubleArray, target: DoubleArray, axis: DoubleArray, roll: float
    ) -> tuple[DoubleArray, float]:
        turn_of_roll = np.array([0, 0, 0, 0, AXIS_WEIGHT])
        for _ in range(ITERATIONS):
            self._place(joints)
            moved = target - self._data.site_xpos[self._tip]
            turned = AXIS_WEIGHT * np.cross(self._approach(), axis)
            rolled = AXIS_WEIGHT * (roll - joints[4])
            mujoco.mj_jacSite(self._model, self._data, self._jacobian[0], self._jacobian[1], self._tip)
            jacobian = np.vstack(
                [
                    self._jacobian[0, :, :ARM_JOINTS],
                    AXIS_WEIGHT * self._jacobian[1, :, :ARM_JOINTS],
                    turn_of_roll,
                ]
            )
            # Turning about the approach axis itself is wrist_roll's business, not an error of the axis.
            jacobian[3:6, 4] = 0.0
            residual = np.concatenate([moved, turned, [rolled]])
            normal = jacobian.T @ jacobian + DAMPING * np.eye(ARM_JOINTS)
            change = np.clip(np.linalg.solve(normal, jacobian.T @ residual), -0.1, 0.1)
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


def _pitch(link: DoubleArray) -> float:
    return math.atan2(-link[1], link[0])
