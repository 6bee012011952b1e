"""Frames of several cameras are put together only when their stamps are close, once, and forward in time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.perception.synchronise import Synchroniser
from vla_ros.types import VlaError

CAMERAS = ('front', 'wrist', 'side')
arrivals = st.lists(st.tuples(st.sampled_from(CAMERAS), st.integers(0, 300)), max_size=120)


def sets_of(slop: int, frames: list[tuple[str, int]]) -> list[tuple[tuple[str, int], ...]]:
    synchroniser: Synchroniser[tuple[str, int]] = Synchroniser(CAMERAS, slop)
    given = (synchroniser.add(camera, stamp, (camera, stamp)) for camera, stamp in frames)
    return [matched for matched in given if matched is not None]


@settings(deadline=None)
@given(arrivals, st.integers(0, 50))
def test_a_set_has_one_frame_of_each_camera_within_the_slop(frames, slop) -> None:
    for matched in sets_of(slop, frames):
        assert tuple(camera for camera, _ in matched) == CAMERAS
        stamps = [stamp for _, stamp in matched]
        assert max(stamps) - min(stamps) <= slop


@settings(deadline=None)
@given(arrivals, st.integers(0, 50))
def test_no_camera_is_seen_twice_or_back_in_time(frames, slop) -> None:
    sets = sets_of(slop, frames)
    for earlier, later in pairwise(sets):
        assert all(before[1] < after[1] for before, after in zip(earlier, later, strict=True))
        assert min(stamp for _, stamp in earlier) < min(stamp for _, stamp in later)


@settings(deadline=None)
@given(arrivals, st.integers(0, 50))
def test_every_frame_is_given_dropped_and_counted_or_still_waiting(frames, slop) -> None:
    synchroniser: Synchroniser[int] = Synchroniser(CAMERAS, slop)
    used = sum(len(synchroniser.add(camera, stamp, stamp) or ()) for camera, stamp in frames)
    waiting = len(frames) - used - synchroniser.late - synchroniser.unmatched
    assert 0 <= waiting <= len(CAMERAS)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 9), st.integers(0, 9))
def test_cameras_in_step_give_every_frame(count, wrist_lag, side_lag) -> None:
    frames = [
        (camera, 50 * i + lag)
        for i in range(count)
        for camera, lag in (('front', 0), ('wrist', wrist_lag), ('side', side_lag))
    ]
    assert len(sets_of(slop=9, frames=frames)) == count


def test_a_frame_waits_for_a_partner_that_is_close_enough() -> None:
    synchroniser: Synchroniser[str] = Synchroniser(('front', 'wrist'), slop=25)
    assert synchroniser.add('front', 0, 'front 0') is None
    assert synchroniser.add('wrist', 30, 'wrist 30') is None
    assert synchroniser.add('front', 50, 'front 50') == ('front 50', 'wrist 30')
    assert (synchroniser.unmatched, synchroniser.late) == (1, 0)


def test_a_late_frame_is_dropped_and_counted_until_the_clock_is_reset() -> None:
    synchroniser: Synchroniser[str] = Synchroniser(('front',), slop=0)
    assert synchroniser.add('front', 100, 'new') == ('new',)
    assert synchroniser.add('front', 100, 'again') is None
    assert synchroniser.add('front', 40, 'old') is None
    assert synchroniser.late == 2
    synchroniser.reset()
    assert synchroniser.add('front', 40, 'after the jump') == ('after the jump',)


def test_an_unknown_camera_is_refused() -> None:
    with pytest.raises(VlaError, match="found 'rear'"):
        Synchroniser(('front',), slop=0).add('rear', 0, None)
