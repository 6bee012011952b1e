"""Confidence intervals and percentiles, held to their definitions."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.evaluation.statistics import NORMAL_975, spread, wilson_interval
from vla_ros.types import VlaError

COUNTS = st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_each_bound_is_a_rate_from_which_the_observation_is_exactly_the_quantile_away(
    counts: tuple[int, int],
) -> None:
    successes, trials = counts
    observed = successes / trials

    for bound in wilson_interval(successes, trials):
        distance = NORMAL_975**2 * bound * (1 - bound) / trials
        assert (observed - bound) ** 2 == pytest.approx(distance, abs=1e-12)


@given(COUNTS)
def test_the_interval_holds_the_observed_rate_and_stays_a_probability(counts: tuple[int, int]) -> None:
    low, high = wilson_interval(*counts)

    assert 0 <= low <= counts[0] / counts[1] <= high <= 1
    assert high - low > 0


def test_the_published_example_of_81_of_263_gives_its_published_interval() -> None:
    """R. G. Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I: 0.2553 to 0.3662."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@pytest.mark.parametrize(('successes', 'trials'), [(1, 0), (-1, 3), (4, 3)])
def test_impossible_counts_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(VlaError, match='successes'):
        wilson_interval(successes, trials)


def test_the_spread_of_1_to_101_is_its_middle_its_hundredth_and_its_last() -> None:
    found = spread([float(value) for value in range(101, 0, -1)])

    assert (found.count, found.p50, found.p99, found.largest) == (101, 51.0, 100.0, 101.0)
    assert math.isclose(spread([]).p99, 0.0)
