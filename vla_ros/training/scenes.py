"""Scenes to learn from: with and without bowls and plates, now and then with something out of reach."""

from __future__ import annotations

import mujoco
import numpy as np

from vla_ros.sim.grip import PAD_HEIGHT, opening_for
from vla_ros.sim.scene import Scene, sample_scene
from vla_ros.sim.world import World
from vla_ros.training.labels import GRIPPER

TABLES: tuple[tuple[tuple[str, ...], float], ...] = (
    ((), 0.40),
    (('bowl',), 0.18),
    (('plate',), 0.18),
    (('bowl', 'plate'), 0.18),
    (('bowl', 'bowl'), 0.03),
    (('plate', 'plate'), 0.03),
)
"""Which bowls and plates stand on the table, and the share of scenes in which they do."""
FAR = 0.2
"""Share of scenes with an object out of reach."""
FEWER_BESIDE = 3
"""Most small objects beside two bowls or plates: more do not fit."""


def training_scene(seed: int, fewest: int = 1, containers: tuple[str, ...] | None = None) -> Scene:
    """The scene of a seed with at least ``fewest`` small objects within reach.

    ``containers`` are the bowls and plates that there must be, where the scene itself is not to say.
    """
    rng = np.random.default_rng([seed, 17])
    tables, shares = zip(*TABLES)
    chosen = tables[int(rng.choice(len(tables), p=shares))]
    wanted = chosen if containers is None else containers
    most = FEWER_BESIDE if len(wanted) > 1 else 4
    return sample_scene(
        seed, count=(min(fewest, most), most), containers=wanted, beyond=int(rng.random() < FAR)
    )


def put_into_hand(rng: np.random.Generator, world: World, name: str) -> None:
    """Place an object between the jaws as they are now, and close them on it; nothing is asked of physics."""
    thing = world.scene.object(name)
    pose = world.joints().positions
    pose[GRIPPER] = opening_for(2 * thing.radius)
    world.set_joints(pose)
    rotation = world.gripper_rotation()
    turn = rng.choice(4) * np.pi / 2
    spun = rotation @ np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, spun.flatten())
    lift = PAD_HEIGHT + rng.uniform(-0.004, 0.006)
    address = world.model.jnt_qposadr[world.model.body(name).jntadr[0]]
    world.data.qpos[address : address + 3] = world.gripper_tip() + rotation @ [thing.radius, 0.0, lift]
    world.data.qpos[address + 3 : address + 7] = quaternion
    mujoco.mj_forward(world.model, world.data)
