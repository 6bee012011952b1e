"""Kinematics, the referee and the expert: reach it, judge it, do it from anywhere."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tabletop import attempt

from vla_ros.sim.expert import PERIOD, Expert, funnel_height
from vla_ros.sim.kinematics import Kinematics
from vla_ros.sim.model import GRIPPER_CLOSED, REST_POSE, ROBOT_FILE, TIME_STEP
from vla_ros.sim.scene import AZIMUTH, PAN_AXIS_X, REACH, sample_scene
from vla_ros.sim.tasks import TIME_LIMITS, Referee, Task
from vla_ros.sim.world import World
from vla_ros.types import VlaError

KINEMATICS = Kinematics()


def touch(scene_seed: int, index: int = 0) -> tuple[World, Task]:
    world = World(sample_scene(scene_seed), np.random.default_rng(scene_seed))
    return world, Task('touch', world.scene.objects[index].name)


def hold(world: World, referee: Referee, command: np.ndarray, seconds: float) -> None:
    for _ in range(round(seconds / TIME_STEP)):
        world.step(command)
        referee.update()


@given(st.lists(st.floats(-1.5, 1.5), min_size=6, max_size=6))
@settings(max_examples=50, deadline=None)
def test_forward_kinematics_agrees_with_the_simulated_robot(joints: list[float]) -> None:
    world = World(sample_scene(0))
    world.set_joints(joints)
    pose = KINEMATICS.forward(world.joints().positions)
    assert pose.position == pytest.approx(world.gripper_tip(), abs=1e-9)
    outward = [np.cos(pose.azimuth), np.sin(pose.azimuth)]
    assert pose.position[:2] == pytest.approx([PAN_AXIS_X + pose.reach * outward[0], pose.reach * outward[1]])


@given(
    reach=st.floats(*REACH),
    azimuth=st.floats(-AZIMUTH, AZIMUTH),
    height=st.floats(0.01, 0.12),
    tilt=st.floats(0.3, 0.5),
)
@settings(max_examples=100, deadline=None)
def test_inverse_kinematics_reaches_the_whole_workspace(
    reach: float, azimuth: float, height: float, tilt: float
) -> None:
    target = [PAN_AXIS_X + reach * np.cos(azimuth), reach * np.sin(azimuth), height]
    joints, error = KINEMATICS.solve(target, tilt=tilt)
    pose = KINEMATICS.forward([*joints, 0.0])
    assert error < 1e-4
    assert pose.position == pytest.approx(target, abs=1e-4)


def test_inverse_kinematics_gives_the_wanted_tilt_where_the_joints_allow_it() -> None:
    for tilt in (0.2, 0.35, 0.5):
        joints, _ = KINEMATICS.solve([0.24, 0.05, 0.03], tilt=tilt)
        assert KINEMATICS.forward([*joints, 0.0]).tilt == pytest.approx(tilt, abs=2e-3)


def test_inverse_kinematics_of_a_point_out_of_reach_stays_in_range_and_says_how_far_it_is_off() -> None:
    model = mujoco.MjModel.from_xml_path(str(ROBOT_FILE))
    joints, error = KINEMATICS.solve([0.9, 0.0, 0.1])
    assert error > 0.3
    assert (joints >= model.jnt_range[:5, 0]).all() and (joints <= model.jnt_range[:5, 1]).all()


@pytest.mark.parametrize('seed', range(20))
def test_the_expert_touches_the_named_object(seed: int) -> None:
    world, task = touch(seed)
    referee = attempt(world, task)
    assert (referee.success, referee.failure) == (True, '')
    assert 0.5 < referee.elapsed < 4.0
    assert task.object in world.contacts()


@pytest.mark.parametrize('seed', range(100, 110))
def test_the_expert_succeeds_from_a_state_that_a_bad_policy_left_behind(seed: int) -> None:
    """Given an arm anywhere above the table, when the expert takes over, then it succeeds and sweeps nothing away."""
    world, task = touch(seed)
    rng = np.random.default_rng(seed)
    while True:
        world.set_joints(rng.uniform([-1, -1.6, -0.5, -0.5, -1, -0.17], [1, 0.5, 1.5, 1.6, 1, 1.0]))
        arm = [c for c in world.data.contact if 1 in world.model.geom_group[c.geom]]
        if world.gripper_tip()[2] > 0.01 and not any(c.dist < 0 for c in arm):
            break
    referee = attempt(world, task)
    assert (referee.success, referee.failure) == (True, '')


def test_the_expert_rises_before_it_moves_sideways() -> None:
    """Given low fingertips beside the wrong object, when the expert acts, then they go up and hardly sideways."""
    world, task = touch(3)
    low, _ = KINEMATICS.solve([0.20, 0.0, 0.02], tilt=0.4)
    world.set_joints([*low, GRIPPER_CLOSED])
    start = world.gripper_tip()
    expert = Expert(world, task)
    for _ in range(6):
        world.follow(expert.action(), PERIOD)
    moved = world.gripper_tip() - start
    assert moved[2] > 0.012
    assert np.hypot(*moved[:2]) < moved[2] / 2


def test_the_expert_stays_and_presses_gently_after_the_touch() -> None:
    world, task = touch(0)
    attempt(world, task)
    expert, place = Expert(world, task), world.object_position(str(task.object))
    for _ in range(40):
        world.follow(expert.action(), PERIOD)
        assert task.object in world.contacts()
    assert np.linalg.norm(world.object_position(str(task.object)) - place) < 0.002
    assert np.abs(world.joints().velocities).max() < 0.02


def test_the_expert_keeps_to_its_speed_and_acceleration() -> None:
    world, task = touch(1)
    referee, expert = Referee(world, task), Expert(world, task)
    before = world.joints().velocities
    while not referee.success:
        world.follow(expert.action(), PERIOD)
        referee.update()
        velocity = world.joints().velocities
        assert np.abs(velocity).max() <= 1.25
        assert np.abs(velocity - before).max() / PERIOD <= 10.0
        before = velocity


def test_the_expert_goes_home_upwards_first() -> None:
    world, task = touch(2)
    attempt(world, task)
    tip = world.gripper_tip()
    home = Task('home')
    referee, expert = Referee(world, home), Expert(world, home)
    for _ in range(4):
        world.follow(expert.action(), PERIOD)
    rise = world.gripper_tip() - tip
    assert rise[2] > abs(np.hypot(*rise[:2]))
    assert not referee.done
    assert attempt(world, home).success
    assert world.joints().positions == pytest.approx(REST_POSE, abs=0.1)


def test_the_expert_acts_on_the_present_state_alone() -> None:
    """Given two experts of different history, when the world is the same, then so is the action."""
    world, task = touch(4)
    old = Expert(world, task)
    for _ in range(10):
        world.follow(old.action(), PERIOD)
    assert np.array_equal(old.action(), Expert(world, task).action())


def test_the_funnel_is_travelling_height_far_away_and_the_goal_above_it() -> None:
    assert funnel_height(0.2, 0.02, 0.06) == pytest.approx(0.06)
    assert funnel_height(0.001, 0.02, 0.06) == pytest.approx(0.02)
    assert funnel_height(0.015, 0.02, 0.06) == pytest.approx(0.04)


def test_touching_another_object_first_is_the_wrong_object() -> None:
    world, task = touch(0, index=0)
    wrong = Task('touch', world.scene.objects[1].name)
    referee, expert = Referee(world, task), Expert(world, wrong)
    while not referee.done:
        world.follow(expert.action(), PERIOD)
        referee.update()
    assert (referee.success, referee.failure) == (False, 'wrong_object')


def test_moving_another_object_counts_as_disturbed_even_without_a_touch() -> None:
    world, task = touch(0)
    referee = Referee(world, task)
    other = world.model.body(world.scene.objects[1].name).jntadr[0]
    world.data.qpos[world.model.jnt_qposadr[other]] += 0.021
    hold(world, referee, world.command, 2 * TIME_STEP)
    assert (referee.success, referee.failure) == (False, 'disturbed')


def test_a_small_nudge_of_another_object_is_forgiven() -> None:
    world, task = touch(0)
    referee = Referee(world, task)
    other = world.model.body(world.scene.objects[1].name).jntadr[0]
    world.data.qpos[world.model.jnt_qposadr[other]] += 0.01
    hold(world, referee, world.command, 2 * TIME_STEP)
    assert not referee.done


def test_doing_nothing_ends_in_a_timeout_at_the_time_limit() -> None:
    world, task = touch(0)
    referee = Referee(world, task)
    hold(world, referee, world.command, TIME_LIMITS['touch'] - 2 * TIME_STEP)
    assert not referee.done
    hold(world, referee, world.command, 2 * TIME_STEP)
    assert (referee.success, referee.failure) == (False, 'timeout')


def test_coming_down_beside_the_object_is_a_miss() -> None:
    world = World(sample_scene(0))
    name = max(world.scene.objects, key=lambda thing: abs(thing.position[1])).name
    referee = Referee(world, Task('touch', name))
    free, _ = KINEMATICS.solve([0.20, 0.0, 0.02], tilt=0.4)
    world.set_joints([*free, GRIPPER_CLOSED])
    assert not world.contacts()
    hold(world, referee, world.command, TIME_LIMITS['touch'])
    assert (referee.success, referee.failure) == (False, 'missed')


def test_a_brush_is_not_a_touch_but_a_flicker_does_not_spoil_one() -> None:
    """Given contact for 0.05 s, when it ends for 0.1 s, then nothing is won; 0.1 s with a short gap wins."""
    world, task = touch(0)
    referee = Referee(world, task)
    name = str(task.object)
    pattern: list[bool] = []
    world.contacts = lambda: {name} if pattern.pop(0) else set()  # type: ignore[method-assign]

    def play(*runs: tuple[bool, float]) -> None:
        for touching, seconds in runs:
            pattern.extend([touching] * round(seconds / TIME_STEP))
        while pattern and not referee.done:
            referee.update()

    play((True, 0.05), (False, 0.10), (True, 0.05))
    assert not referee.done
    play((False, 0.10), (True, 0.06), (False, 0.01), (True, 0.06))
    assert referee.success


def test_success_stays_once_it_is_won() -> None:
    world, task = touch(0)
    referee = attempt(world, task)
    wrong = Expert(world, Task('touch', world.scene.objects[1].name))
    for _ in range(60):
        world.follow(wrong.action(), PERIOD)
        referee.update()
    assert world.contacts() == {world.scene.objects[1].name}
    assert (referee.success, referee.failure) == (True, '')


@pytest.mark.parametrize(
    ('task', 'words'),
    [
        (Task('juggle'), "found 'juggle'"),
        (Task('touch', 'green ghost'), "found 'green ghost'"),
        (Task('touch'), 'name of an object'),
    ],
)
def test_a_task_that_cannot_be_judged_is_refused(task: Task, words: str) -> None:
    with pytest.raises(VlaError, match=words):
        Referee(World(sample_scene(0)), task)
