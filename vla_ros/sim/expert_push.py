"""How the expert pushes an object over the table: the present goal, from the present state.

The closed fingers come down behind the object, broad side ahead, and slide it along. Where 'behind' is follows from
where the object is and where it belongs, so a push that slipped off goes round and starts again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vla_ros.sim.grip import CLOSING_YAW, LOWEST, lowest_point
from vla_ros.sim.kinematics import TipPose
from vla_ros.sim.model import GRIPPER_CLOSED
from vla_ros.sim.orders import DIRECTIONS
from vla_ros.sim.scene import PAN_AXIS_X, SceneObject
from vla_ros.sim.steering import SHAFT, Goal, Steering
from vla_ros.types import DoubleArray

FINGER_HALF = 0.0095
"""Half of the closed fingers' thickness in metres, from the broad side to the broad side."""
GAP = 0.010
"""Metres between the object and the fingers that come down behind it."""
BEHIND = 0.012
"""Metres farther back than GAP from which low fingers still go ahead."""
LANE = 0.010
"""Metres beside the line of the push within which they do."""
LOW = 0.008
"""Metres above the height for pushing below which the fingers are low enough to push."""
ARRIVED = 0.003
"""Metres before its place at which a push ends, along the push."""
NEAR_ENOUGH = 0.012
"""Metres from its place at which an object is left alone unless it is being pushed."""
LOOK_AHEAD = 0.02
"""Metres beyond its place, along the order's direction, at which a push aims."""
REACHING_TILT = 0.25
"""Tilt in rad for outward pushes: the fingertips lead, and touch the object low enough not to knock it over."""
RETREAT = 0.07
"""Height in metres of the fingertips when the push is over."""


@dataclass(frozen=True)
class PushPose:
    """How the fingers stand behind an object that is to be pushed: point (3,) m, tilt rad, wrist_roll rad."""

    point: DoubleArray
    tilt: float
    roll: float


def push_goal(steering: Steering, name: str, place: DoubleArray, direction: str) -> Goal:
    """Slide the named object to ``place`` (2,); the order's direction says how to aim when it is nearly there."""
    world, tip = steering.world, steering.tip()
    position = world.object_position(name)[:2]
    rest, ordered = place - position, np.array(DIRECTIONS[direction])
    aim = aim_of_push(rest, ordered)
    thing = world.scene.object(name)
    extent = extent_along(thing, world.object_rotation(name), aim)
    floor = max(0.0, lowest_point(world, name))
    behind = push_pose(position, aim, extent + FINGER_HALF + GAP, floor)
    along, beside = _in_lane(tip, position, aim)
    left = float(rest @ aim)
    low = tip.position[2] < behind.point[2] + LOW
    engaged = low and beside < LANE and -(extent + FINGER_HALF + GAP + BEHIND) < along < 0.0
    if engaged and left > ARRIVED:
        ahead = push_pose(position, aim, extent + FINGER_HALF - left, floor)
        return Goal(ahead.point, ahead.tilt, GRIPPER_CLOSED, roll=ahead.roll, straight=True)
    if math.hypot(*rest) < NEAR_ENOUGH or engaged:
        point = np.array([*tip.position[:2], RETREAT])
        return Goal(point, tip.tilt, GRIPPER_CLOSED, roll=float(world.joints().positions[4]), ready=True)
    joints = world.joints().positions
    ready = abs(joints[5] - GRIPPER_CLOSED) < 0.1 and abs(joints[4] - behind.roll) < 0.15
    return Goal(behind.point, behind.tilt, GRIPPER_CLOSED, roll=behind.roll, ready=bool(ready), funnel=SHAFT)


def aim_of_push(rest: DoubleArray, ordered: DoubleArray) -> DoubleArray:
    """Unit vector (2,) along which to push an object that has ``rest`` (2,) still to go."""
    ahead = rest + LOOK_AHEAD * ordered if rest @ ordered > 0.0 else rest
    return np.asarray(ahead / max(float(np.linalg.norm(ahead)), 1e-9))


def push_pose(position: DoubleArray, aim: DoubleArray, distance: float, floor: float) -> PushPose:
    """The fingers' pose at a ``distance`` in metres behind an object at ``position`` (2,), broad side ahead."""
    x, y = position - distance * aim
    azimuth = math.atan2(y, x - PAN_AXIS_X)
    outward = aim @ np.array([math.cos(azimuth), math.sin(azimuth)])
    # The broad sides look along the gripper's y axis, a quarter turn from where the jaws close.
    roll = math.atan2(aim[1], aim[0]) - math.pi / 2 - azimuth - CLOSING_YAW
    roll = (roll + math.pi / 2) % math.pi - math.pi / 2
    tilt = REACHING_TILT if outward > 0.3 else 0.0
    return PushPose(np.array([x, y, floor + LOWEST]), tilt, roll)


def extent_along(thing: SceneObject, rotation: DoubleArray, aim: DoubleArray) -> float:
    """Metres from the object's centre to its farthest point along a horizontal direction (2,)."""
    axes = np.abs(aim @ rotation[:2])
    if thing.shape == 'cube':
        return float(thing.radius * axes.sum())
    upright = min(1.0, float(axes[2]))
    return float(upright * thing.height / 2 + math.sqrt(1 - upright**2) * thing.radius)


def _in_lane(tip: TipPose, position: DoubleArray, aim: DoubleArray) -> tuple[float, float]:
    """Metres of the fingertips ahead of the object along the push, and beside its line."""
    away = tip.position[:2] - position
    return float(away @ aim), abs(float(away[0] * aim[1] - away[1] * aim[0]))
