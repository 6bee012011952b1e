"""A stamped plan means the same whenever it comes, and is due whatever the controller's clock shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.action.stamped import outlasting, stamped
from vla_ros.action.stitch import ExecutingPlan, planned_state
from vla_ros.types import NANOSECONDS, DoubleArray, JointTrajectory

MS = 1_000_000
NOW = 1_000 * NANOSECONDS
JERK = np.array([2.0, -3.0])


def motion(first: float, seconds: float, dt: float = 0.05) -> JointTrajectory:
    """From ``first`` (s) on along JERK t^3 / 6, which the spline through its points is, too."""
    times = np.arange(round(seconds / dt) + 1) * dt
    t = (first + times)[:, None]
    return JointTrajectory(('pan', 'lift'), times, JERK * t**3 / 6, JERK * t**2 / 2, JERK * t)


def places(plan: ExecutingPlan, begin: int, end: int) -> DoubleArray:
    moments = np.linspace(begin, end, 50).astype(np.int64)
    return np.array([planned_state(plan, int(at)).positions for at in moments])


BEFORE = ExecutingPlan(motion(0.0, 1.0), NOW)
AFTER = ExecutingPlan(motion(0.31, 1.0), NOW + 310 * MS)


def test_the_message_says_when_it_begins_only_if_it_is_stamped():
    assert AFTER.stamp == 0
    assert stamped(AFTER, None, AFTER.started).stamp == AFTER.started


def test_at_the_beginning_of_simulated_time_the_stamp_still_does_not_say_on_arrival():
    assert stamped(replace(AFTER, started=10 * MS), None, 0).stamp == 1


@given(age=st.integers(0, 310))
def test_it_is_the_plan_before_from_since_on_and_then_the_new_one(age: int):
    since = AFTER.started - age * MS
    plan = stamped(AFTER, BEFORE, since)
    assert plan.started == plan.stamp == since
    assert plan.lead_in == age * MS
    assert plan.trajectory.times[0] == 0
    assert (np.diff(np.round(plan.trajectory.times * NANOSECONDS)) > 0).all()
    np.testing.assert_allclose(
        places(plan, since, AFTER.started), places(BEFORE, since, AFTER.started), atol=1e-12
    )
    end = AFTER.started + NANOSECONDS
    np.testing.assert_allclose(
        places(plan, AFTER.started, end), places(AFTER, AFTER.started, end), atol=1e-12
    )


def test_it_does_not_go_further_back_than_the_plan_before():
    assert stamped(AFTER, BEFORE, NOW - NANOSECONDS).started == NOW


def test_the_lead_in_of_the_plan_before_counts_as_that_plan():
    first = stamped(replace(AFTER, trajectory=motion(0.31, 1.0)), BEFORE, NOW + 200 * MS)
    second = ExecutingPlan(motion(0.33, 1.0), NOW + 330 * MS)
    plan = stamped(second, first, NOW + 205 * MS)
    assert plan.started == NOW + 205 * MS
    np.testing.assert_allclose(
        places(plan, plan.started, second.started), places(BEFORE, plan.started, second.started), atol=1e-12
    )


def test_joints_that_do_not_go_on_from_it_come_to_their_start_at_constant_velocity():
    """They were measured somewhere else: there is no plan for how they got there."""
    moved = motion(0.31, 1.0)
    moved.positions[:, 1] += 0.4
    plan = stamped(replace(AFTER, trajectory=moved), BEFORE, AFTER.started - 20 * MS)
    at = AFTER.started - 10 * MS
    state = planned_state(plan, at)
    assert state.positions[0] == pytest.approx(planned_state(BEFORE, at).positions[0], abs=1e-12)
    straight = moved.positions[0, 1] - 0.01 * moved.velocities[0, 1]
    assert state.positions[1] == pytest.approx(straight, abs=1e-4)


def test_without_a_plan_before_all_of_them_do():
    plan = stamped(AFTER, None, AFTER.started - 20 * MS)
    np.testing.assert_allclose(
        plan.trajectory.positions[0], AFTER.trajectory.positions[0] - 0.02 * AFTER.trajectory.velocities[0]
    )


@pytest.mark.parametrize('ahead', [0, 30 * MS])
def test_by_a_clock_that_is_ahead_the_plan_begins_as_it_is(ahead: int):
    plan = stamped(AFTER, BEFORE, AFTER.started + ahead)
    assert plan.stamp == AFTER.started
    assert plan.trajectory is AFTER.trajectory


def test_a_brake_holds_until_the_plan_before_would_be_over():
    """A controller that gets it later than that refuses it, and has nothing left to go on with."""
    brake = stamped(replace(AFTER, trajectory=motion(0.31, 0.2)), BEFORE, NOW + 300 * MS)
    held = outlasting(brake, BEFORE)
    assert held.ends == BEFORE.ends
    assert held.hold == BEFORE.ends - brake.ends
    np.testing.assert_array_equal(held.trajectory.positions[-1], held.trajectory.positions[-2])
    assert not held.trajectory.velocities[-1].any()
    assert not held.trajectory.accelerations[-1].any()
    assert outlasting(brake, replace(BEFORE, started=BEFORE.started - NANOSECONDS)) is brake
