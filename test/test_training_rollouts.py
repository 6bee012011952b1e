"""DAgger: whatever the learner does, the expert says at each look what it would have done from there."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('mujoco')

from vla_ros.reasoning.trace import Request
from vla_ros.sim.expert import Expert
from vla_ros.sim.foresight import Foresight
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Task
from vla_ros.sim.world import World
from vla_ros.training.demonstrations import HORIZON, LOOK_EVERY, Notebook
from vla_ros.training.rollouts import PATIENCE, STEPS, _watch
from vla_ros.types import Subtask

SEED = 21
SIZE = 16


class Still:
    """A learner that does nothing."""

    def __init__(self, world: World) -> None:
        self.world = world

    def step(self) -> None:
        self.world.step(self.world.command)


class Skilled(Still):
    """A learner that has learned."""

    def __init__(self, world: World, task: Task) -> None:
        super().__init__(world)
        self._expert = Expert(world, task)
        self._count = 0

    def step(self) -> None:
        if self._count % STEPS == 0:
            self._start, self._target = self.world.command, self._expert.action()
        self._count += 1
        share = ((self._count - 1) % STEPS + 1) / STEPS
        self.world.step(self._start + share * (self._target - self._start))


def request_of(task: Task) -> Request:
    return Request((Subtask(task.kind, task.object or ''),))


@pytest.fixture
def world() -> World:
    return World(sample_scene(SEED), np.random.default_rng(SEED))


@pytest.fixture
def task(world: World) -> Task:
    return Task('touch', world.scene.objects[0].name)


def test_given_a_learner_that_stands_still_then_the_episode_ends_and_each_look_says_how_to_begin(
    world: World, task: Task
) -> None:
    first = Foresight(world, task).targets(HORIZON)
    seen = _watch(world, Still(world), request_of(task), Notebook(world, SIZE), order=4)
    # The servos sag for a moment before they stand still.
    assert PATIENCE <= seen.step[-1] + LOOK_EVERY <= PATIENCE + 4 * LOOK_EVERY
    np.testing.assert_array_equal(seen.step, np.arange(len(seen.step)) * LOOK_EVERY)
    np.testing.assert_allclose(seen.chunks[0], first, atol=1e-6)
    assert set(seen.order) == {4}


def test_given_a_learner_that_does_it_then_the_episode_ends_a_little_after_the_touch(
    world: World, task: Task
) -> None:
    seen = _watch(world, Skilled(world, task), request_of(task), Notebook(world, SIZE), order=0)
    # What the expert wants at the end is what the arm does already: press where it is.
    assert np.abs(seen.chunks[-1] - seen.chunks[-1][0]).max() < 0.1
    assert np.abs(seen.joints[-1] - seen.joints[0]).max() > 0.3
