"""Stitching: steps that are past are dropped, and the motion goes on from where it is planned to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.action.stitch import (
    ExecutingPlan,
    StitchSettings,
    planned_prefix,
    planned_state,
    stitch,
)
from vla_ros.types import ActionChunk, JointSample, JointTrajectory, VlaError

MS = 1_000_000
NOW = 5_000 * MS
AT_ONCE = StitchSettings(transport_lead=0.0)
RAMP = np.arange(1.0, 5.0)[:, None] * [1.0, -1.0]  # four steps of two joints


def chunk(age_ms: int) -> ActionChunk:
    return ActionChunk(NOW - age_ms * MS, 0.05, RAMP)


def measured(*positions: float, velocities: tuple[float, ...] = (0.0, 0.0)) -> JointSample:
    return JointSample(NOW, np.array(positions or (0.0, 0.0)), np.array(velocities))


def steady_plan(started: int = NOW - 1000 * MS) -> ExecutingPlan:
    """Two joints at 0.5 and -0.5 rad/s from 0 for 4 s."""
    times = np.array([0.0, 2.0, 4.0])
    speed = np.array([0.5, -0.5])
    still = np.zeros((3, 2))
    return ExecutingPlan(
        JointTrajectory(('a', 'b'), times, times[:, None] * speed, still + speed, still), started
    )


@pytest.mark.parametrize(
    ('age_ms', 'left', 'first_due'),
    [(0, 4, 0.05), (49, 4, 0.001), (50, 3, 0.05), (120, 2, 0.03), (200, 0, None), (9000, 0, None)],
)
def test_given_an_age_the_steps_that_are_due_by_now_are_dropped(
    age_ms: int, left: int, first_due: float | None
):
    stitched = stitch(chunk(age_ms), now=NOW, plan=None, measured=measured(), settings=AT_ONCE)
    np.testing.assert_array_equal(stitched.positions, RAMP[4 - left :])
    assert len(stitched.times) == left
    if first_due is not None:
        np.testing.assert_allclose(stitched.times, first_due + 0.05 * np.arange(left), atol=1e-12)


def test_given_a_transport_lead_everything_counts_from_when_the_controller_takes_over():
    settings = StitchSettings(transport_lead=0.03)
    stitched = stitch(chunk(40), now=NOW, plan=steady_plan(), measured=measured(0.5, -0.5), settings=settings)
    assert stitched.starts == NOW + 30 * MS
    np.testing.assert_allclose(stitched.times, [0.03, 0.08, 0.13])
    np.testing.assert_allclose(stitched.start.positions, [0.515, -0.515])


def test_given_a_plan_in_execution_the_start_is_its_state_and_not_the_lagging_arm():
    stitched = stitch(chunk(0), now=NOW, plan=steady_plan(), measured=measured(0.45, -0.45), settings=AT_ONCE)
    np.testing.assert_allclose(stitched.start.positions, [0.5, -0.5])
    np.testing.assert_allclose(stitched.start.velocities, [0.5, -0.5])
    np.testing.assert_allclose(stitched.start.accelerations, [0.0, 0.0], atol=1e-9)
    assert not stitched.from_measured.any()


def test_given_no_plan_the_start_is_the_measured_state():
    joints = measured(0.1, 0.2, velocities=(0.3, 0.0))
    stitched = stitch(chunk(0), now=NOW, plan=None, measured=joints)
    np.testing.assert_array_equal(stitched.start.positions, [0.1, 0.2])
    np.testing.assert_array_equal(stitched.start.velocities, [0.3, 0.0])
    np.testing.assert_array_equal(stitched.start.accelerations, [0.0, 0.0])
    assert stitched.from_measured.all()


def test_given_one_joint_is_far_from_its_plan_only_that_joint_starts_from_the_measurement():
    joints = measured(0.5, 0.0, velocities=(0.0, 0.1))
    stitched = stitch(chunk(0), now=NOW, plan=steady_plan(), measured=joints, settings=AT_ONCE)
    np.testing.assert_array_equal(stitched.from_measured, [False, True])
    np.testing.assert_allclose(stitched.start.positions, [0.5, 0.0])
    np.testing.assert_allclose(stitched.start.velocities, [0.5, 0.1])


def test_given_a_joint_far_from_an_accelerating_plan_it_does_not_take_over_the_acceleration():
    times = np.array([0.0, 2.0])
    ones = np.ones((2, 2))
    plan = ExecutingPlan(
        JointTrajectory(('a', 'b'), times, times[:, None] ** 2 / 2 * ones, times[:, None] * ones, ones),
        NOW - 1000 * MS,
    )
    stitched = stitch(chunk(0), now=NOW, plan=plan, measured=measured(0.5, 1.5), settings=AT_ONCE)
    np.testing.assert_allclose(stitched.start.accelerations, [1.0, 0.0])


def test_given_a_gripper_with_its_own_threshold_it_keeps_pressing_what_blocks_it():
    settings = StitchSettings(transport_lead=0.0, start_jump=(0.25, 2.0))
    joints = measured(0.5, 0.9)
    stitched = stitch(chunk(0), now=NOW, plan=steady_plan(), measured=joints, settings=settings)
    np.testing.assert_allclose(stitched.start.positions, [0.5, -0.5])


def test_given_an_old_measurement_it_is_compared_with_the_plan_of_its_own_time():
    """Half a second ago the arm was exactly on its plan; since then the plan moved on by 0.25 rad."""
    joints = JointSample(NOW - 500 * MS, np.array([0.25, -0.25]), np.zeros(2))
    settings = StitchSettings(start_jump=0.01)
    stitched = stitch(chunk(0), now=NOW, plan=steady_plan(), measured=joints, settings=settings)
    assert not stitched.from_measured.any()


def test_given_the_plan_is_over_the_start_is_its_end_at_rest():
    plan = steady_plan(started=NOW - 60_000 * MS)
    state = planned_state(plan, NOW)
    np.testing.assert_allclose(state.positions, [2.0, -2.0])
    np.testing.assert_array_equal(state.velocities, [0.0, 0.0])


def test_given_a_plan_its_prefix_continues_what_is_being_executed():
    rows = planned_prefix(steady_plan(), NOW, 0.05, 3)
    np.testing.assert_allclose(rows, [[0.525, -0.525], [0.55, -0.55], [0.575, -0.575]])
    assert planned_prefix(steady_plan(), NOW, 0.05, 0).shape == (0, 2)


def test_given_other_numbers_of_joints_it_says_so():
    with pytest.raises(VlaError, match='action chunk'):
        stitch(chunk(0), now=NOW, plan=None, measured=JointSample(NOW, np.zeros(3), np.zeros(3)))
    with pytest.raises(VlaError, match='start_jump'):
        stitch(
            chunk(0), now=NOW, plan=None, measured=measured(), settings=StitchSettings(start_jump=(1.0,) * 3)
        )


@settings(deadline=None)
@given(age_ms=st.integers(-300, 400), lead_ms=st.integers(0, 60))
def test_given_any_age_and_lead_what_is_left_is_due_after_the_start_at_its_own_time(
    age_ms: int, lead_ms: int
):
    settings = StitchSettings(transport_lead=lead_ms / 1000)
    aged = chunk(age_ms)
    stitched = stitch(aged, now=NOW, plan=None, measured=measured(), settings=settings)
    assert (stitched.times > 0).all()
    due = aged.stamp + (np.arange(4) + 1) * 50 * MS
    kept = due > stitched.starts
    np.testing.assert_array_equal(stitched.positions, RAMP[kept])
    np.testing.assert_allclose(stitched.times * 1e9, due[kept] - stitched.starts, atol=1)
