"""Steering the fingertips towards a goal: a velocity field over the arm's states.

In cylinder coordinates about the pan axis the fingertips want to be at a height that depends on the horizontal distance
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
from vla_ros.sim.world import World
from vla_ros.types import DoubleArray

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
ROLL_SPEED = 1.6
SLIDING_SPEED = 0.06
"""Limits in rad/s, rad/s^2 and, of the fingertips, in m/s: FALL_SPEED far above everything, DESCENT_SPEED lower down,
SLIDING_SPEED along a straight line; TILT_SPEED and ROLL_SPEED in rad/s."""
SETTLING = 0.25
"""Seconds in which an error shrinks to 37 % once it is small enough not to meet a speed limit."""

CLEARANCE = 0.022
"""Height in metres of the fingertips above the tallest object while they travel."""
LANDING = (0.004, 0.008)
"""Heights in metres above an object's top between which moving fades into pressing as the fingertips come down."""
FUNNEL = (0.005, 0.025)
"""Horizontal distances in metres at which the funnel begins at the goal's height and ends at travelling height."""
SHAFT = (0.006, 0.014)
"""The same for a goal right beside something: a funnel so steep that nothing is swept on the way down."""
GATE = 0.015
"""Metres below the funnel at which sideways motion stops altogether."""
LEVEL = 0.008
"""Metres from the wanted height at which a straight slide stops altogether."""
GRIPPER_READY = 0.25
"""Radians from its target within which the gripper is ready for the way down."""
CONTORTED = 0.8
"""A joint further than this in rad from the elbow-up posture for the same fingertips: the arm is in a knot."""
UNFOLDED = (-1.25, 0.95, 1.15, 0.0)
"""Lift, elbow, wrist and roll in rad of a high posture that every knot is first undone to."""


@dataclass(frozen=True)
class Goal:
    """Where the fingertips should end up, and how.

    Attributes:
        point: (3,) world, metres.
        tilt: angle of the approach axis from straight down, rad.
        gripper: target of the gripper joint, rad.
        press: force downwards once there, N.
        squeeze: how far in rad the gripper joint's target stays ahead of the joint, on an object between the jaws.
        depth: how far the point is below the surface that is pressed on, m.
        roll: target of wrist_roll, rad; None is straight, at once.
        ready: whether the fingers may come down; None when the gripper is near its target.
        travelling: height in metres at which to travel; None is just above everything on the table.
        funnel: horizontal distances as in FUNNEL.
        straight: slide there in a straight line, at SLIDING_SPEED, once at its height.
    """

    point: DoubleArray
    tilt: float
    gripper: float
    press: float = 0.0
    depth: float = 0.0
    squeeze: float = 0.0
    roll: float | None = None
    ready: bool | None = None
    travelling: float | None = None
    funnel: tuple[float, float] = FUNNEL
    straight: bool = False


class Steering:
    """Turns goals into joint targets for the arm of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._kinematics = Kinematics()
        model, joints = world.model, len(REST_POSE)
        gain = model.actuator_gainprm[:joints, 0]
        self._stiffness = gain
        # A servo that follows a moving target stays behind by its damping over its stiffness, in seconds.
        self._lag = (
            model.dof_damping[:joints].reshape(joints, -1)[:, 0] - model.actuator_biasprm[:joints, 2]
        ) / gain
        self._lower, self._upper = model.actuator_ctrlrange[:joints].T

    def tip(self) -> TipPose:
        """Where the fingertips are now."""
        return self._kinematics.forward(self.world.joints().positions)

    def target(self, goal: Goal) -> DoubleArray:
        """Absolute joint target (6,) rad for 0.05 s from now, given the present state only.

        The wanted joint speed stays within 1 rad/s and is at most 0.25 rad/s from the measured one. The target is where
        the joints should be, plus what the position servos give away: sag under gravity (torque over stiffness) and
        lag (speed times damping over stiffness). On the object the servos' give makes a force instead: straight down,
        because a position below the surface would also push sideways and walk the object away.
        """
        sample = self.world.joints()
        tip = self._kinematics.forward(sample.positions)
        wanted = self._velocity(sample.positions, tip, goal)
        change = JOINT_ACCELERATION * PERIOD
        velocity = np.clip(wanted, sample.velocities - change, sample.velocities + change)
        velocity = np.clip(velocity, -JOINT_SPEED, JOINT_SPEED)
        sag = self.world.data.qfrc_bias[: len(velocity)] / self._stiffness
        lead = velocity * (PERIOD + self._lag)
        lead[ARM_JOINTS] = min(lead[ARM_JOINTS], -goal.squeeze) if goal.squeeze else lead[ARM_JOINTS]
        landed = landed_share(tip, goal)
        if landed > 0.0:
            torque = -goal.press * self._kinematics.jacobian(sample.positions)[2]
            pressing = torque / self._stiffness[:ARM_JOINTS]
            lead[:ARM_JOINTS] += landed * (pressing - lead[:ARM_JOINTS])
        return np.clip(sample.positions + lead + sag, self._lower, self._upper)

    def clear_height(self, *, carried: str | None = None) -> float:
        """Height in metres at which the fingertips clear all objects but the ``carried`` one."""
        tops = [self.world.object_top(o.name)[2] for o in self.world.scene.objects if o.name != carried]
        return max([0.03, *tops]) + CLEARANCE

    def _velocity(self, joints: DoubleArray, tip: TipPose, goal: Goal) -> DoubleArray:
        """Wanted joint velocity (6,) rad/s."""
        ready = abs(joints[5] - goal.gripper) < GRIPPER_READY if goal.ready is None else goal.ready
        position, tilt = self._following_tip(tip, goal, ready=ready)
        roll = 0.0
        if goal.roll is not None:
            roll = joints[4] + float(np.clip(goal.roll - joints[4], *_span(ROLL_SPEED)))
        arm, _ = self._kinematics.solve(position, tilt=tilt, roll=roll)
        limit = JOINT_SPEED
        fingers = goal.gripper
        if float(np.abs(arm - joints[:ARM_JOINTS]).max()) > CONTORTED:
            arm, limit = np.array([joints[0], *UNFOLDED]), UNFOLDING_SPEED
            # Fingers that open in a knot near the table brace the arm against it.
            fingers = goal.gripper if goal.roll is None else GRIPPER_CLOSED
        velocity = (arm - joints[:ARM_JOINTS]) / SETTLING
        velocity = velocity * min(1.0, limit / max(1e-9, float(np.abs(velocity).max())))
        gripper = np.clip((fingers - joints[5]) / SETTLING, -JOINT_SPEED, JOINT_SPEED)
        return np.append(velocity, gripper)

    def _following_tip(self, tip: TipPose, goal: Goal, *, ready: bool) -> tuple[DoubleArray, float]:
        """Position (3,) and tilt to be in SETTLING seconds from now; ``ready`` when the fingers may come down."""
        lean = min(TILT_SPEED * SETTLING, max(-TILT_SPEED * SETTLING, goal.tilt - tip.tilt))
        if goal.straight:
            return tip.position + _straight_way(goal.point - tip.position), tip.tilt + lean
        turn, stretch = way_to(tip, goal)
        distance = math.hypot(turn * tip.reach, stretch)
        travelling = self.clear_height() if goal.travelling is None else goal.travelling
        travelling = max(travelling, goal.point[2])
        funnel = funnel_height(distance, goal.point[2], travelling, goal.funnel) if ready else travelling
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
        return position, tip.tilt + lean


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
    height = float(tip.position[2] - goal.point[2]) - goal.depth
    low = (LANDING[1] - height) / (LANDING[1] - LANDING[0])
    near = (2 * FUNNEL[0] - distance) / FUNNEL[0]
    return min(1.0, max(0.0, low)) * min(1.0, max(0.0, near))


def funnel_height(
    distance: float, goal: float, travelling: float, funnel: tuple[float, float] = FUNNEL
) -> float:
    """Lowest height in metres of the fingertips at a horizontal ``distance`` from the goal."""
    near, far = funnel
    share = min(1.0, max(0.0, (distance - near) / (far - near)))
    return goal + share * (travelling - goal)


def _straight_way(way: DoubleArray) -> DoubleArray:
    """What of the ``way`` (3,) to go within SETTLING: height first, or friction would press down what is slid along."""
    rise = min(RISE_SPEED * SETTLING, max(-DESCENT_SPEED * SETTLING, float(way[2])))
    share = max(0.0, 1.0 - abs(float(way[2])) / LEVEL)
    share *= min(1.0, SLIDING_SPEED * SETTLING / max(math.hypot(way[0], way[1]), 1e-9))
    return np.array([share * way[0], share * way[1], rise])


def _span(speed: float) -> tuple[float, float]:
    """How far a thing may be ahead of what follows it within SETTLING at a speed, both ways."""
    return -speed * SETTLING, speed * SETTLING
