"""Frames are chosen by their stamps alone, at the rate asked for."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.perception.rate_gate import RateGate
from vla_ros.types import NANOSECONDS


@pytest.mark.parametrize(('frames', 'rate'), [(20, 8.0), (30, 7.0), (20, 20.0), (50, 1.5)])
def test_a_rate_that_frames_do_not_divide_is_kept_on_average(frames: int, rate: float) -> None:
    gate = RateGate(rate)
    period = NANOSECONDS // frames
    admitted = [i for i in range(60 * frames) if gate.admits(i * period)]
    assert len(admitted) == pytest.approx(60 * rate, abs=1.5)
    gaps = {second - first for first, second in pairwise(admitted)}
    assert max(gaps) - min(gaps) <= 1, 'frames must be picked evenly'


def test_frames_slower_than_the_rate_are_all_taken() -> None:
    gate = RateGate(100.0)
    assert all(gate.admits(i * NANOSECONDS // 20) for i in range(50))


def test_after_a_gap_there_is_no_burst() -> None:
    gate = RateGate(10.0)
    stamps = [0, *(10 * NANOSECONDS + i * NANOSECONDS // 100 for i in range(100))]
    assert sum(gate.admits(stamp) for stamp in stamps) <= 12


def test_stamps_that_go_back_start_anew() -> None:
    gate = RateGate(1.0)
    assert gate.admits(100 * NANOSECONDS)
    assert gate.admits(2 * NANOSECONDS)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10 * NANOSECONDS), min_size=2, max_size=200), st.floats(0.5, 50.0))
def test_forward_in_time_it_never_admits_more_than_the_rate(stamps: list[int], rate: float) -> None:
    stamps.sort()
    gate = RateGate(rate)
    admitted = [stamp for stamp in stamps if gate.admits(stamp)]
    for first in range(len(admitted)):
        for last in range(first + 1, len(admitted)):
            span = (admitted[last] - admitted[first]) / NANOSECONDS
            assert last - first + 1 <= span * rate + 2 + 1e-6
