"""How smoothness is measured, and that what is compared is the same but for how it is sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mujoco')

from vla_ros.action.limits import load_limits
from vla_ros.evaluation.expert_policy import HORIZON, ExpertPolicy
from vla_ros.evaluation.senders import (
    ON_ARRIVAL,
    OURS,
    OURS_EARLY,
    ROADS,
    STEP,
    TWINS,
    ManyPoints,
    OnePoint,
    make_sender,
)
from vla_ros.evaluation.smoothness import Run, measure, run
from vla_ros.evaluation.smoothness_report import averages, smoothness_report
from vla_ros.sim.controller_settings import HUMBLE, JAZZY, KILTED
from vla_ros.sim.model import JOINT_NAMES, TIME_STEP
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Task
from vla_ros.sim.world import World
from vla_ros.types import ActionChunk, DoubleArray, JointSample
from vla_ros.viz.smoothness_chart import draw_report, smoothness_table

LIMITS = load_limits(Path(__file__).parents[1] / 'config' / 'joint_limits.yaml', JOINT_NAMES)
SEED = 1_200_000
STILL = JointSample(0, np.zeros(6), np.zeros(6))
ROWS = np.arange(16.0)[:, None] * np.ones(6)


def made(
    commands: DoubleArray, boundaries: tuple[int, ...] = (), positions: DoubleArray | None = None
) -> Run:
    return Run(commands, commands if positions is None else positions, boundaries, 1.0, True, 0)


def straight(steps: int, speed: float = 1.0) -> DoubleArray:
    return TIME_STEP * speed * np.arange(steps)[:, None] * np.ones(6)


def test_given_a_straight_motion_nothing_is_found():
    found = measure(made(straight(100), (50,)))
    assert found.boundary_jump == pytest.approx(0.0, abs=1e-12)
    assert found.boundary_cosine == pytest.approx(1.0)
    assert found.second_difference == pytest.approx(0.0, abs=1e-12)
    assert found.peak_jerk == pytest.approx(0.0, abs=1e-6)


def test_given_a_motion_of_constant_jerk_the_peak_is_that_jerk():
    time = TIME_STEP * np.arange(100)[:, None]
    found = measure(made(straight(100), positions=7.0 * time**3 / 6 * np.ones(6)))
    assert found.peak_jerk == pytest.approx(7.0, rel=1e-6)


def test_given_a_jump_at_a_boundary_it_is_found_there_and_only_there():
    commands = straight(100)
    commands[50:, 0] += 0.3
    assert measure(made(commands, (50,))).boundary_jump == pytest.approx(0.3)
    assert measure(made(commands, (30,))).boundary_jump == pytest.approx(0.0, abs=1e-12)
    assert measure(made(commands)).peak_command_jerk == pytest.approx(2 * 0.3 / TIME_STEP**3)
    assert measure(made(commands)).second_difference == pytest.approx(2 * 0.3 / (98 * 6))


def test_given_a_motion_that_turns_back_at_a_boundary_the_cosine_says_so():
    there_and_back = np.concatenate([straight(50), straight(50)[::-1]])
    assert measure(made(there_and_back, (50,))).boundary_cosine == pytest.approx(-1.0, abs=0.01)
    assert np.isnan(measure(made(np.zeros((100, 6)), (50,))).boundary_cosine)


def test_one_point_sends_the_target_that_is_due_and_drops_what_is_past():
    on_time, early, ahead = OnePoint(0, 0.0), OnePoint(1, 0.0), OnePoint(1, 0.05)
    for sender in (on_time, early, ahead):
        sender.answer(ActionChunk(0, 0.05, ROWS), 2 * STEP, STILL)
        assert sender.tick(STEP) is None
    sent = [sender.tick(3 * STEP) for sender in (on_time, early, ahead)]
    points = [message.points[0] for message in sent if message is not None]
    assert [(point.positions[0], point.time_from_start) for point in points] == [(2, 0), (3, 0), (3, 0.05)]


def test_a_new_chunk_replaces_what_is_due_later_and_no_more():
    sender = OnePoint(0, 0.0)
    sender.answer(ActionChunk(0, 0.05, ROWS), 0, STILL)
    sender.answer(ActionChunk(3 * STEP, 0.05, ROWS + 100), 4 * STEP, STILL)
    sent = [sender.tick(k * STEP) for k in (4, 5)]
    assert [message.points[0].positions[0] for message in sent if message is not None] == [3, 101]


def test_many_points_sends_all_that_is_left():
    message = ManyPoints().answer(ActionChunk(0, 0.05, ROWS), 2 * STEP, STILL)
    assert message is not None
    assert [point.positions[0] for point in message.points] == list(range(2, 16))
    assert [point.time_from_start for point in message.points] == pytest.approx(0.05 * np.arange(1, 15))


def test_the_expert_answers_alike_whoever_asks_and_goes_on_from_a_prefix():
    world = World(sample_scene(SEED), np.random.default_rng(SEED))
    task = Task('touch', world.scene.objects[0].name)
    before = world.joints().positions
    first, second = (ExpertPolicy(world, task, SEED).chunk(5) for _ in range(2))
    np.testing.assert_array_equal(first.positions, second.positions)
    np.testing.assert_array_equal(world.joints().positions, before)
    assert first.positions.shape == (HORIZON, 6)
    prefix = np.repeat(before[None] + 0.05, 4, axis=0)
    known = ExpertPolicy(world, task, SEED).chunk(5, prefix)
    np.testing.assert_array_equal(known.positions[:4], prefix)
    assert np.abs(known.positions[4] - prefix[3]).max() < 0.15


def test_every_road_has_a_sender_and_others_are_compared_with_ours_of_their_timing():
    world = World(sample_scene(SEED))
    policy = ExpertPolicy(world, Task('touch', world.scene.objects[0].name), SEED)
    assert all(make_sender(road, policy, LIMITS) is not None for road in ROADS)
    assert {OURS, OURS_EARLY, *TWINS} <= set(ROADS)


def test_ours_is_smoother_than_one_point_a_message_and_does_the_task():
    ours, naive = (run(road, SEED, 0.2, LIMITS) for road in (OURS, 'one point, early'))
    assert ours.success
    assert ours.refused == 0
    assert 5 * measure(ours).peak_jerk < measure(naive).peak_jerk
    assert measure(ours).boundary_cosine > 0.9


def test_on_every_release_the_arm_moves_as_smoothly_and_does_the_task():
    """Whatever the controller starts from: the first point of our plans is due. Kilted is as Jazzy."""
    assert KILTED == JAZZY
    found = []
    for release in (HUMBLE, JAZZY):
        for desired in (False, True):
            settings = replace(release, interpolate_from_desired_state=desired)
            result = run(OURS, SEED, 0.1, LIMITS, settings=settings)
            assert result.success
            found.append(measure(result))
    for field in ('boundary_jump', 'largest_jump', 'second_difference', 'peak_command_jerk'):
        values = [getattr(one, field) for one in found]
        assert max(values) <= 1.1 * min(values), field


def test_a_message_that_comes_late_makes_the_command_jump_less_if_it_is_stamped():
    stamped, unstamped = (
        measure(run(road, SEED, 0.1, LIMITS, jitter=0.05, braking=True)) for road in (OURS, ON_ARRIVAL)
    )
    assert stamped.largest_jump < unstamped.largest_jump
    assert stamped.largest_brake_jump < unstamped.largest_brake_jump


def test_a_run_is_the_same_every_time():
    first, second = (run(OURS, SEED, 0.1, LIMITS) for _ in range(2))
    np.testing.assert_array_equal(first.positions, second.positions)


def test_averages_are_means_over_runs():
    runs = [made(straight(60, speed)) for speed in (1.0, 2.0)]
    found = averages(runs)
    assert (found['successes'], found['seconds'], found['refused']) == (2, 1.0, 0)


def test_the_report_the_table_and_the_chart_agree(tmp_path: Path):
    roads = ('one point, early', 'one point, ahead', OURS_EARLY, OURS)
    told: list[int] = []
    report = smoothness_report(1, SEED, delays=(0.1,), roads=roads, on_run=told.append)
    rows = {row['road']: row for row in report['rows']}
    ratios = report['peak_jerk_over_ours']
    expected = rows['one point, early']['peak_jerk'] / rows[OURS_EARLY]['peak_jerk']
    assert ratios['one point, early']['100'] == pytest.approx(expected, abs=1e-3)
    assert set(ratios) == {'one point, early', 'one point, ahead'}
    assert told == [1, 2, 3, 4]
    assert smoothness_table(report).row_count == 4
    draw_report(report, SEED, tmp_path / 'chart.png')
    assert (tmp_path / 'chart.png').read_bytes()[:4] == b'\x89PNG'
