"""Where the arm may begin: anywhere above the table."""

from __future__ import annotations

import numpy as np

from vla_ros.sim.layouts import OBJECTS, laid_out
from vla_ros.sim.model import GRIPPER_CLOSED, REST_POSE
from vla_ros.sim.scene import Scene
from vla_ros.sim.world import World
from vla_ros.types import DoubleArray

LOW = 0.02
"""Least height in metres of the fingertips in a random pose."""
CLEAR = 0.10
"""The same for an arm that is to touch nothing where it begins."""

# Joint ranges that keep the gripper over the table, in rad.
_LOWEST = np.array([-1.0, -1.7, -0.6, -0.2, -0.6, GRIPPER_CLOSED])
_HIGHEST = np.array([1.0, 0.7, 1.6, 1.65, 0.6, 0.6])


def random_pose(rng: np.random.Generator, world: World, low: float = LOW) -> DoubleArray:
    """A random pose with the gripper above the table and within the objects' reach; the arm is left in it."""
    for _ in range(100):
        pose = rng.uniform(_LOWEST, _HIGHEST)
        world.set_joints(pose)
        x, y, z = world.gripper_tip()
        if low < z < 0.25 and 0.12 < float(np.hypot(x, y)) < 0.36:
            return pose
    world.set_joints(REST_POSE)
    return np.array(REST_POSE)


def world_of(seed: int, layout: str = OBJECTS, *, away: bool = False) -> World:
    """The scene of a seed with the arm near its rest pose, or ``away`` from it: the same wherever it is played."""
    return world_from(laid_out(seed, layout), seed, away=away)


def world_from(scene: Scene, seed: int, *, away: bool = False) -> World:
    """A scene with the arm where ``world_of`` has it for the seed."""
    rng = np.random.default_rng([seed, 11])
    world = World(scene, rng)
    if away:
        random_pose(rng, world, CLEAR)
    return world
