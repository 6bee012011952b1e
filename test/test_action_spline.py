"""The quintic through complete points: exact for constant jerk, bounded for any other."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.action.spline import (
    ACCELERATION_SHIFT,
    POSITION_SHIFT,
    PROJECTION_GAIN,
    VELOCITY_SHIFT,
    resample,
    state_at,
)

numbers = st.floats(-5, 5)
FRACTIONS = np.linspace(0, 1, 41)


@settings(deadline=None)
@given(p=numbers, v=numbers, a=numbers, jerk=numbers, duration=st.floats(0.01, 3))
def test_given_constant_jerk_between_points_the_motion_is_reproduced(
    p: float, v: float, a: float, jerk: float, duration: float
):
    t = duration * FRACTIONS
    exact = np.stack([p + v * t + a * t**2 / 2 + jerk * t**3 / 6, v + a * t + jerk * t**2 / 2, a + jerk * t])
    states = exact[:, [0, -1]].T[:, :, None]
    executed = resample(states, np.array([duration]), FRACTIONS)[:, 0, :, 0]
    np.testing.assert_allclose(executed[:3], exact, atol=1e-8)
    np.testing.assert_allclose(executed[3], jerk, atol=1e-6 / duration**3)


@settings(deadline=None)
@given(
    switches=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    first=st.sampled_from([-1.0, 1.0]),
    duration=st.floats(0.02, 1),
)
def test_given_jerk_that_switches_between_points_the_stated_bounds_hold(
    switches: list[float], first: float, duration: float
):
    """A motion of jerk +-1 that switches inside of a segment, against the quintic through its ends."""
    corners = np.unique(np.concatenate([[0.0], sorted(switches), FRACTIONS, [1.0]])) * duration
    signs = first * (-1.0) ** np.searchsorted(np.sort(switches) * duration, (corners[:-1] + corners[1:]) / 2)
    exact = [np.zeros(3)]
    for step, jerk in zip(np.diff(corners), signs, strict=True):
        p, v, a = exact[-1]
        exact.append(
            np.array(
                [
                    p + v * step + a * step**2 / 2 + jerk * step**3 / 6,
                    v + a * step + jerk * step**2 / 2,
                    a + jerk * step,
                ]
            )
        )
    motion = np.array(exact)
    states = motion[[0, -1]][:, :, None]
    executed = resample(states, np.array([duration]), corners / duration)[:, 0, :, 0]
    shift = np.abs(executed[:3] - motion.T).max(axis=1)
    assert np.abs(executed[3]).max() <= PROJECTION_GAIN
    assert shift[0] <= POSITION_SHIFT * duration**3
    assert shift[1] <= VELOCITY_SHIFT * duration**2
    assert shift[2] <= ACCELERATION_SHIFT * duration + 1e-12


def test_given_several_segments_each_is_evaluated_between_its_own_ends():
    """Rest to rest over 1 rad in 2 s, then back in 1 s: half-way speeds are 15/8 of the mean."""
    states = np.zeros((3, 3, 1))
    states[1, 0] = 1.0
    executed = resample(states, np.array([2.0, 1.0]), (0.5,))
    np.testing.assert_allclose(executed[0, :, 0, 0], [0.5, 0.5])
    np.testing.assert_allclose(executed[1, :, 0, 0], [15 / 16, -15 / 8])


def test_given_a_time_outside_it_is_the_first_state_or_rest_at_the_last():
    states = np.array([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    times = np.array([0.0, 1.0])
    np.testing.assert_array_equal(state_at(states, times, -1.0), states[0])
    np.testing.assert_array_equal(state_at(states, times, 2.0), [[4.0], [0.0], [0.0]])


@settings(deadline=None)
@given(seconds=st.floats(0.001, 2.999))
def test_given_a_time_inside_it_is_the_state_of_the_spline(seconds: float):
    states = np.random.default_rng(0).normal(size=(4, 3, 2))
    times = np.arange(4.0)
    i = int(seconds)
    expected = resample(states, np.diff(times), [seconds - i])[:3, i, 0]
    np.testing.assert_allclose(state_at(states, times, seconds), expected, atol=1e-12)
