"""What the referee calls done, and how it calls what is not, for point, pick, put and push; no expert takes part."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('mujoco')

from tabletop import displace, grips, touches, wait

from vla_ros.sim.kinematics import Kinematics
from vla_ros.sim.model import GRIPPER_CLOSED, REST_POSE, TIME_STEP
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import TIME_LIMITS, Referee, Task
from vla_ros.sim.world import World
from vla_ros.types import VlaError

KINEMATICS = Kinematics()


def table() -> tuple[World, str, str]:
    """A world with a bowl and a plate, and the names of two of its small objects."""
    world = World(sample_scene(5, count=(3, 3), containers=('bowl', 'plate')))
    first, second = [thing.name for thing in world.scene.objects if not thing.is_container][:2]
    return world, first, second


def container(world: World, shape: str) -> str:
    return next(thing.name for thing in world.scene.objects if thing.shape == shape)


def hover(
    world: World, name: str, height: float, beside: float = 0.0, gripper: float = GRIPPER_CLOSED
) -> None:
    """The fingertips at a height above the object's top, and beside it towards the robot."""
    point = world.object_top(name) + np.array([-beside, 0.0, height])
    joints, error = KINEMATICS.solve(point, tilt=0.3)
    assert error < 1e-3
    world.set_joints([*joints, gripper])


def lay_into(world: World, name: str, target: str) -> None:
    """Put the object on the floor of the bowl or plate, which is 3 mm thick."""
    away = world.object_position(target) - world.object_position(name)
    displace(world, name, [away[0], away[1], 0.0028])


def outcome(world: World, referee: Referee) -> tuple[bool, str]:
    wait(world, referee, referee.time_limit - referee.elapsed + TIME_STEP)
    return referee.success, referee.failure


# Point.


@pytest.mark.parametrize('height', [0.032, 0.055, 0.078])
def test_given_closed_fingertips_above_the_object_when_held_for_a_moment_then_it_is_pointed_at(
    height: float,
) -> None:
    world, name, _ = table()
    hover(world, name, height)
    referee = Referee(world, Task('point', name))
    wait(world, referee, 0.29)
    assert not referee.done
    wait(world, referee, 0.02)
    assert referee.success


@pytest.mark.parametrize(
    ('height', 'beside', 'gripper', 'failure'),
    [
        (0.020, 0.0, GRIPPER_CLOSED, 'missed'),
        (0.090, 0.0, GRIPPER_CLOSED, 'timeout'),
        (0.055, 0.025, GRIPPER_CLOSED, 'missed'),
        (0.055, 0.0, 0.3, 'timeout'),
    ],
    ids=['too low', 'too high', 'beside', 'open fingers'],
)
def test_given_another_pose_when_time_is_up_then_nothing_was_pointed_at(
    height: float, beside: float, gripper: float, failure: str
) -> None:
    world, name, _ = table()
    hover(world, name, height, beside, gripper)
    assert outcome(world, Referee(world, Task('point', name))) == (False, failure)


def test_given_a_moving_arm_above_the_object_then_it_does_not_point() -> None:
    world, name, _ = table()
    hover(world, name, 0.055)
    world.data.qvel[0] = 0.3
    assert outcome(world, Referee(world, Task('point', name))) == (False, 'timeout')


def test_given_fingertips_above_another_object_then_it_is_the_wrong_one() -> None:
    world, name, other = table()
    hover(world, other, 0.055)
    referee = Referee(world, Task('point', name))
    wait(world, referee, 0.31)
    assert (referee.success, referee.failure) == (False, 'wrong_object')


def test_given_a_touch_when_it_is_the_named_object_then_it_is_no_pointing_and_another_is_the_wrong_one() -> (
    None
):
    world, name, other = table()
    hover(world, name, 0.055)
    referee = Referee(world, Task('point', name))
    touches(world, name)
    wait(world, referee, 1.0)
    assert not referee.done
    touches(world, other)
    wait(world, referee, TIME_STEP)
    assert referee.failure == 'wrong_object'


@pytest.mark.parametrize('which', [0, 1])
def test_given_an_object_moved_by_more_than_2_cm_when_pointing_then_it_is_disturbed(which: int) -> None:
    world, *names = table()
    referee = Referee(world, Task('point', names[0]))
    displace(world, names[which], [0.0, 0.021, 0.0])
    wait(world, referee, TIME_STEP)
    assert referee.failure == 'disturbed'


# Pick.


def test_given_an_object_held_6_cm_up_when_half_a_second_has_passed_then_it_is_picked() -> None:
    world, name, _ = table()
    referee = Referee(world, Task('pick', name))
    displace(world, name, [0.0, 0.0, 0.06])
    grips(world, name)
    wait(world, referee, 0.49)
    assert not referee.done
    wait(world, referee, 0.02)
    assert referee.success
    grips(world)
    displace(world, name, [0.0, 0.0, -0.06])
    assert outcome(world, referee) == (True, '')


def test_given_a_lift_of_less_than_5_cm_or_one_without_the_gripper_then_it_is_not_picked() -> None:
    world, name, _ = table()
    referee = Referee(world, Task('pick', name))
    displace(world, name, [0.0, 0.0, 0.049])
    grips(world, name)
    wait(world, referee, 1.0)
    displace(world, name, [0.0, 0.0, 0.02])
    grips(world)
    wait(world, referee, 1.0)
    assert not referee.done


def test_given_a_lift_when_the_object_lies_again_at_the_end_then_it_was_dropped() -> None:
    world, name, _ = table()
    referee = Referee(world, Task('pick', name))
    displace(world, name, [0.0, 0.0, 0.03])
    grips(world, name)
    wait(world, referee, 0.1)
    displace(world, name, [0.01, 0.0, -0.03])
    grips(world)
    assert outcome(world, referee) == (False, 'dropped')


@pytest.mark.parametrize('kind', ['pick', 'put', 'push'])
def test_given_an_object_that_falls_off_the_table_then_it_is_dropped_at_once(kind: str) -> None:
    world, name, _ = table()
    referee = Referee(world, task_of(world, kind, name))
    displace(world, name, [0.0, 0.7, -0.1])
    wait(world, referee, TIME_STEP)
    assert referee.failure == 'dropped'


@pytest.mark.parametrize(
    ('kind', 'failure'), [('pick', 'missed_grasp'), ('put', 'missed_grasp'), ('push', 'missed')]
)
def test_given_fingertips_that_went_down_in_vain_when_time_is_up_then_it_is_a_miss(
    kind: str, failure: str
) -> None:
    world, name, _ = table()
    referee = Referee(world, task_of(world, kind, name))
    hover(world, name, -0.005)
    touches(world)
    wait(world, referee, 0.1)
    world.set_joints(REST_POSE)
    assert outcome(world, referee) == (False, failure)


@pytest.mark.parametrize('kind', ['point', 'pick', 'put', 'push'])
def test_given_an_arm_that_does_nothing_then_it_is_a_timeout_at_the_time_limit(kind: str) -> None:
    world, name, _ = table()
    referee = Referee(world, task_of(world, kind, name))
    wait(world, referee, TIME_LIMITS[kind] - TIME_STEP)
    assert not referee.done
    wait(world, referee, TIME_STEP)
    assert (referee.success, referee.failure) == (False, 'timeout')


@pytest.mark.parametrize('kind', ['pick', 'put', 'push'])
@pytest.mark.parametrize(
    ('touched', 'own_shift', 'failure'),
    [(True, 0.0, 'wrong_object'), (False, 0.0, 'disturbed'), (True, 0.015, 'disturbed')],
    ids=['taken instead', 'swept by the way', 'pushed by the named one'],
)
def test_given_another_object_moved_by_more_than_2_cm_then_it_was_taken_instead_or_disturbed(
    kind: str, touched: bool, own_shift: float, failure: str
) -> None:
    world, name, other = table()
    referee = Referee(world, task_of(world, kind, name))
    touches(world, *([other] if touched else []))
    displace(world, name, [own_shift, 0.0, 0.0])
    displace(world, other, [0.019, 0.0, 0.0])
    wait(world, referee, TIME_STEP)
    assert not referee.done
    displace(world, other, [0.002, 0.0, 0.0])
    wait(world, referee, TIME_STEP)
    assert (referee.success, referee.failure) == (False, failure)


# Put.


@pytest.mark.parametrize(
    ('kind', 'object_', 'target', 'words'),
    [
        ('pick', None, None, "name of an object for 'pick'"),
        ('pick', 'bowl', None, "that can be moved for 'pick'"),
        ('put', 'first', None, 'expected a target of'),
        ('put', 'first', 'second', 'expected a target of'),
        ('put', 'first', 'green ghost', "found 'green ghost'"),
        ('push', 'first', 'up', "'left', 'right'.* found 'up'"),
        ('push', 'plate', 'left', "that can be moved for 'push'"),
    ],
)
def test_given_an_order_without_sense_when_a_referee_is_asked_then_it_says_what_is_wrong(
    kind: str, object_: str | None, target: str | None, words: str
) -> None:
    world, first, second = table()
    names = {'first': first, 'second': second, **{s: container(world, s) for s in ('bowl', 'plate')}}
    with pytest.raises(VlaError, match=words):
        Referee(world, Task(kind, names.get(str(object_)), names.get(str(target), target)))


def task_of(world: World, kind: str, name: str) -> Task:
    return Task(kind, name, {'put': container(world, 'bowl'), 'push': 'left'}.get(kind))
