"""Which spline goes through the points of a trajectory, on every release.

Sources: ros2_controllers, joint_trajectory_controller/src/trajectory.cpp, ``interpolate_between_points`` and
``set_point_before_trajectory_msg``, humble 2.54.0, jazzy 4.42.1, kilted 5.17.0; doc/trajectory.rst of the same.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trajectory_cases import NOW, REST, controller, message, point, run

from vla_ros.action.spline import resample
from vla_ros.sim.controller_settings import RELEASES, ControllerSettings
from vla_ros.sim.sampled_trajectory import SampledTrajectory, State

every_release = pytest.mark.parametrize('release', RELEASES.values(), ids=RELEASES)


@every_release
def test_given_positions_only_it_moves_linearly_with_constant_velocity(release: ControllerSettings):
    arm = controller(release)
    arm.accept(message(point(2.0, (1.0, -1.0))), NOW)
    run(arm, 0.0)
    positions, velocities = run(arm, 0.5)
    np.testing.assert_allclose(positions, [0.25, -0.25], rtol=1e-12)
    np.testing.assert_allclose(velocities, [0.5, -0.5], rtol=1e-12)


@every_release
def test_given_velocities_it_moves_on_a_cubic(release: ControllerSettings):
    """From rest to rest, 3 u^2 - 2 u^3."""
    arm = controller(release)
    arm.accept(message(point(2.0, (1.0, 1.0), (0.0, 0.0))), NOW)
    run(arm, 0.0)
    positions, velocities = run(arm, 0.5)
    np.testing.assert_allclose(positions, [3 / 16 - 2 / 64] * 2, rtol=1e-12)
    np.testing.assert_allclose(velocities, [(6 / 4 - 6 / 16) / 2] * 2, rtol=1e-12)


@every_release
def test_given_accelerations_it_moves_on_a_quintic(release: ControllerSettings):
    """From rest to rest, 10 u^3 - 15 u^4 + 6 u^5."""
    arm = controller(release)
    arm.accept(message(point(2.0, (1.0, 1.0), (0.0, 0.0), (0.0, 0.0))), NOW)
    run(arm, 0.0)
    positions, velocities = run(arm, 0.5)
    u = 0.25
    np.testing.assert_allclose(positions, [10 * u**3 - 15 * u**4 + 6 * u**5] * 2, rtol=1e-12)
    np.testing.assert_allclose(velocities, [(30 * u**2 - 60 * u**3 + 30 * u**4) / 2] * 2, rtol=1e-12)


@every_release
def test_given_points_of_different_detail_each_segment_uses_what_both_its_ends_have(
    release: ControllerSettings,
):
    arm = controller(release)
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


@every_release
def test_given_measured_velocities_the_first_cubic_begins_with_them(release: ControllerSettings):
    arm = controller(release)
    arm.accept(message(point(1.0, (0.0, 0.0), (0.0, 0.0))), NOW)
    _, velocities = arm.sample(NOW, REST, np.array([0.7, -0.1]))
    np.testing.assert_allclose(velocities, [0.7, -0.1])


@every_release
def test_given_a_first_point_with_velocities_and_no_measured_ones_the_arm_counts_as_at_rest(
    release: ControllerSettings,
):
    """``set_point_before_trajectory_msg`` fills in zeros, or the first segment would be a straight line."""
    arm = controller(release)
    arm.accept(message(point(1.0, (1.0, 1.0), (0.0, 0.0))), NOW)
    _, velocities = run(arm, 0.0)
    np.testing.assert_array_equal(velocities, [0.0, 0.0])


def test_given_a_time_before_it_began_there_is_no_sample():
    trajectory = SampledTrajectory([State(REST)], [100])
    trajectory.begin(1000, State(REST), 1000)
    assert trajectory.sample(999) is None
    assert trajectory.sample(1000) is not None


def test_given_a_time_that_goes_back_a_segment_that_was_left_is_not_found_again():
    """``sample``: the search begins at last_sample_idx_, and what is not found counts as played out."""
    trajectory = SampledTrajectory([State(REST + i) for i in range(4)], [0, 10, 20, 30])
    trajectory.begin(1000, State(REST), 1000)
    forward, back = trajectory.sample(1015), trajectory.sample(1005)
    assert forward is not None and back is not None
    np.testing.assert_allclose(forward.state.positions, 1.5)
    assert not forward.is_over
    np.testing.assert_allclose(back.state.positions, 3.0)
    assert back.is_over


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
