"""The scripted expert in the place of a policy: chunks of what it would do, with a little noise."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from vla_ros.action.noise import noise as deterministic_noise
from vla_ros.sim.expert import PERIOD, Expert
from vla_ros.sim.tasks import Task
from vla_ros.sim.world import World
from vla_ros.types import ActionChunk, DoubleArray, FloatArray, JointSample, Thought, VisualTokens

HORIZON = 16
NOISE = 0.005
"""Standard deviation in rad of each number of a chunk."""


class ExpertPolicy:
    """Plays the expert forward in a copy of the world. The same stamp and seed make the same noise, whoever asks."""

    providers: Sequence[str] = ('expert',)

    def __init__(self, world: World, task: Task, seed: int) -> None:
        self._world, self._seed = world, seed
        self._copy = World(world.scene)
        self._expert = Expert(self._copy, task)

    def act(
        self,
        tokens: VisualTokens,
        thought: Thought,
        joints: JointSample,
        noise: FloatArray,
        prefix: DoubleArray | None = None,
    ) -> ActionChunk:
        """The expert's targets for the next steps from the present state of the world, after the prefix."""
        return self.chunk(tokens.stamp, prefix)

    def chunk(self, stamp: int, prefix: DoubleArray | None = None) -> ActionChunk:
        """The same without what the expert does not look at."""
        copy = self._copy
        mujoco.mj_copyData(copy.data, copy.model, self._world.data)
        known = 0 if prefix is None else len(prefix)
        targets = []
        for i in range(HORIZON):
            target = prefix[i] if prefix is not None and i < known else self._expert.action()
            copy.follow(target, PERIOD)
            targets.append(target)
        noise = NOISE * deterministic_noise(stamp, self._seed, (HORIZON, len(targets[0]))).astype(float)
        noise[:known] = 0.0
        return ActionChunk(stamp, PERIOD, np.array(targets) + noise)

    def warm_up(self) -> None:
        """Nothing to do."""
