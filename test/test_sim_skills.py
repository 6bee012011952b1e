"""The expert points, picks, puts and pushes: from rest, from where a bad policy left the arm, and after a miss."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip('mujoco')

from tabletop import LYING, attempt, displace

from vla_ros.sim.expert import PERIOD, Expert
from vla_ros.sim.feasibility import is_feasible
from vla_ros.sim.foresight import Foresight
from vla_ros.sim.grip import between_fingers, choose_grip, closing_yaws, opening_for
from vla_ros.sim.kinematics import Kinematics
from vla_ros.sim.model import GRIPPER_CLOSED
from vla_ros.sim.orders import DIRECTIONS
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Task
from vla_ros.sim.world import World

KINDS = ('point', 'pick', 'put', 'push')
KINEMATICS = Kinematics()


def order(kind: str, seed: int) -> tuple[World, Task]:
    """The first feasible scene from a seed on, and an order of the kind in it."""
    containers = {'put': ('bowl', 'plate')}.get(kind, ())
    scene = sample_scene(seed, count=(2, 3), containers=containers)
    name = next(thing.name for thing in scene.objects if not thing.is_container)
    targets = [o.name for o in scene.objects if o.is_container] if kind == 'put' else list(DIRECTIONS)
    task = Task(kind, name, targets[seed % len(targets)] if kind in ('put', 'push') else None)
    if not is_feasible(scene, task):
        return order(kind, seed + len(DIRECTIONS))
    return World(scene, np.random.default_rng(seed)), task


@pytest.mark.parametrize(
    ('kind', 'seed'),
    [
        *((kind, seed) for kind in ('point', 'pick', 'put') for seed in (0, 1)),
        *(('push', s) for s in range(4)),
    ],
)
def test_given_an_arm_at_rest_when_the_expert_acts_then_it_succeeds_within_the_limit(
    kind: str, seed: int
) -> None:
    world, task = order(kind, seed)
    referee = attempt(world, task)
    assert (referee.success, referee.failure) == (True, '')
    assert 0.3 < referee.elapsed < 0.7 * referee.time_limit


@pytest.mark.parametrize('kind', KINDS)
def test_given_an_arm_anywhere_above_the_table_when_the_expert_takes_over_then_it_succeeds(kind: str) -> None:
    world, task = order(kind, 100)
    world.set_joints([0.7, -0.8, 0.3, 1.0, 0.8, 0.9])
    assert world.gripper_tip()[2] > 0.05
    referee = attempt(world, task)
    assert (referee.success, referee.failure) == (True, '')


@pytest.mark.parametrize('kind', KINDS)
def test_given_two_experts_of_different_history_when_the_world_is_the_same_then_so_is_the_action(
    kind: str,
) -> None:
    world, task = order(kind, 4)
    old, fresh = Expert(world, task), Expert(world, task)
    for _ in range(10):
        world.follow(old.action(), PERIOD)
    assert np.array_equal(old.action(), fresh.action())


def test_given_fingers_that_closed_beside_the_object_when_the_expert_goes_on_then_it_rises_opens_and_tries_again() -> (
    None
):
    world, task = order('pick', 2)
    name = str(task.object)
    place = world.object_position(name)
    beside = place * (1 - 0.045 / math.hypot(place[0], place[1]))
    joints, _ = KINEMATICS.solve([beside[0], beside[1], 0.006])
    world.set_joints([*joints, GRIPPER_CLOSED])
    assert not world.contacts()
    expert, top = Expert(world, task), world.object_top(name)[2]
    for _ in range(40):
        world.follow(expert.action(), PERIOD)
        if world.gripper_tip()[2] > top and world.joints().positions[5] > 0.3:
            break
    else:
        pytest.fail('the fingers did not come up and open')
    assert np.linalg.norm(world.object_position(name) - place) < 0.005
    assert attempt(world, task).success


def test_given_an_object_that_slips_from_the_jaws_when_the_expert_goes_on_then_it_is_picked_after_all() -> (
    None
):
    world, task = order('pick', 3)
    attempt(world, task)
    open_jaws = world.command
    open_jaws[5] = 0.7
    for _ in range(8):
        world.follow(open_jaws, PERIOD)
    assert not world.held()
    assert attempt(world, task).success


def test_given_a_held_object_when_the_fingers_target_is_off_by_3_degrees_then_it_stays_held() -> None:
    """A learner's error, or a disturbance of the targets, must not open the jaws."""
    world, task = order('pick', 3)
    attempt(world, task)
    expert = Expert(world, task)
    for _ in range(20):
        target = expert.action()
        target[5] += 0.05
        world.follow(target, PERIOD)
        assert task.object in world.held()


def test_given_a_push_that_lost_its_object_when_the_expert_goes_on_then_it_goes_behind_it_again() -> None:
    world, task = order('push', 2)
    expert, name = Expert(world, task), str(task.object)
    start = world.object_position(name)
    while np.linalg.norm(world.object_position(name) - start) < 0.02:
        world.follow(expert.action(), PERIOD)
    place = start[:2] + 0.06 * np.array(DIRECTIONS[str(task.target)])
    sideways = 0.015 * np.array([*DIRECTIONS[str(task.target)][::-1], 0.0])
    displace(world, name, sideways)
    for _ in range(200):
        world.follow(expert.action(), PERIOD)
    assert np.linalg.norm(world.object_position(name)[:2] - place) < 0.025


def test_given_an_object_that_was_moved_when_foresight_is_asked_then_it_pushes_from_where_it_is_now() -> None:
    world, task = order('push', 1)
    displace(world, str(task.object), [0.01, 0.01, 0.0])
    expert, foreseen = Expert(world, task), Foresight(world, task)
    for _ in range(30):
        np.testing.assert_array_equal(foreseen.targets(1)[0], expert.action())
        world.follow(expert.action(), PERIOD)


def test_given_a_cube_then_the_jaws_can_close_across_each_of_its_sides() -> None:
    world = World(sample_scene(0, kinds=('cube',)))
    cube = world.scene.objects[0]
    yaws = closing_yaws(cube, world.object_rotation(cube.name), 0.0)
    apart = [(yaw - cube.yaw) % (math.pi / 2) for yaw in yaws]
    assert len(yaws) == 4
    assert [min(a, math.pi / 2 - a) for a in apart] == pytest.approx([0.0] * 4, abs=1e-3)


def test_given_a_lying_cylinder_then_the_jaws_close_across_its_axis() -> None:
    world = World(sample_scene(0, kinds=('cylinder',)))
    can = world.scene.objects[0]
    displace(world, can.name, [0.0, 0.0, can.radius - can.height / 2], LYING)
    axis = world.object_rotation(can.name)[:, 2]
    for yaw in closing_yaws(can, world.object_rotation(can.name), 0.0):
        assert math.cos(yaw) * axis[0] + math.sin(yaw) * axis[1] == pytest.approx(0.0, abs=1e-3)


def test_given_a_grip_then_the_open_fingers_stand_1_cm_clear_of_the_object_and_around_it() -> None:
    world, task = order('pick', 6)
    name = str(task.object)
    grip = choose_grip(world, name, 0.0)
    thing = world.scene.object(name)
    beside = np.linalg.norm(grip.point[:2] - world.object_position(name)[:2])
    assert beside == pytest.approx(thing.radius + 0.010, abs=1e-4)
    assert grip.opening == pytest.approx(opening_for(2 * thing.radius + 0.020))
    joints, error = KINEMATICS.solve(grip.point, tilt=0.0, roll=grip.roll)
    world.set_joints([*joints, grip.opening])
    assert error < 1e-3
    assert not world.contacts()
    assert between_fingers(world, name, KINEMATICS.forward(world.joints().positions), grip.width)
