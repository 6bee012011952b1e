"""The scripted expert in the place of a policy: chunks of what it would do, with a little noise."""

from __future__ import annotations

from collections.abc import Sequence

from vla_ros.action.noise import noise as deterministic_noise
from vla_ros.sim.expert import PERIOD
from vla_ros.sim.foresight import Foresight
from vla_ros.sim.tasks import Task
from vla_ros.sim.world import World
from vla_ros.types import ActionChunk, DoubleArray, FloatArray, JointSample, Sight, Thought

HORIZON = 16
NOISE = 0.005
"""Standard deviation in rad of each number of a chunk."""


class ExpertPolicy:
    """Plays the expert forward in a copy of the world. The same stamp and seed make the same noise, whoever asks."""

    providers: Sequence[str] = ('expert',)

    def __init__(self, world: World, task: Task, seed: int) -> None:
        self._world, self._seed = world, seed
        self.turn_to(task)

    def turn_to(self, task: Task) -> None:
        """From now on do this; a push is one from where its object stands now."""
        self._foresight = Foresight(self._world, task)

    def act(
        self,
        tokens: Sight,
        thought: Thought,
        joints: JointSample,
        noise: FloatArray,
        prefix: DoubleArray | None = None,
    ) -> ActionChunk:
        """The expert's targets for the next steps from the present state of the world, after the prefix."""
        return self.chunk(tokens.stamp, prefix)

    def chunk(self, stamp: int, prefix: DoubleArray | None = None) -> ActionChunk:
        """The same without what the expert does not look at."""
        known = 0 if prefix is None else len(prefix)
        targets = self._foresight.targets(HORIZON, prefix)
        noise = NOISE * deterministic_noise(stamp, self._seed, targets.shape).astype(float)
        noise[:known] = 0.0
        return ActionChunk(stamp, PERIOD, targets + noise)

    def warm_up(self) -> None:
        """Nothing to do."""
