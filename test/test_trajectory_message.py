"""What every release of a joint_trajectory_controller refuses, and what only some do.

Sources: ros2_controllers, joint_trajectory_controller/src/joint_trajectory_controller.cpp, ``validate_trajectory_msg``,
humble 2.54.0, jazzy 4.42.1, kilted 5.17.0; test/test_trajectory_controller.cpp, ``invalid_message``.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from trajectory_cases import NOW, SECOND, controller, message, point, run

from vla_ros.sim.controller_settings import HUMBLE, JAZZY, KILTED, RELEASES, ControllerSettings
from vla_ros.sim.trajectory_message import (
    RejectionReason,
    TrajectoryMessage,
    TrajectoryPoint,
    TrajectoryRejected,
)

every_release = pytest.mark.parametrize('release', RELEASES.values(), ids=RELEASES)


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
@every_release
def test_given_a_message_that_stock_or_sanity_refuses_it_goes_on_with_the_old_one(
    release: ControllerSettings, reason: RejectionReason, refused: TrajectoryMessage
):
    """Duplicate names, non-finite numbers and accelerations without velocities are ours: stock does not look."""
    arm = controller(release, allow_nonzero_velocity_at_trajectory_end=False)
    arm.accept(message(point(1.0, (1.0, 1.0))), NOW)
    run(arm, 0.0)
    with pytest.raises(TrajectoryRejected) as rejection:
        arm.accept(refused, NOW)
    assert rejection.value.reason is reason
    np.testing.assert_allclose(run(arm, 0.5)[0], [0.5, 0.5])


@pytest.mark.parametrize(('release', 'refuses'), [(HUMBLE, False), (JAZZY, True), (KILTED, True)])
def test_given_the_defaults_of_a_release_a_message_that_does_not_end_at_rest(
    release: ControllerSettings, refuses: bool
):
    """joint_trajectory_controller_parameters.yaml: allow_nonzero_velocity_at_trajectory_end is true on Humble only."""
    arm, moving = controller(release), message(point(1.0, (1.0, 1.0), (0.0, 0.3)))
    if refuses:
        with pytest.raises(TrajectoryRejected) as rejection:
            arm.accept(moving, NOW)
        assert rejection.value.reason is RejectionReason.NONZERO_END_VELOCITY
    else:
        arm.accept(moving, NOW)


@every_release
def test_given_an_end_velocity_of_rounding_it_is_rest(release: ControllerSettings):
    """``std::numeric_limits<float>::epsilon()``."""
    arm = controller(release, allow_nonzero_velocity_at_trajectory_end=False)
    arm.accept(message(point(1.0, (1.0, 1.0), (0.0, 1.1e-7))), NOW)


@every_release
def test_given_partial_goals_are_allowed_a_message_without_names_is_still_refused(
    release: ControllerSettings,
):
    arm = controller(release, allow_partial_joints_goal=True)
    with pytest.raises(TrajectoryRejected) as rejection:
        arm.accept(message(point(1.0, ()), names=()), NOW)
    assert rejection.value.reason is RejectionReason.EMPTY_JOINT_NAMES


@every_release
def test_given_a_stamped_trajectory_that_ends_just_now_it_is_accepted(release: ControllerSettings):
    """It is refused only if ``trajectory_end_time < now``; upstream test_ignore_old_trajectory."""
    arm = controller(release)
    arm.accept(message(GOOD, stamp_ns=NOW - SECOND), NOW)
    np.testing.assert_array_equal(run(arm, 0.0)[0], [1.0, 1.0])
