"""Several tasks in a row, and scenes by the name of their layout."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('mujoco')

from tabletop import wait

from vla_ros.sim.expert import PERIOD, Expert
from vla_ros.sim.feasibility import why_infeasible
from vla_ros.sim.layouts import CONTAINERS, FAR, LAYOUTS, OBJECTS, as_it_stands, laid_out
from vla_ros.sim.model import REST_POSE, TIME_STEP
from vla_ros.sim.orders import TIME_LIMITS, Task, parse_tasks, written
from vla_ros.sim.poses import world_of
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.sequence import SequenceReferee
from vla_ros.sim.world import World
from vla_ros.types import VlaError

SEED = 800_000
words = st.from_regex(r'[a-z]+( [a-z]+)?', fullmatch=True)
tasks = st.lists(
    st.one_of(st.builds(Task, words), st.builds(Task, words, words), st.builds(Task, words, words, words)),
    max_size=3,
).map(tuple)


@given(tasks)
def test_tasks_survive_being_written(asked: tuple[Task, ...]) -> None:
    assert parse_tasks(written(asked)) == asked


@pytest.mark.parametrize('text', [':', 'touch:', ':red cube', 'touch:a:b:c', 'home;', '; home'])
def test_half_a_task_is_refused(text: str) -> None:
    with pytest.raises(VlaError, match='kind:object'):
        parse_tasks(text)


def test_given_two_touches_in_a_row_when_the_expert_does_both_then_the_fingers_may_leave_the_first_in_between() -> (
    None
):
    world = World(sample_scene(SEED))
    first, second = (Task('touch', thing.name) for thing in world.scene.objects[:2])
    referee = SequenceReferee(world, (first, second))
    expert, step = Expert(world, first), 0
    while not referee.done:
        if referee.step != step:
            expert, step = Expert(world, second), 1
        start, target = world.command, expert.action()
        for index in range(1, round(PERIOD / TIME_STEP) + 1):
            world.step(start + (target - start) * index * TIME_STEP / PERIOD)
            referee.update()
    assert (referee.success, referee.failure, referee.step) == (True, '', 1)


def test_given_an_arm_that_does_nothing_then_the_first_task_runs_out_of_time() -> None:
    world = World(sample_scene(SEED))
    referee = SequenceReferee(world, (Task('touch', world.scene.objects[0].name), Task('home')))
    wait(world, referee, TIME_LIMITS['touch'])  # type: ignore[arg-type]
    assert (referee.failure, referee.step) == ('timeout', 0)


def test_given_a_second_task_that_makes_no_sense_then_it_is_refused_at_the_start() -> None:
    world = World(sample_scene(SEED))
    with pytest.raises(VlaError, match='object: expected one of'):
        SequenceReferee(world, (Task('home'), Task('touch', 'pink cube')))


@pytest.mark.parametrize('seed', range(SEED, SEED + 5))
def test_given_a_layout_then_it_has_what_its_name_says(seed: int) -> None:
    assert laid_out(seed) == laid_out(seed, OBJECTS) == sample_scene(seed)
    shapes = [thing.shape for thing in laid_out(seed, CONTAINERS).objects]
    assert shapes[-2:] == ['bowl', 'plate']
    far = laid_out(seed, FAR)
    reasons = [why_infeasible(far, Task('touch', thing.name)) for thing in far.objects]
    assert ['out of reach' in reason for reason in reasons] == [False] * (len(reasons) - 1) + [True]


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(VlaError, match='layout: expected one of'):
        laid_out(SEED, 'kitchen')


def test_a_scene_as_it_stands_at_the_start_is_the_scene() -> None:
    for layout in LAYOUTS:
        scene = laid_out(SEED, layout)
        for now, then in zip(as_it_stands(World(scene)).objects, scene.objects):
            assert now.position == pytest.approx(then.position)
            assert (now.name, now.radius) == (then.name, then.radius)


def test_an_arm_that_begins_away_is_not_at_home_and_touches_nothing() -> None:
    for seed in range(SEED, SEED + 5):
        world = world_of(seed, away=True)
        assert abs(world.joints().positions - REST_POSE).max() > 0.2
        assert not world.contacts()
