"""A scripted expert: from any state of the world, the next joint target of somebody who knows how.

It is a velocity field, not a script over time, so it can take over from a bad policy in the middle of an episode. In
cylinder coordinates about the pan axis the fingertips want to be at a height that depends on the horizontal distance
from the goal: above everything while far, down a funnel when near. Sideways motion is allowed only at or above that
height; below it the arm rises first and sweeps nothing off the table.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vla_ros.sim.kinematics import ARM_JOINTS, Kinematics, TipPose
from vla_ros.sim.model import GRIPPER_CLOSED, REST_POSE
from vla_ros.sim.scene import PAN_AXIS_X
from vla_ros.sim.tasks import Task
from vla_ros.sim.world import World
from vla_ros.types import DoubleArray, VlaError

PERIOD = 0.05
"""Seconds between two actions; each target is due this long after it was asked for."""

JOINT_SPEED = 1.0
UNFOLDING_SPEED = 0.7
JOINT_ACCELERATION = 5.0
SIDEWAYS_SPEED = 0.12
RISE_SPEED = 0.10
DESCENT_SPEED = 0.05
FALL_SPEED = 0.20
TILT_SPEED = 1.0
"""Limits in rad/s, rad/s^2 and, of the fingertips, in m/s: FALL_SPEED far above everything, DESCENT_SPEED lower down;
TILT_SPEED in rad/s."""
SETTLING = 0.25
"""Seconds in which an error shrinks to 37 % once it is small enough not to meet a speed limit."""

CLEARANCE = 0.022
"""Height in metres of the fingertips above the tallest object while they travel."""
DEPTH = 0.004
"""How far below an object's top the touch aims."""
PRESS = 6.0
"""Downward force in newtons that the servos are asked for on an object; friction in the joints takes a part of it."""
LANDING = (0.004, 0.008)
"""Heights in metres above an object's top between which moving fades into pressing as the fingertips come down."""
FUNNEL = (0.005, 0.025)
"""Horizontal distances in metres at which the funnel begins at the goal's height and ends at travelling height."""
GATE = 0.015
"""Metres below the funnel at which sideways motion stops altogether."""
CONTORTED = 0.8
"""A joint further than this in rad from the elbow-up posture for the same fingertips: the arm is in a knot."""
UNFOLDED = (-1.25, 0.95, 1.15, 0.0)
"""Lift, elbow, wrist and roll in rad of a high posture that every knot is first undone to."""


@dataclass(frozen=True)
class Goal:
    """Where the closed fingertips should end up.

    Attributes:
        point: (3,) world, metres.
        tilt: angle of the approach axis from straight down, rad.
        gripper: target of the gripper joint, rad.
        press: force downwards once there, N.
    """

    point: DoubleArray
    tilt: float
    gripper: float
    press: float = 0.0


class Expert:
    """Acts for one task in one world. Reads the true state, which nothing on the robot may do."""

    def __init__(self, world: World, task: Task) -> None:
        if task.kind not in ('touch', 'home'):
            raise VlaError(f"task: the expert knows 'touch' and 'home', found {task.kind!r}")
        if task.object is not None:
            world.scene.object(task.object)
        self.world, self.task = world, task
        self._kinematics = Kinematics()
        self._rest = self._kinematics.forward(REST_POSE)
        model, joints = world.model, len(REST_POSE)
        gain = model.actuator_gainprm[:joints, 0]
        self._stiffness = gain
        # A servo that follows a moving target stays behind by its damping over its stiffness, in seconds.
        self._lag = (
            model.dof_damping[:joints].reshape(joints, -1)[:, 0] - model.actuator_biasprm[:joints, 2]
        ) / gain
        self._lower, self._upper = model.actuator_ctrlrange[:joints].T

    def action(self) -> DoubleArray:
        """Absolute joint target (6,) rad for 0.05 s from now, given the present state only.

        The wanted joint speed stays within 1 rad/s and is at most 0.25 rad/s from the measured one. The target is where
        the joints should be, plus what the position servos give away: sag under gravity (torque over stiffness) and
        lag (speed times damping over stiffness). On the object the servos' give makes a force instead: straight down,
        because a position below the surface would also push sideways and walk the object away.
        """
        sample = self.world.joints()
        goal, tip = self._goal(), self._kinematics.forward(sample.positions)
        wanted = self._velocity(sample.positions, tip, goal)
        change = JOINT_ACCELERATION * PERIOD
        velocity = np.clip(wanted, sample.velocities - change, sample.velocities + change)
        velocity = np.clip(velocity, -JOINT_SPEED, JOINT_SPEED)
        sag = self.world.data.qfrc_bias[: len(velocity)] / self._stiffness
        lead = velocity * (PERIOD + self._lag)
        landed = landed_share(tip, goal)
        if landed > 0.0:
            torque = -goal.press * self._kinematics.jacobian(sample.positions)[2]
            pressing = torque / self._stiffness[:ARM_JOINTS]
            lead[:ARM_JOINTS] += landed * (pressing - lead[:ARM_JOINTS])
        return np.clip(sample.positions + lead + sag, self._lower, self._upper)

    def _goal(self) -> Goal:
        if self.task.kind == 'home':
            return Goal(self._rest.position, self._rest.tilt, REST_POSE[5])
        assert self.task.object is not None
        point = self.world.object_top(self.task.object) - np.array([0.0, 0.0, DEPTH])
        tilt = comfortable_tilt(math.hypot(point[0] - PAN_AXIS_X, point[1]))
        return Goal(point, tilt, GRIPPER_CLOSED, PRESS)

    def _velocity(self, joints: DoubleArray, tip: TipPose, goal: Goal) -> DoubleArray:
        """Wanted joint velocity (6,) rad/s."""
        position, tilt = self._following_tip(tip, goal, ready=abs(joints[5] - goal.gripper) < 0.25)
        arm, _ = self._kinematics.solve(position, tilt=tilt)
        limit = JOINT_SPEED
        if float(np.abs(arm - joints[:ARM_JOINTS]).max()) > CONTORTED:
            arm, limit = np.array([joints[0], *UNFOLDED]), UNFOLDING_SPEED
        velocity = (arm - joints[:ARM_JOINTS]) / SETTLING
        velocity = velocity * min(1.0, limit / max(1e-9, float(np.abs(velocity).max())))
        gripper = np.clip((goal.gripper - joints[5]) / SETTLING, -JOINT_SPEED, JOINT_SPEED)
        return np.append(velocity, gripper)

    def _following_tip(self, tip: TipPose, goal: Goal, *, ready: bool) -> tuple[DoubleArray, float]:
        """Position (3,) and tilt to be in SETTLING seconds from now; ``ready`` when the fingers may come down."""
        turn, stretch = way_to(tip, goal)
        distance = math.hypot(turn * tip.reach, stretch)
        travelling = max(self._travelling_height(), goal.point[2])
        funnel = travelling if not ready else funnel_height(distance, goal.point[2], travelling)
        height = float(tip.position[2])
        gate = min(1.0, max(0.0, 1.0 - (funnel - height) / GATE))
        share = gate * min(1.0, SIDEWAYS_SPEED * SETTLING / max(distance, 1e-9))
        sink = min(FALL_SPEED, DESCENT_SPEED + 3.0 * max(0.0, height - travelling))
        rise = min(RISE_SPEED * SETTLING, max(-sink * SETTLING, funnel - height))
        azimuth = tip.azimuth + share * turn
        radius = tip.reach + share * stretch
        position = np.array(
            [PAN_AXIS_X + radius * math.cos(azimuth), radius * math.sin(azimuth), height + rise]
        )
        lean = min(TILT_SPEED * SETTLING, max(-TILT_SPEED * SETTLING, goal.tilt - tip.tilt))
        return position, tip.tilt + lean

    def _travelling_height(self) -> float:
        tops = [self.world.object_top(thing.name)[2] for thing in self.world.scene.objects]
        return max([0.03, *tops]) + CLEARANCE


def way_to(tip: TipPose, goal: Goal) -> tuple[float, float]:
    """Turn about the pan axis in rad and change of reach in metres from the fingertips to the goal."""
    outward, left = goal.point[0] - PAN_AXIS_X, goal.point[1]
    return math.atan2(left, outward) - tip.azimuth, math.hypot(outward, left) - tip.reach


def landed_share(tip: TipPose, goal: Goal) -> float:
    """1 when the fingertips are on the object that the goal is to press on, 0 when clear of it or beside it."""
    if goal.press == 0.0:
        return 0.0
    turn, stretch = way_to(tip, goal)
    distance = math.hypot(turn * tip.reach, stretch)
    height = float(tip.position[2] - goal.point[2]) - DEPTH
    low = (LANDING[1] - height) / (LANDING[1] - LANDING[0])
    near = (2 * FUNNEL[0] - distance) / FUNNEL[0]
    return min(1.0, max(0.0, low)) * min(1.0, max(0.0, near))


def comfortable_tilt(reach: float) -> float:
    """Angle of the approach axis from straight down in rad: outwards, the more the further."""
    return 0.30 + 0.20 * min(1.0, max(0.0, (reach - 0.16) / 0.095))


def funnel_height(distance: float, goal: float, travelling: float) -> float:
    """Lowest height in metres of the fingertips at a horizontal ``distance`` from the goal."""
    near, far = FUNNEL
    share = min(1.0, max(0.0, (distance - near) / (far - near)))
    return goal + share * (travelling - goal)
