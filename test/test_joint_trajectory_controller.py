"""The simulated arm's controller does what a stock joint_trajectory_controller of Jazzy does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.action.spline import resample
from vla_ros.sim.joint_trajectory_controller import (
    JointTrajectoryController,
    RejectionReason,
    TrajectoryMessage,
    TrajectoryPoint,
    TrajectoryRejected,
)

JOINTS = ('shoulder', 'elbow')
SECOND = 1_000_000_000
NOW = 100 * SECOND
REST = np.zeros(2)


def controller(**settings: bool) -> JointTrajectoryController:
    """One whose command is for now, not for the next update, so that formulas stay short."""
    return JointTrajectoryController(JOINTS, update_period_ns=0, **settings)


def message(
    *points: TrajectoryPoint, stamp_ns: int = 0, names: tuple[str, ...] = JOINTS
) -> TrajectoryMessage:
    return TrajectoryMessage(stamp_ns, names, points)


def point(
    seconds: float,
    positions: tuple[float, ...],
    velocities: tuple[float, ...] = (),
    accelerations: tuple[float, ...] = (),
) -> TrajectoryPoint:
    return TrajectoryPoint(positions, velocities, accelerations, seconds)


def run(arm: JointTrajectoryController, seconds: float, measured: np.ndarray = REST) -> tuple:
    return arm.sample(NOW + round(seconds * SECOND), measured)


def test_given_no_trajectory_it_holds_where_it_was_switched_on():
    arm = controller()
    run(arm, 0.0, np.array([0.3, -0.2]))
    positions, velocities = run(arm, 1.0, np.array([0.5, 0.5]))
    np.testing.assert_array_equal(positions, [0.3, -0.2])
    np.testing.assert_array_equal(velocities, [0.0, 0.0])


def test_given_positions_only_it_moves_linearly_with_constant_velocity():
    arm = controller()
    arm.accept(message(point(2.0, (1.0, -1.0))), NOW)
    run(arm, 0.0)
    positions, velocities = run(arm, 0.5)
    np.testing.assert_allclose(positions, [0.25, -0.25], rtol=1e-12)
    np.testing.assert_allclose(velocities, [0.5, -0.5], rtol=1e-12)


def test_given_velocities_it_moves_on_a_cubic():
    """From rest to rest, 3 u^2 - 2 u^3."""
    arm = controller()
    arm.accept(message(point(2.0, (1.0, 1.0), (0.0, 0.0))), NOW)
    run(arm, 0.0)
    positions, velocities = run(arm, 0.5)
    np.testing.assert_allclose(positions, [3 / 16 - 2 / 64] * 2, rtol=1e-12)
    np.testing.assert_allclose(velocities, [(6 / 4 - 6 / 16) / 2] * 2, rtol=1e-12)


def test_given_accelerations_it_moves_on_a_quintic():
    """From rest to rest, 10 u^3 - 15 u^4 + 6 u^5."""
    arm = controller()
    arm.accept(message(point(2.0, (1.0, 1.0), (0.0, 0.0), (0.0, 0.0))), NOW)
    run(arm, 0.0)
    positions, velocities = run(arm, 0.5)
    u = 0.25
    np.testing.assert_allclose(positions, [10 * u**3 - 15 * u**4 + 6 * u**5] * 2, rtol=1e-12)
    np.testing.assert_allclose(velocities, [(30 * u**2 - 60 * u**3 + 30 * u**4) / 2] * 2, rtol=1e-12)


def test_given_points_of_different_detail_each_segment_uses_what_both_its_ends_have():
    arm = controller()
    arm.accept(
        message(
            point(1.0, (1.0, 1.0)),
            point(2.0, (2.0, 2.0), (0.0, 0.0)),
            point(3.0, (3.0, 3.0), (0.0, 0.0), (0.0, 0.0)),
        ),
        NOW,
    )
    run(arm, 0.0)
    np.testing.assert_allclose(run(arm, 1.5)[1], [1.0, 1.0])  # linear: constant velocity
    np.testing.assert_allclose(run(arm, 2.5)[1], [1.5, 1.5])  # cubic; a quintic would have 1.875


def test_given_measured_velocities_the_first_cubic_begins_with_them():
    arm = controller()
    arm.accept(message(point(1.0, (0.0, 0.0), (0.0, 0.0))), NOW)
    _, velocities = arm.sample(NOW, REST, np.array([0.7, -0.1]))
    np.testing.assert_allclose(velocities, [0.7, -0.1])


def test_given_the_end_is_past_it_holds_the_last_point():
    arm = controller()
    arm.accept(message(point(0.5, (1.0, 2.0), (0.0, 0.0))), NOW)
    run(arm, 0.0)
    positions, velocities = run(arm, 9.0)
    np.testing.assert_array_equal(positions, [1.0, 2.0])
    np.testing.assert_array_equal(velocities, [0.0, 0.0])


def test_given_a_moving_end_is_allowed_its_velocity_goes_on_while_the_position_holds():
    arm = controller(allow_nonzero_velocity_at_trajectory_end=True)
    arm.accept(message(point(0.5, (1.0, 2.0), (0.3, 0.0))), NOW)
    run(arm, 0.0)
    positions, velocities = run(arm, 9.0)
    np.testing.assert_array_equal(positions, [1.0, 2.0])
    np.testing.assert_array_equal(velocities, [0.3, 0.0])


def test_given_an_update_period_the_command_is_that_far_ahead():
    arm = JointTrajectoryController(JOINTS, update_period_ns=SECOND // 10)
    arm.accept(message(point(1.0, (1.0, 1.0))), NOW)
    np.testing.assert_allclose(run(arm, 0.0)[0], [0.1, 0.1])
    np.testing.assert_allclose(run(arm, 0.5)[0], [0.6, 0.6])


def test_given_a_new_trajectory_the_old_one_is_forgotten_and_the_measured_state_is_the_start():
    arm = controller()
    arm.accept(message(point(1.0, (1.0, 1.0)), point(2.0, (5.0, 5.0))), NOW)
    run(arm, 0.0)
    arm.accept(message(point(1.0, (0.0, 0.0))), NOW + SECOND // 2)
    lagging = np.array([0.4, 0.4])
    np.testing.assert_allclose(run(arm, 0.5, lagging)[0], lagging)
    np.testing.assert_allclose(run(arm, 1.0, lagging)[0], lagging / 2)
    np.testing.assert_allclose(run(arm, 3.0, lagging)[0], [0.0, 0.0])


def test_given_interpolate_from_desired_state_the_last_command_is_the_start():
    arm = controller(interpolate_from_desired_state=True)
    arm.accept(message(point(1.0, (1.0, 1.0))), NOW)
    run(arm, 0.0)
    run(arm, 0.5)
    arm.accept(message(point(0.5, (0.0, 0.0))), NOW + SECOND // 2)
    lagging = np.array([-9.0, -9.0])
    np.testing.assert_allclose(run(arm, 0.5, lagging)[0], [0.5, 0.5])
    np.testing.assert_allclose(run(arm, 0.75, lagging)[0], [0.25, 0.25])


def test_given_interpolate_from_desired_state_the_command_skips_ahead_by_one_period():
    """The command for now counts as the state one period ago; the next is two periods of the first segment on."""
    arm = JointTrajectoryController(
        JOINTS, interpolate_from_desired_state=True, update_period_ns=SECOND // 10
    )
    arm.accept(message(point(1.0, (1.0, 1.0))), NOW)
    run(arm, 0.0)
    run(arm, 0.4)  # commands 0.5
    arm.accept(message(point(0.5, (1.0, 1.0))), NOW)
    elapsed, duration = 2 * 0.1, 0.5 + 0.1
    np.testing.assert_allclose(run(arm, 0.5)[0], [0.5 + 0.5 * elapsed / duration] * 2)


@pytest.mark.parametrize('desired', [False, True])
def test_given_a_first_point_at_time_zero_the_plan_runs_as_it_is_wherever_the_arm_is(desired: bool):
    arm = JointTrajectoryController(JOINTS, interpolate_from_desired_state=desired)
    run(arm, 0.0, np.array([0.4, 0.4]))
    arm.accept(message(point(0.0, (0.5, 0.5)), point(1.0, (1.5, 1.5))), NOW)
    np.testing.assert_allclose(run(arm, 0.5, np.array([0.4, 0.4]))[0], [0.51, 0.51])


def test_given_a_stamp_in_the_future_the_old_trajectory_is_forgotten_all_the_same():
    """It interpolates at once from where the arm is to the first point."""
    arm = controller()
    arm.accept(message(point(10.0, (10.0, 10.0))), NOW)
    run(arm, 0.0)
    arm.accept(message(point(1.0, (0.0, 0.0)), stamp_ns=NOW + 2 * SECOND), NOW + SECOND)
    np.testing.assert_allclose(run(arm, 1.0, np.array([1.0, 1.0]))[0], [1.0, 1.0])
    np.testing.assert_allclose(run(arm, 2.0, np.array([1.0, 1.0]))[0], [0.5, 0.5])
    np.testing.assert_allclose(run(arm, 3.0, np.array([1.0, 1.0]))[0], [0.0, 0.0])


def test_given_a_stamp_in_the_past_the_steps_before_now_are_skipped():
    arm = controller()
    arm.accept(message(point(1.0, (1.0, 1.0)), point(3.0, (3.0, 3.0)), stamp_ns=NOW - 2 * SECOND), NOW)
    np.testing.assert_allclose(run(arm, 0.0)[0], [2.0, 2.0])


def test_given_joints_in_another_order_they_are_sorted_by_name():
    arm = controller()
    arm.accept(message(point(1.0, (1.0, 2.0)), names=('elbow', 'shoulder')), NOW)
    run(arm, 0.0)
    np.testing.assert_array_equal(run(arm, 1.0)[0], [2.0, 1.0])


def test_given_partial_goals_are_allowed_the_other_joints_keep_their_command():
    arm = controller(allow_partial_joints_goal=True)
    run(arm, 0.0, np.array([0.3, -0.2]))
    arm.accept(message(point(1.0, (1.0,)), names=('elbow',)), NOW)
    drooping = np.array([0.1, -0.4])
    run(arm, 0.0, drooping)
    np.testing.assert_allclose(run(arm, 1.0, drooping)[0], [0.3, 1.0])


def test_given_the_clock_goes_back_before_the_start_the_last_command_is_repeated():
    arm = controller()
    arm.accept(message(point(1.0, (1.0, 1.0))), NOW)
    run(arm, 0.0)
    run(arm, 0.5)
    np.testing.assert_allclose(run(arm, -5.0)[0], [0.5, 0.5])


GOOD = point(1.0, (1.0, 1.0), (0.0, 0.0))


@pytest.mark.parametrize(
    ('reason', 'refused'),
    [
        (RejectionReason.JOINT_COUNT, message(point(1.0, (1.0,)), names=('elbow',))),
        (RejectionReason.JOINT_COUNT, message(names=())),
        (RejectionReason.EMPTY, message()),
        (RejectionReason.UNKNOWN_JOINT, message(GOOD, names=('shoulder', 'knee'))),
        (RejectionReason.DUPLICATE_JOINT, message(GOOD, names=('elbow', 'elbow'))),
        (RejectionReason.NONZERO_END_VELOCITY, message(point(1.0, (1.0, 1.0), (0.0, 1e-6)))),
        (RejectionReason.ENDS_IN_THE_PAST, message(GOOD, stamp_ns=NOW - 2 * SECOND)),
        (RejectionReason.NOT_INCREASING, message(point(1.0, (1.0, 1.0)), point(1.0, (2.0, 2.0)))),
        (RejectionReason.NOT_INCREASING, message(point(1.0, (1.0, 1.0)), point(1.0 + 1e-10, (2.0, 2.0)))),
        (RejectionReason.NOT_INCREASING, message(point(2.0, (1.0, 1.0)), point(1.0, (2.0, 2.0)))),
        (RejectionReason.SIZE_MISMATCH, message(point(1.0, ()))),
        (RejectionReason.SIZE_MISMATCH, message(point(1.0, (1.0,)))),
        (RejectionReason.SIZE_MISMATCH, message(point(1.0, (1.0, 1.0), (0.0,)))),
        (RejectionReason.SIZE_MISMATCH, message(point(1.0, (1.0, 1.0), (0.0, 0.0), (0.0,)))),
        (RejectionReason.EFFORT, message(TrajectoryPoint((1.0, 1.0), (0.0, 0.0), effort=(0.0, 0.0)))),
        (RejectionReason.ACCELERATIONS_WITHOUT_VELOCITIES, message(point(1.0, (1.0, 1.0), (), (0.0, 0.0)))),
        (RejectionReason.NON_FINITE, message(point(1.0, (1.0, math.nan)))),
        (RejectionReason.NON_FINITE, message(point(1.0, (1.0, 1.0), (math.nan, 0.0)))),
        (RejectionReason.NON_FINITE, message(point(math.inf, (1.0, 1.0)))),
    ],
    ids=lambda value: value.value if isinstance(value, RejectionReason) else '',
)
def test_given_a_message_that_stock_or_sanity_refuses_it_goes_on_with_the_old_one(
    reason: RejectionReason, refused: TrajectoryMessage
):
    arm = controller()
    arm.accept(message(point(1.0, (1.0, 1.0))), NOW)
    run(arm, 0.0)
    with pytest.raises(TrajectoryRejected) as rejection:
        arm.accept(refused, NOW)
    assert rejection.value.reason is reason
    np.testing.assert_allclose(run(arm, 0.5)[0], [0.5, 0.5])


def test_given_partial_goals_are_allowed_a_message_without_names_is_still_refused():
    arm = controller(allow_partial_joints_goal=True)
    with pytest.raises(TrajectoryRejected) as rejection:
        arm.accept(message(point(1.0, ()), names=()), NOW)
    assert rejection.value.reason is RejectionReason.EMPTY_JOINT_NAMES


def test_given_a_stamped_trajectory_that_ends_just_now_it_is_accepted():
    arm = controller()
    arm.accept(message(GOOD, stamp_ns=NOW - SECOND), NOW)
    np.testing.assert_array_equal(run(arm, 0.0)[0], [1.0, 1.0])


states = st.lists(st.floats(-3, 3), min_size=6, max_size=6)


@settings(deadline=None)
@given(a=states, b=states, milliseconds=st.integers(5, 2000), fraction=st.floats(0, 0.999))
def test_the_planner_and_the_controller_mean_the_same_quintic(
    a: list[float], b: list[float], milliseconds: int, fraction: float
):
    ends = np.array([a, b]).reshape(2, 3, 2)
    arm = controller()
    first, last = (
        point(t, *map(tuple, end)) for t, end in zip((0.0, milliseconds / 1000), ends, strict=True)
    )
    arm.accept(message(first, last, point(5.0, (0.0, 0.0), (0.0, 0.0), (0.0, 0.0))), NOW)
    run(arm, 0.0)
    elapsed = round(fraction * milliseconds * 1_000_000)
    positions, velocities = arm.sample(NOW + elapsed, REST)
    exact = resample(ends, np.array([milliseconds / 1000]), [elapsed / milliseconds / 1_000_000])
    np.testing.assert_allclose(positions, exact[0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(velocities, exact[1, 0, 0], atol=1e-7)
