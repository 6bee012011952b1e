"""The flow's noise is a function of stamp and seed, normal, and the same bits everywhere."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.action.noise import noise

GOLDEN = (0x3FBF60E9, 0x3E6438CD, 0x40545EF1, 0xBFCE8FF8, 0xBFC0396C, 0xBE190787)

words = st.integers(-(2**63), 2**63 - 1)


@settings(deadline=None)
@given(stamp=words, seed=words)
def test_given_the_same_stamp_and_seed_the_noise_is_the_same_bit_for_bit(stamp: int, seed: int):
    np.testing.assert_array_equal(noise(stamp, seed, (4, 3)), noise(stamp, seed, (4, 3)))


@settings(deadline=None)
@given(stamp=words, seed=words)
def test_given_another_stamp_or_seed_the_noise_is_another(stamp: int, seed: int):
    here = noise(stamp, seed, (16, 6))
    assert (here != noise(stamp + 1, seed, (16, 6))).mean() > 0.9
    assert (here != noise(stamp, seed + 1, (16, 6))).mean() > 0.9


def test_given_another_machine_these_are_the_bits():
    """Golden values: 1 s after the epoch, seed 7. A change here changes every replayed motion."""
    expected = np.array(GOLDEN, dtype=np.uint32).view(np.float32).reshape(2, 3)
    np.testing.assert_array_equal(noise(1_000_000_000, 7, (2, 3)), expected)


def test_given_the_bits_of_philox_the_numbers_are_their_normal_quantiles():
    raw = np.random.Philox(key=np.array([123, 5], dtype=np.uint64)).random_raw(5000)
    quantiles = [NormalDist().inv_cdf(((int(word) >> 11) + 0.5) / 2**53) for word in raw]
    np.testing.assert_allclose(noise(123, 5, (5000,)), quantiles, rtol=3e-7, atol=3e-7)


def test_given_many_numbers_they_are_standard_normal():
    """Within four standard errors of the first four moments."""
    count = 200_000
    numbers = noise(0, 0, (count,)).astype(float)
    moments = {1: (0.0, 1.0), 2: (1.0, 2.0), 3: (0.0, 15.0), 4: (3.0, 96.0)}
    for power, (mean, variance) in moments.items():
        assert abs((numbers**power).mean() - mean) < 4 * math.sqrt(variance / count)


def test_given_a_shape_it_has_that_shape_and_is_float32():
    assert noise(1, 2, (1, 16, 6)).shape == (1, 16, 6)
    assert noise(1, 2, ()).shape == ()
    assert noise(1, 2, (0, 6)).size == 0
    assert noise(1, 2, (3,)).dtype == np.float32
