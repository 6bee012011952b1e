"""OpenVLA's bins by their formula: bin i of 255 is from -1 + 2 i / 255 to -1 + 2 (i + 1) / 255."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.action.openvla_tokens import Bounds, normalised_of, tokens_of, unnormalised, words_of
from vla_ros.types import VlaError

WORDS = 32_000  # of Llama 2


def test_all_256_words_have_the_middle_of_their_bin_and_the_last_two_share_one() -> None:
    ids = np.arange(WORDS - 1, WORDS - 257, -1)
    middles = -1 + (2 * np.arange(255) + 1) / 255
    np.testing.assert_allclose(normalised_of(ids, WORDS), [*middles, middles[-1]], atol=1e-12)


@pytest.mark.parametrize(
    ('number', 'token'),
    [(-1.0, 31_999), (-5.0, 31_999), (1.0, 31_744), (5.0, 31_744), (0.9999, 31_745), (0.0, 31_872)],
)
def test_both_ends_and_the_middle_have_the_words_that_openvla_gives_them(number: float, token: int) -> None:
    assert tokens_of(np.array([number]), WORDS) == [token]


@given(st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=7))
def test_there_and_back_is_at_most_half_a_bin_away(numbers: list[float]) -> None:
    back = normalised_of(tokens_of(np.array(numbers), WORDS), WORDS)
    assert np.abs(back - numbers).max() <= 1 / 255 + 1e-12


@given(st.integers(31_745, 31_999))
def test_every_bin_but_the_last_edge_is_its_own_word_again(token: int) -> None:
    assert tokens_of(normalised_of([token], WORDS), WORDS) == [token]


def test_numbers_of_the_data_lie_between_their_percentiles_and_a_gripper_is_left_alone() -> None:
    bounds = Bounds(low=(-0.5, 2.0, 0.0), high=(1.5, 4.0, 1.0), mask=(True, True, False))
    np.testing.assert_allclose(unnormalised(np.array([-1.0, 1.0, 0.25]), bounds), [-0.5, 4.0, 0.25])
    np.testing.assert_allclose(unnormalised(np.array([0.0, 0.0, 1.0]), bounds), [0.5, 3.0, 1.0])


def test_a_padded_table_has_fewer_words_than_rows() -> None:
    assert words_of(32_064, 64) == WORDS
    with pytest.raises(VlaError, match='at least 256 words'):
        words_of(300, 64)


@pytest.mark.parametrize('ids', [[31_743], [32_000], [31_800, 12], [31_800.0]])
def test_a_word_that_is_no_action_is_refused(ids: list[int]) -> None:
    with pytest.raises(VlaError, match='31744 to 31999'):
        normalised_of(ids, WORDS)


def test_nan_has_no_word() -> None:
    with pytest.raises(VlaError, match='NaN'):
        tokens_of(np.array([0.0, np.nan]), WORDS)


@pytest.mark.parametrize(
    ('low', 'high', 'mask'),
    [
        ((0.0,), (1.0, 2.0), (True,)),
        ((), (), ()),
        ((1.0,), (0.0,), (True,)),
        ((float('nan'),), (0.0,), (True,)),
    ],
)
def test_bounds_that_are_none_are_refused(
    low: tuple[float, ...], high: tuple[float, ...], mask: tuple[bool, ...]
) -> None:
    with pytest.raises(VlaError, match='q01'):
        Bounds(low, high, mask)
