"""When a stock joint_trajectory_controller gives a trajectory up, and holds the arm where it is measured.

Sources: ros2_controllers, joint_trajectory_controller/src/joint_trajectory_controller.cpp, ``update``, and
include/joint_trajectory_controller/tolerances.hpp, the same in humble 2.54.0, jazzy 4.42.1 and kilted 5.17.0 for
messages of the topic; upstream tests are those of test/test_trajectory_controller.cpp.
"""

from __future__ import annotations

import numpy as np
import pytest
from trajectory_cases import NOW, SECOND, controller, message, point, run

from vla_ros.sim.controller_settings import RELEASES, ControllerSettings

every_release = pytest.mark.parametrize('release', RELEASES.values(), ids=RELEASES)
PLAN = message(point(0.0, (0.0, 0.0)), point(1.0, (1.0, 1.0)))


@every_release
def test_given_an_arm_within_its_path_tolerance_it_goes_on(release: ControllerSettings):
    arm = controller(release, path_tolerance=0.2)
    arm.accept(PLAN, NOW)
    for tick in range(10):
        np.testing.assert_allclose(run(arm, tick / 10, np.full(2, tick / 10 - 0.19))[0], [tick / 10] * 2)
    assert not arm.is_holding


@every_release
def test_given_an_arm_that_strays_the_command_stays_and_then_the_measured_position_is_held(
    release: ControllerSettings,
):
    """Upstream test_state_tolerances_fail; for the topic: "Holding position due to state tolerance violation"."""
    arm = controller(release, path_tolerance=(0.2, 0.0))
    arm.accept(PLAN, NOW)
    run(arm, 0.0)
    run(arm, 0.4, np.array([0.3, 0.3]))
    np.testing.assert_allclose(run(arm, 0.5, np.array([0.25, 0.1]))[0], [0.4, 0.4])
    assert arm.is_holding
    np.testing.assert_allclose(run(arm, 0.6, np.array([0.26, 0.1]))[0], [0.25, 0.1])
    np.testing.assert_allclose(run(arm, 5.0, np.array([-1.0, -1.0]))[0], [0.25, 0.1])


@every_release
def test_given_that_it_holds_the_next_message_is_executed(release: ControllerSettings):
    """``topic_callback`` clears rt_is_holding_."""
    arm = controller(release, path_tolerance=0.2)
    arm.accept(PLAN, NOW)
    run(arm, 0.0)
    run(arm, 0.5, np.zeros(2))
    arm.accept(message(point(0.0, (0.0, 0.0)), point(1.0, (-1.0, -1.0))), NOW)
    np.testing.assert_allclose(run(arm, 1.0, np.zeros(2))[0], [0.0, 0.0])
    np.testing.assert_allclose(run(arm, 1.1, np.zeros(2))[0], [-0.1, -0.1])


@every_release
def test_given_a_tolerance_of_zero_nothing_is_checked(release: ControllerSettings):
    arm = controller(release)
    arm.accept(PLAN, NOW)
    run(arm, 0.0)
    np.testing.assert_allclose(run(arm, 0.5, np.full(2, -9.0))[0], [0.5, 0.5])


@every_release
@pytest.mark.parametrize(('goal_time', 'holds'), [(0.0, False), (0.3, True)])
def test_given_an_arm_that_does_not_arrive_it_is_given_up_after_goal_time_and_never_if_that_is_zero(
    release: ControllerSettings, goal_time: float, holds: bool
):
    """Upstream test_goal_tolerances_fail."""
    arm = controller(release, goal_tolerance=0.1, goal_time=goal_time)
    arm.accept(PLAN, NOW)
    run(arm, 0.0)
    short = np.array([0.8, 1.0])
    run(arm, 1.29, short)
    assert not arm.is_holding
    run(arm, 1.31, short)
    assert arm.is_holding is holds
    np.testing.assert_allclose(run(arm, 1.4, short)[0], short if holds else [1.0, 1.0])


@every_release
def test_given_an_arm_that_arrives_it_is_not_given_up(release: ControllerSettings):
    arm = controller(release, goal_tolerance=0.1, goal_time=0.3)
    arm.accept(PLAN, NOW)
    run(arm, 0.0)
    run(arm, 5.0, np.array([0.95, 1.05]))
    assert not arm.is_holding


@every_release
@pytest.mark.parametrize(
    ('timeout', 'goal_time', 'holds'), [(0.0, 0.0, False), (0.5, 0.2, True), (0.5, 0.5, False)]
)
def test_given_a_command_timeout_it_counts_from_the_last_point_and_must_be_longer_than_goal_time(
    release: ControllerSettings, timeout: float, goal_time: float, holds: bool
):
    """Upstream timeout, no_timeout and decline_false_cmd_timeout; the command of that update is still sent."""
    arm = controller(release, cmd_timeout=timeout, goal_time=goal_time)
    arm.accept(PLAN, NOW)
    run(arm, 0.0)
    droops = np.array([0.9, 0.9])
    run(arm, 1.49, droops)
    assert not arm.is_holding
    np.testing.assert_allclose(run(arm, 1.51, droops)[0], [1.0, 1.0])
    assert arm.is_holding is holds
    np.testing.assert_allclose(run(arm, 1.6, droops)[0], droops if holds else [1.0, 1.0])


@every_release
def test_given_a_goal_that_is_cancelled_the_measured_position_is_held(release: ControllerSettings):
    """``goal_cancelled_callback``, ``set_hold_position``; decelerate_on_cancel is off by default, and not on Humble."""
    arm = controller(release)
    arm.accept(PLAN, NOW)
    run(arm, 0.0)
    run(arm, 0.5)
    arm.cancel(np.array([0.42, 0.43]))
    np.testing.assert_allclose(run(arm, 0.51, np.array([0.44, 0.44]))[0], [0.42, 0.43])
    np.testing.assert_allclose(arm.sample(NOW + 9 * SECOND, np.zeros(2))[0], [0.42, 0.43])
