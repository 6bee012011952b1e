"""What the expert would do from here, without a trace in the world."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('mujoco')

from vla_ros.sim.expert import PERIOD, Expert
from vla_ros.sim.foresight import Foresight
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Task
from vla_ros.sim.world import World

SEED = 11
COUNT = 8


@pytest.fixture
def world() -> World:
    return World(sample_scene(SEED), np.random.default_rng(SEED))


@pytest.fixture
def task(world: World) -> Task:
    return Task('touch', world.scene.objects[0].name)


def test_given_a_world_when_asked_what_comes_then_the_world_stays_as_it_was(world: World, task: Task) -> None:
    time, positions, command = world.time, world.data.qpos.copy(), world.command
    Foresight(world, task).targets(COUNT)
    assert world.time == time
    np.testing.assert_array_equal(world.data.qpos, positions)
    np.testing.assert_array_equal(world.command, command)


def test_given_no_prefix_then_it_is_what_the_expert_does_afterwards(world: World, task: Task) -> None:
    foreseen = Foresight(world, task).targets(COUNT)
    expert = Expert(world, task)
    for target in foreseen:
        done = expert.action()
        np.testing.assert_array_equal(target, done)
        world.follow(done, PERIOD)


def test_given_a_prefix_then_the_expert_goes_on_from_where_the_prefix_leads(world: World, task: Task) -> None:
    prefix = world.command + np.linspace(0.0, 0.1, 3)[:, None]
    foreseen = Foresight(world, task).targets(COUNT, prefix)
    np.testing.assert_array_equal(foreseen[:3], prefix)
    for target in prefix:
        world.follow(target, PERIOD)
    np.testing.assert_array_equal(foreseen[3], Expert(world, task).action())
