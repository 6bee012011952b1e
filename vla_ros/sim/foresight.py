"""What the expert would do from here: played forward in a copy of the world, which itself stays as it is."""

from __future__ import annotations

import mujoco
import numpy as np

from vla_ros.sim.expert import PERIOD, Expert
from vla_ros.sim.tasks import Task
from vla_ros.sim.world import World
from vla_ros.types import DoubleArray


class Foresight:
    """The expert's next targets for one task in one world. Reads the true state, which nothing on the robot may do."""

    def __init__(self, world: World, task: Task) -> None:
        self._world, self._copy = world, World(world.scene)
        # The expert notes where the object of a push stands now, which need not be where the scene had it.
        self._catch_up()
        self._expert = Expert(self._copy, task)

    def targets(self, count: int, prefix: DoubleArray | None = None) -> DoubleArray:
        """(count, 6) absolute joint targets in rad, one every 0.05 s, each the expert's answer to the one before.

        ``prefix`` (known, 6) are targets that will be followed first, whatever the expert would have done.
        """
        self._catch_up()
        targets = [] if prefix is None else list(prefix[:count])
        for index in range(count):
            if index == len(targets):
                targets.append(self._expert.action())
            self._copy.follow(targets[index], PERIOD)
        return np.array(targets)

    def _catch_up(self) -> None:
        mujoco.mj_copyData(self._copy.data, self._copy.model, self._world.data)
