"""Small helpers for tests of the simulated table: put things somewhere, and let time pass without physics."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from vla_ros.sim.expert import PERIOD, Expert
from vla_ros.sim.model import TIME_STEP
from vla_ros.sim.tasks import Referee, Task
from vla_ros.sim.world import World

LYING = (0.7071, 0.7071, 0.0, 0.0)


def displace(world: World, name: str, shift: Sequence[float], turn: Sequence[float] | None = None) -> None:
    """Move an object by ``shift`` (3,) metres at once, and turn it to the quaternion ``turn`` (4,)."""
    address = world.model.jnt_qposadr[world.model.body(name).jntadr[0]]
    world.data.qpos[address : address + 3] += np.asarray(shift)
    if turn is not None:
        world.data.qpos[address + 3 : address + 7] = turn
    mujoco.mj_forward(world.model, world.data)


def wait(world: World, referee: Referee, seconds: float) -> None:
    """The referee looks at a world that stands still."""
    for _ in range(round(seconds / TIME_STEP)):
        world.data.time += TIME_STEP
        referee.update()


def touches(world: World, *names: str) -> None:
    """From now on the gripper touches just these objects."""
    world.contacts = lambda: set(names)  # type: ignore[method-assign]


def grips(world: World, *names: str) -> None:
    """From now on both jaws touch just these objects."""
    touches(world, *names)
    world.held = lambda: set(names)  # type: ignore[method-assign]


def attempt(world: World, task: Task) -> Referee:
    """The expert at work until the referee has decided."""
    referee, expert = Referee(world, task), Expert(world, task)
    steps = round(PERIOD / TIME_STEP)
    while not referee.done:
        start, target = world.command, expert.action()
        for index in range(1, steps + 1):
            world.step(start + (target - start) * index / steps)
            referee.update()
    return referee
