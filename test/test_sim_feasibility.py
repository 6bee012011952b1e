"""Which tasks a scene has room for."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip('mujoco')

from vla_ros.sim.feasibility import is_feasible, why_infeasible
from vla_ros.sim.orders import DIRECTIONS
from vla_ros.sim.scene import Scene, sample_scene
from vla_ros.sim.tasks import Task
from vla_ros.types import VlaError


def scene_of(*places: tuple[float, float], kinds: tuple[str, ...] = ('cube',)) -> Scene:
    """Objects at these places (x, y), squarely, in their nominal sizes."""
    scene = sample_scene(0, kinds=kinds, count=(len(places), len(places)), randomise=0.0)
    objects = tuple(
        replace(thing, position=(x, y, thing.height / 2), yaw=0.0)
        for thing, (x, y) in zip(scene.objects, places)
    )
    return replace(scene, objects=objects)


def push(scene: Scene, direction: str) -> str:
    return why_infeasible(scene, Task('push', scene.objects[0].name, direction))


@pytest.mark.parametrize('direction', DIRECTIONS)
def test_given_an_object_alone_in_the_middle_then_it_can_be_pushed_anywhere(direction: str) -> None:
    assert push(scene_of((0.24, 0.0)), direction) == ''


@pytest.mark.parametrize(
    ('other', 'blocked'),
    [
        ((0.24, 0.09), {'left'}),
        ((0.24, 0.075), {'left', 'right'}),
        ((0.24, -0.10), {'right'}),
        ((0.315, 0.0), {'forward', 'back'}),
        ((0.165, 0.0), {'forward', 'back'}),
        ((0.31, 0.07), set()),
    ],
)
def test_given_another_object_in_the_lane_or_right_behind_then_the_push_is_infeasible(
    other: tuple[float, float], blocked: set[str]
) -> None:
    scene = scene_of((0.24, 0.0), other)
    found = {direction for direction in DIRECTIONS if push(scene, direction)}
    assert found == blocked
    assert all('in the way' in push(scene, direction) for direction in blocked)


def test_given_an_object_far_out_then_the_fingers_would_lean_over_it_on_the_way_back() -> None:
    assert 'lean' in push(scene_of((0.315, 0.0)), 'back')
    assert push(scene_of((0.315, 0.0)), 'left') == ''


def test_given_an_object_that_nobody_can_get_behind_then_the_push_is_infeasible() -> None:
    assert 'cannot get behind' in push(scene_of((0.60, 0.0)), 'left')


@pytest.mark.parametrize('kind', ['touch', 'point', 'pick'])
def test_given_an_object_out_of_reach_then_nothing_can_be_done_with_it(kind: str) -> None:
    scene = scene_of((0.50, 0.10))
    assert 'out of reach' in why_infeasible(scene, Task(kind, scene.objects[0].name))


@pytest.mark.parametrize('seed', range(5))
def test_given_a_sampled_scene_then_all_but_pushes_are_feasible(seed: int) -> None:
    scene = sample_scene(seed, count=(2, 3), containers=('bowl', 'plate'))
    for thing in scene.objects:
        kinds = ('touch', 'point') if thing.is_container else ('touch', 'point', 'pick')
        assert all(is_feasible(scene, Task(kind, thing.name)) for kind in kinds)
    bowl = next(thing.name for thing in scene.objects if thing.shape == 'bowl')
    small = next(thing.name for thing in scene.objects if not thing.is_container)
    assert is_feasible(scene, Task('put', small, bowl))
    assert is_feasible(scene, Task('home'))


def test_given_random_scenes_then_most_have_room_for_a_push() -> None:
    """Part of them must be drawn again, but a list of episodes is soon full."""
    free = 0
    for seed in range(60):
        scene = sample_scene(seed)
        free += not push(scene, list(DIRECTIONS)[seed % 4])
    assert 0.5 < free / 60 < 1.0


def test_given_an_order_without_sense_then_it_is_refused_not_called_infeasible() -> None:
    scene = scene_of((0.24, 0.0))
    with pytest.raises(VlaError, match='expected a direction'):
        why_infeasible(scene, Task('push', scene.objects[0].name, 'up'))
