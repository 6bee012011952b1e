"""How to grip an object where it lies: the fingers' pose around it, and whether they are around it now."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vla_ros.sim.kinematics import TipPose
from vla_ros.sim.scene import PAN_AXIS_X, SceneObject
from vla_ros.sim.world import World
from vla_ros.types import DoubleArray

CLEARANCE = 0.010
"""Metres between the object and each of the open fingers on the way down."""
OPENINGS = ((-0.0014, 0.0121, 0.0278, 0.0411, 0.0570, 0.0711), (-0.17, 0.0, 0.2, 0.4, 0.65, 0.9))
"""Metres between the fingertips and the gripper joint in rad that gives them, from the jaws' geometry."""
PAD_HEIGHT = 0.0085
"""Metres from the fingertips up to the middle of their pads, which grips best."""
LOWEST = 0.010
"""Metres of the fingertips above whatever the object lies on."""
CLOSING_YAW = -0.05
"""Angle in rad from straight outwards to the axis of the closing jaws at no wrist_roll."""
ROLL_RANGE = 2.4
FINGER_RADIUS = 0.014
"""Radius in metres of a circle around a finger, seen from above."""
FINGER_THICKNESS = 0.008
"""Metres from a finger's inner face to the middle of that circle."""
CROWDED = 1.0
"""Radians of wrist_roll that a centimetre of a neighbour in a finger's way is worth."""
RELUCTANCE = 0.2
"""How much less a radian from the present roll weighs than one from a straight wrist."""
FLANK = 0.008
"""Metres beside the middle of the fingers within which an object is between them."""
SLACK = 0.004
"""Metres by which an object may seem to overlap a finger and still be between them."""


@dataclass(frozen=True)
class Grip:
    """Where the fingers grip an object, or open around it.

    Attributes:
        point: (3,) world: the fingertips at the fixed jaw's inner face before the jaws close.
        roll: wrist_roll in rad.
        width: of the object between the fingers, m.
        opening: gripper joint in rad with CLEARANCE on both sides.
        gap: metres between the nearest neighbour and the fingers; negative when one is in the way.
    """

    point: DoubleArray
    roll: float
    width: float
    opening: float
    gap: float


def opening_for(width: float) -> float:
    """Gripper joint in rad at which the fingertips are ``width`` metres apart."""
    return float(np.interp(width, *OPENINGS))


def choose_grip(world: World, name: str, roll_now: float) -> Grip:
    """The grip that keeps clear of the neighbours and turns the wrist least; a cube offers four, a can more."""
    position = world.object_position(name)
    azimuth = math.atan2(position[1], position[0] - PAN_AXIS_X)
    grips = [
        _grip(world, name, position, yaw, _wrapped(yaw - azimuth - CLOSING_YAW))
        for yaw in closing_yaws(world.scene.object(name), world.object_rotation(name), azimuth)
    ]
    return min((g for g in grips if abs(g.roll) < ROLL_RANGE), key=lambda grip: _cost(grip, roll_now))


def closing_yaws(thing: SceneObject, rotation: DoubleArray, azimuth: float) -> list[float]:
    """Directions in the plane, rad, along which the jaws can close on an object that lies in any way."""
    if thing.shape == 'cube':
        flat = sorted(range(3), key=lambda axis: abs(rotation[2, axis]))[:2]
        first = math.atan2(rotation[1, flat[0]], rotation[0, flat[0]])
        return [first + quarter * math.pi / 2 for quarter in range(4)]
    if abs(rotation[2, 2]) > 0.7:
        return [azimuth + CLOSING_YAW + eighth * math.pi / 8 for eighth in range(-6, 7)]
    across = math.atan2(rotation[1, 2], rotation[0, 2]) + math.pi / 2
    return [across, across + math.pi]


def between_fingers(world: World, name: str, tip: TipPose, width: float) -> bool:
    """Whether the named object is between the jaws and the fingertips are low enough to grip it."""
    position = world.object_position(name)
    away = (position - tip.position) @ world.gripper_rotation()
    lowest = grip_height(world, name)
    return (
        abs(away[1]) < FLANK
        and width / 2 - SLACK < away[0] < width / 2 + 2 * CLEARANCE + SLACK
        and bool(tip.position[2] < lowest + SLACK)
    )


def grip_height(world: World, name: str) -> float:
    """Height in metres of the fingertips that grip the named object at its middle, or as low as it allows."""
    centre = world.object_position(name)[2]
    return float(max(lowest_point(world, name) + LOWEST, centre - PAD_HEIGHT))


def lowest_point(world: World, name: str) -> float:
    """Height in metres of the named object's lowest point."""
    return float(2 * world.object_position(name)[2] - world.object_top(name)[2])


def _grip(world: World, name: str, position: DoubleArray, yaw: float, roll: float) -> Grip:
    thing = world.scene.object(name)
    width = 2 * thing.radius
    closing = np.array([math.cos(yaw), math.sin(yaw)])
    fixed = position[:2] - closing * (width / 2 + CLEARANCE)
    moving = position[:2] + closing * (width / 2 + CLEARANCE)
    fingers = (fixed - closing * FINGER_THICKNESS, moving + closing * FINGER_THICKNESS)
    gaps = [
        float(np.linalg.norm(world.object_position(o.name)[:2] - finger)) - o.radius - FINGER_RADIUS
        for o in world.scene.objects
        if o.name != name
        for finger in fingers
    ]
    point = np.array([*fixed, grip_height(world, name)])
    return Grip(point, roll, width, opening_for(width + 2 * CLEARANCE), min(gaps, default=1.0))


def _cost(grip: Grip, roll_now: float) -> float:
    return abs(grip.roll) + RELUCTANCE * abs(grip.roll - roll_now) + CROWDED * max(0.0, -grip.gap) / 0.01


def _wrapped(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi
