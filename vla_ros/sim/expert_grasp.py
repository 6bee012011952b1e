"""How the expert picks an object up and puts it in a bowl or on a plate: the present goal, from the present state.

An object between the low fingers is gripped; one that both jaws hold is lifted or carried; one above or in its target
is let go; and any other is approached from above with open fingers. After a grasp that went wrong none but the last
is true, so the arm rises, opens and tries again.
"""

from __future__ import annotations

import math

import numpy as np

from vla_ros.sim.grip import Grip, between_fingers, choose_grip, lowest_point, opening_for
from vla_ros.sim.kinematics import TipPose
from vla_ros.sim.model import GRIPPER_CLOSED
from vla_ros.sim.steering import SHAFT, Goal, Steering
from vla_ros.sim.world import World

LIFT = 0.075
"""Metres of the lifted object's lowest point above the table."""
ROLL_READY = 0.15
"""Radians from the wanted wrist_roll within which the fingers may come down."""
SQUEEZING = 0.3
"""Speed in rad/s of the gripper joint below which the jaws have come to rest on the object."""
SQUEEZE = 0.10
"""Radians that the gripper's target stays ahead of jaws that hold an object: an error of half of it still holds."""
ABOVE_RIM = (0.006, 0.003)
"""Metres above a rim that the fingertips and the object's lowest point keep when the object is let go."""
RELEASE = (0.010, 0.006)
"""Metres beside the target's middle and above the height of letting go within which an object is let go."""
RELEASE_ROOM = 0.012
"""Metres by which the fingers open beyond the object's width to let it go."""
RETREAT = 0.105
"""Height in metres of the fingertips after the object was let go."""


def pick_goal(steering: Steering, name: str) -> Goal:
    """Grip the named object and hold it up."""
    world, tip = steering.world, steering.tip()
    grip = choose_grip(world, name, _roll(world))
    if not _gripped(world, name, tip, grip):
        return _reach_for(steering, name, tip, grip)
    point = tip.position.copy()
    point[2] += LIFT - lowest_point(world, name)
    return Goal(point, 0.0, GRIPPER_CLOSED, squeeze=SQUEEZE, roll=_roll(world), ready=True)


def put_goal(steering: Steering, name: str, target: str) -> Goal:
    """Carry the named object above the target, let it go and rise."""
    world, tip = steering.world, steering.tip()
    grip = choose_grip(world, name, _roll(world))
    away = world.object_position(target)[:2] - world.object_position(name)[:2]
    beside = math.hypot(away[0], away[1])
    drop = tip.position[2] + _to_drop(world, name, target, tip)
    at_drop = beside < world.scene.object(target).radius and tip.position[2] < drop + RELEASE[1]
    gripped = _gripped(world, name, tip, grip)
    if world.inside(name, target) or (at_drop and (beside < RELEASE[0] or not gripped)):
        return _let_go(world, name, tip, grip)
    if not gripped:
        return _reach_for(steering, name, tip, grip)
    hanging = max(0.0, float(tip.position[2]) - lowest_point(world, name))
    point = np.array([*(tip.position[:2] + away), drop])
    travelling = steering.clear_height(carried=name) + hanging
    return Goal(
        point,
        0.0,
        GRIPPER_CLOSED,
        squeeze=SQUEEZE,
        roll=_roll(world),
        ready=True,
        travelling=travelling,
        funnel=SHAFT,
    )


def _reach_for(steering: Steering, name: str, tip: TipPose, grip: Grip) -> Goal:
    """Open fingers around the object, then close them."""
    world = steering.world
    if between_fingers(world, name, tip, grip.width):
        point = np.array([*tip.position[:2], grip.point[2]])
        return Goal(point, tip.tilt, GRIPPER_CLOSED, roll=_roll(world), straight=True)
    joints = world.joints().positions
    ready = joints[5] > opening_for(grip.width + RELEASE_ROOM) and abs(joints[4] - grip.roll) < ROLL_READY
    return Goal(grip.point, 0.0, grip.opening, roll=grip.roll, ready=bool(ready), funnel=SHAFT)


def _let_go(world: World, name: str, tip: TipPose, grip: Grip) -> Goal:
    """Open the fingers where they are; rise once the object is free of them."""
    point = tip.position.copy()
    opened = world.joints().positions[5] > opening_for(grip.width + RELEASE_ROOM / 2)
    if opened or name not in world.contacts():
        point[2] = RETREAT
    return Goal(point, tip.tilt, grip.opening, roll=_roll(world), straight=True)


def _to_drop(world: World, name: str, target: str, tip: TipPose) -> float:
    """Metres from the fingertips' present height up to the one at which the object is let go."""
    rim = world.scene.object(target).height
    return max(rim + ABOVE_RIM[0] - float(tip.position[2]), rim + ABOVE_RIM[1] - lowest_point(world, name))


def _gripped(world: World, name: str, tip: TipPose, grip: Grip) -> bool:
    return name in world.held() and abs(world.joints().velocities[5]) < SQUEEZING


def _roll(world: World) -> float:
    return float(world.joints().positions[4])
