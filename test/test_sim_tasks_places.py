"""The referee of putting and pushing: what lies where in the end."""

from __future__ import annotations

import pytest

pytest.importorskip('mujoco')

from tabletop import LYING, displace, grips, touches, wait
from test_sim_tasks import container, hover, lay_into, outcome, table

from vla_ros.sim.model import TIME_STEP
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Referee, Task
from vla_ros.sim.world import World


@pytest.mark.parametrize('shape', ['bowl', 'plate'])
def test_given_an_object_in_the_target_when_let_go_and_left_then_it_is_put(shape: str) -> None:
    world, name, _ = table()
    target = container(world, shape)
    referee = Referee(world, Task('put', name, target))
    lay_into(world, name, target)
    hover(world, name, 0.08)
    wait(world, referee, 0.24)
    assert not referee.done
    wait(world, referee, 0.02)
    assert referee.success


@pytest.mark.parametrize(('height', 'touched'), [(0.02, False), (0.08, True)], ids=['not retreated', 'held'])
def test_given_an_object_in_the_target_when_the_gripper_is_still_at_it_then_it_is_not_put(
    height: float, touched: bool
) -> None:
    world, name, _ = table()
    target = container(world, 'bowl')
    referee = Referee(world, Task('put', name, target))
    lay_into(world, name, target)
    hover(world, name, height)
    touches(world, *([name] if touched else []))
    assert outcome(world, referee)[0] is False


def test_given_an_object_in_another_container_when_time_is_up_then_it_is_the_wrong_target() -> None:
    world, name, _ = table()
    referee = Referee(world, Task('put', name, container(world, 'bowl')))
    lay_into(world, name, container(world, 'plate'))
    assert outcome(world, referee) == (False, 'wrong_target')


def test_given_an_object_let_go_beside_the_target_when_time_is_up_then_it_was_dropped() -> None:
    world, name, _ = table()
    referee = Referee(world, Task('put', name, container(world, 'bowl')))
    displace(world, name, [0.0, 0.0, 0.05])
    grips(world, name)
    wait(world, referee, 0.1)
    displace(world, name, [0.0, 0.0, -0.05])
    grips(world)
    assert outcome(world, referee) == (False, 'dropped')


# Push.


@pytest.mark.parametrize(
    ('direction', 'x', 'y'),
    [('forward', 0.06, 0.0), ('back', -0.06, 0.0), ('left', 0.0, 0.06), ('right', 0.0, -0.06)],
)
def test_given_an_object_6_cm_farther_in_the_robots_own_direction_then_it_is_pushed(
    direction: str, x: float, y: float
) -> None:
    world, name, _ = table()
    referee = Referee(world, Task('push', name, direction))
    displace(world, name, [x, y, 0.0])
    wait(world, referee, 0.24)
    assert not referee.done
    wait(world, referee, 0.02)
    assert referee.success


@pytest.mark.parametrize(
    ('along', 'beside', 'pushed'),
    [
        (0.034, 0.0, False),
        (0.036, 0.0, True),
        (0.084, 0.0, True),
        (0.086, 0.0, False),
        (0.06, 0.024, True),
        (0.06, -0.026, False),
        (-0.06, 0.0, False),
    ],
)
def test_given_a_push_then_it_ends_within_25_mm_of_6_cm(along: float, beside: float, pushed: bool) -> None:
    world, name, _ = table()
    referee = Referee(world, Task('push', name, 'left'))
    displace(world, name, [beside, along, 0.0])
    assert outcome(world, referee) == ((True, '') if pushed else (False, 'missed'))


def test_given_an_object_in_the_right_place_when_it_hangs_in_the_air_or_in_the_jaws_then_it_is_not_pushed() -> (
    None
):
    world, name, _ = table()
    referee = Referee(world, Task('push', name, 'left'))
    displace(world, name, [0.0, 0.06, 0.005])
    wait(world, referee, 1.0)
    assert not referee.done
    displace(world, name, [0.0, 0.0, -0.005])
    grips(world, name)
    wait(world, referee, 1.0)
    assert not referee.done
    grips(world)
    wait(world, referee, 0.26)
    assert referee.success


def test_given_a_knocked_over_cylinder_when_it_was_to_be_pushed_then_it_is_dropped_at_once() -> None:
    world = World(sample_scene(0, kinds=('cylinder',)))
    name = world.scene.objects[0].name
    referee = Referee(world, Task('push', name, 'left'))
    displace(world, name, [0.0, 0.06, 0.0], LYING)
    wait(world, referee, TIME_STEP)
    assert referee.failure == 'dropped'


# What cannot be asked.
