"""The simulated arm's controller does what a stock joint_trajectory_controller does, release by release.

Sources: ros2_controllers, joint_trajectory_controller/src/joint_trajectory_controller.cpp if no other file is named,
humble 2.54.0, jazzy 4.42.1, kilted 5.17.0; upstream tests are those of test/test_trajectory_controller.cpp. What is
refused is in test_trajectory_message.py, which spline in test_sampled_trajectory.py, when it gives up in
test_controller_hold.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from trajectory_cases import JOINTS, NOW, SECOND, controller, message, point, run

from vla_ros.sim.controller_settings import HUMBLE, JAZZY, KILTED, RELEASES, ControllerSettings
from vla_ros.sim.joint_trajectory_controller import JointTrajectoryController

every_release = pytest.mark.parametrize('release', RELEASES.values(), ids=RELEASES)


@every_release
def test_given_no_trajectory_it_holds_where_it_was_switched_on(release: ControllerSettings):
    """``on_activate``; upstream hold_on_startup."""
    arm = controller(release)
    run(arm, 0.0, np.array([0.3, -0.2]))
    positions, velocities = run(arm, 1.0, np.array([0.5, 0.5]))
    np.testing.assert_array_equal(positions, [0.3, -0.2])
    np.testing.assert_array_equal(velocities, [0.0, 0.0])


@every_release
def test_given_the_end_is_past_it_holds_the_last_point(release: ControllerSettings):
    """src/trajectory.cpp, ``sample``: whole animation has played out."""
    arm = controller(release)
    arm.accept(message(point(0.5, (1.0, 2.0), (0.0, 0.0))), NOW)
    run(arm, 0.0)
    positions, velocities = run(arm, 9.0)
    np.testing.assert_array_equal(positions, [1.0, 2.0])
    np.testing.assert_array_equal(velocities, [0.0, 0.0])


@every_release
def test_given_a_moving_end_is_allowed_its_velocity_goes_on_while_the_position_holds(
    release: ControllerSettings,
):
    arm = controller(release, allow_nonzero_velocity_at_trajectory_end=True)
    arm.accept(message(point(0.5, (1.0, 2.0), (0.3, 0.0))), NOW)
    run(arm, 0.0)
    positions, velocities = run(arm, 9.0)
    np.testing.assert_array_equal(positions, [1.0, 2.0])
    np.testing.assert_array_equal(velocities, [0.3, 0.0])


@pytest.mark.parametrize(('release', 'ahead'), [(HUMBLE, 0.0), (JAZZY, 0.1), (KILTED, 0.1)])
def test_given_an_update_period_the_command_is_that_far_ahead_since_jazzy(
    release: ControllerSettings, ahead: float
):
    """``update``: Humble samples at ``time``, later ones ``command_next_`` at ``traj_time_ + update_period_``."""
    arm = JointTrajectoryController(JOINTS, release, update_period_ns=SECOND // 10)
    arm.accept(message(point(1.0, (1.0, 1.0))), NOW)
    np.testing.assert_allclose(run(arm, 0.0)[0], [ahead] * 2)
    np.testing.assert_allclose(run(arm, 0.5)[0], [0.5 + ahead] * 2)


@every_release
def test_given_a_new_trajectory_the_old_one_is_forgotten_and_the_measured_state_is_the_start(
    release: ControllerSettings,
):
    """doc/trajectory.rst, Trajectory Replacement; upstream test_trajectory_replace."""
    arm = controller(release)
    arm.accept(message(point(1.0, (1.0, 1.0)), point(2.0, (5.0, 5.0))), NOW)
    run(arm, 0.0)
    arm.accept(message(point(1.0, (0.0, 0.0))), NOW + SECOND // 2)
    lagging = np.array([0.4, 0.4])
    np.testing.assert_allclose(run(arm, 0.5, lagging)[0], lagging)
    np.testing.assert_allclose(run(arm, 1.0, lagging)[0], lagging / 2)
    np.testing.assert_allclose(run(arm, 3.0, lagging)[0], [0.0, 0.0])


@every_release
def test_given_interpolate_from_desired_state_the_last_command_is_the_start(release: ControllerSettings):
    """``update``; open_loop_control on Humble, both names on Jazzy."""
    arm = controller(release, interpolate_from_desired_state=True)
    arm.accept(message(point(1.0, (1.0, 1.0))), NOW)
    run(arm, 0.0)
    run(arm, 0.5)
    arm.accept(message(point(0.5, (0.0, 0.0))), NOW + SECOND // 2)
    lagging = np.array([-9.0, -9.0])
    np.testing.assert_allclose(run(arm, 0.5, lagging)[0], [0.5, 0.5])
    np.testing.assert_allclose(run(arm, 0.75, lagging)[0], [0.25, 0.25])


@pytest.mark.parametrize('release', [JAZZY, KILTED], ids=['jazzy', 'kilted'])
def test_given_interpolate_from_desired_state_the_command_skips_ahead_by_one_period_since_jazzy(
    release: ControllerSettings,
):
    # The command for now counts as the state one period ago (``last_commanded_time_``); the next is two periods of the
    # first segment on.
    arm = JointTrajectoryController(
        JOINTS, replace(release, interpolate_from_desired_state=True), update_period_ns=SECOND // 10
    )
    arm.accept(message(point(1.0, (1.0, 1.0))), NOW)
    run(arm, 0.0)
    run(arm, 0.4)  # commands 0.5
    arm.accept(message(point(0.5, (1.0, 1.0))), NOW)
    elapsed, duration = 2 * 0.1, 0.5 + 0.1
    np.testing.assert_allclose(run(arm, 0.5)[0], [0.5 + 0.5 * elapsed / duration] * 2)


def test_given_open_loop_control_on_humble_the_last_command_counts_as_the_state_of_now():
    """``update``: set_point_before_trajectory_msg(time, last_commanded_state_, ...)."""
    arm = JointTrajectoryController(
        JOINTS, replace(HUMBLE, interpolate_from_desired_state=True), update_period_ns=SECOND // 10
    )
    arm.accept(message(point(1.0, (1.0, 1.0))), NOW)
    run(arm, 0.0)
    run(arm, 0.4)  # commands 0.4
    arm.accept(message(point(0.5, (1.0, 1.0))), NOW)
    np.testing.assert_allclose(run(arm, 0.5)[0], [0.4] * 2)
    np.testing.assert_allclose(run(arm, 0.6)[0], [0.4 + 0.6 / 5] * 2)


@pytest.mark.parametrize('desired', [False, True])
@every_release
def test_given_a_first_point_that_is_due_the_plan_runs_as_it_is_wherever_the_arm_is(
    release: ControllerSettings, desired: bool
):
    """doc/trajectory.rst: "there is no interpolation from the initial point to the trajectory"."""
    arm = controller(release, interpolate_from_desired_state=desired)
    run(arm, 0.0, np.array([0.4, 0.4]))
    arm.accept(message(point(0.0, (0.5, 0.5)), point(1.0, (1.5, 1.5))), NOW)
    np.testing.assert_allclose(run(arm, 0.5, np.array([0.4, 0.4]))[0], [0.5, 0.5])
    np.testing.assert_allclose(run(arm, 0.6, np.array([0.4, 0.4]))[0], [0.6, 0.6])


@every_release
def test_given_a_stamp_in_the_future_the_old_trajectory_is_forgotten_all_the_same(
    release: ControllerSettings,
):
    # It interpolates at once from where the arm is to the first point; upstream disabled the test of something else
    # (test_execute_partial_traj_in_future).
    arm = controller(release)
    arm.accept(message(point(10.0, (10.0, 10.0))), NOW)
    run(arm, 0.0)
    arm.accept(message(point(1.0, (0.0, 0.0)), stamp_ns=NOW + 2 * SECOND), NOW + SECOND)
    np.testing.assert_allclose(run(arm, 1.0, np.array([1.0, 1.0]))[0], [1.0, 1.0])
    np.testing.assert_allclose(run(arm, 2.0, np.array([1.0, 1.0]))[0], [0.5, 0.5])
    np.testing.assert_allclose(run(arm, 3.0, np.array([1.0, 1.0]))[0], [0.0, 0.0])


@every_release
def test_given_a_stamp_in_the_past_the_steps_before_now_are_skipped(release: ControllerSettings):
    """Upstream test_ignore_partial_old_trajectory."""
    arm = controller(release)
    arm.accept(message(point(1.0, (1.0, 1.0)), point(3.0, (3.0, 3.0)), stamp_ns=NOW - 2 * SECOND), NOW)
    np.testing.assert_allclose(run(arm, 0.0)[0], [2.0, 2.0])


@every_release
def test_given_joints_in_another_order_they_are_sorted_by_name(release: ControllerSettings):
    """``sort_to_local_joint_order``; upstream test_jumbled_joint_order."""
    arm = controller(release)
    arm.accept(message(point(1.0, (1.0, 2.0)), names=('elbow', 'shoulder')), NOW)
    run(arm, 0.0)
    np.testing.assert_array_equal(run(arm, 1.0)[0], [2.0, 1.0])


@every_release
def test_given_partial_goals_are_allowed_the_other_joints_keep_their_command(release: ControllerSettings):
    """``fill_partial_goal``; upstream test_partial_joint_list."""
    arm = controller(release, allow_partial_joints_goal=True)
    run(arm, 0.0, np.array([0.3, -0.2]))
    arm.accept(message(point(1.0, (1.0,)), names=('elbow',)), NOW)
    drooping = np.array([0.1, -0.4])
    run(arm, 0.0, drooping)
    np.testing.assert_allclose(run(arm, 1.0, drooping)[0], [0.3, 1.0])


@every_release
def test_given_a_clock_that_goes_back_before_the_start_the_last_command_is_repeated(
    release: ControllerSettings,
):
    """src/trajectory.cpp, ``sample``: sampling before the current point."""
    arm = controller(release)
    arm.accept(message(point(1.0, (1.0, 1.0))), NOW)
    run(arm, 0.0)
    run(arm, 0.5)
    np.testing.assert_allclose(run(arm, -5.0)[0], [0.5, 0.5])


@pytest.mark.parametrize(('release', 'expected'), [(HUMBLE, 3.0), (JAZZY, 1.6), (KILTED, 1.6)])
@pytest.mark.parametrize('step', [-1.2, 1.5])
def test_given_a_clock_that_jumps_a_trajectory_that_has_begun_goes_on_since_jazzy(
    release: ControllerSettings, expected: float, step: float
):
    """``update``: ``traj_time_ += period``. Humble samples at the clock, and what is before its segment is the end."""
    arm = controller(release)
    arm.accept(message(*(point(i, (i, i)) for i in range(4))), NOW)
    for tick in range(16):
        run(arm, tick / 10)
    positions, _ = arm.sample(NOW + round((1.6 + step) * SECOND), np.zeros(2), period_ns=SECOND // 10)
    np.testing.assert_allclose(positions, [expected] * 2, rtol=1e-12)
