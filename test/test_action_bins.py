"""Actions in bins: half a bin of error inside of the range, the last bin outside, and nothing silent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vla_ros.action.bins import LEAST_SPAN, Bins, bins_in, bins_of
from vla_ros.manifest import ActionTokensSpec
from vla_ros.types import VlaError

ends = st.tuples(st.floats(-3, 3), st.floats(0.02, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def bins(*pairs: tuple[float, float], count: int = 256) -> Bins:
    low, high = np.array(pairs).T
    return Bins(low, high, count)


@given(ends, arrays(float, 50, elements=st.floats(0, 1)))
def test_given_an_action_inside_when_decoded_then_it_is_half_a_bin_off_at_most(
    pair: tuple[float, float], shares: np.ndarray
) -> None:
    made = bins(pair)
    actions = (pair[0] + shares * (pair[1] - pair[0])).clip(*pair)[:, None]
    encoded = made.encode(actions)
    assert not encoded.clipped.any()
    error = np.abs(made.decode(encoded.bins) - actions)
    assert (error <= made.width / 2 + 1e-12).all()


@given(ends, st.floats(1e-6, 100), st.booleans())
def test_given_an_action_outside_when_encoded_then_it_is_in_the_last_bin_and_said_to_be_clipped(
    pair: tuple[float, float], beyond: float, above: bool
) -> None:
    made = bins(pair)
    action = pair[1] + beyond if above else pair[0] - beyond
    encoded = made.encode(np.array([[action]]))
    assert encoded.bins.tolist() == [[255 if above else 0]]
    assert encoded.clipped.all()


@given(ends, st.integers(0, 255))
def test_every_bin_is_its_own(pair: tuple[float, float], number: int) -> None:
    made = bins(pair)
    middle = made.decode(np.array([[number]]))
    assert middle == pytest.approx(pair[0] + (number + 0.5) * (pair[1] - pair[0]) / 256)
    assert made.encode(middle).bins.tolist() == [[number]]


def test_the_range_is_that_of_the_middle_98_percent_joint_by_joint() -> None:
    actions = np.stack([np.linspace(0, 1, 1001), np.linspace(-5, 5, 1001)], 1)
    actions[0] = -1e3  # one odd action makes no bin wide
    made = bins_of(actions)
    np.testing.assert_allclose(made.low, [0.01, -4.9], atol=2e-3)
    np.testing.assert_allclose(made.high, [0.99, 4.9], atol=2e-3)


def test_a_joint_that_never_moves_has_bins_around_where_it_is() -> None:
    made = bins_of(np.full((10, 1), 0.3))
    assert made.high - made.low == pytest.approx(LEAST_SPAN)
    assert made.decode(made.encode(np.array([[0.3]])).bins) == pytest.approx(0.3, abs=LEAST_SPAN / 256)


@pytest.mark.parametrize('action', [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(action: float) -> None:
    with pytest.raises(VlaError, match='expected finite numbers'):
        bins((0, 1)).encode(np.array([[action]]))


@pytest.mark.parametrize('number', [-1, 256])
def test_a_bin_that_there_is_not_is_refused(number: int) -> None:
    with pytest.raises(VlaError, match=r'expected 0 to 255, found'):
        bins((0, 1)).decode(np.array([[number]]))


def test_another_number_of_joints_is_refused() -> None:
    with pytest.raises(VlaError, match=r'actions: expected shape \(4, 2\), found \(4, 3\)'):
        bins((0, 1), (0, 1)).encode(np.zeros((4, 3)))


def test_the_bins_of_a_manifest_are_those_that_it_names() -> None:
    chunk = {'horizon': 8, 'dt': 0.1, 'representation': 'relative', 'prefix': 3}
    spec = ActionTokensSpec.model_validate(
        {'bins': 4, 'low': [0.0], 'high': [1.0], 'first': 9, 'chunk': chunk}
    )
    assert bins_in(spec).decode(np.array([[0], [3]])).ravel().tolist() == [0.125, 0.875]
