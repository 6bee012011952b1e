"""The time line of a bag, and what its nodes' clock showed: from /clock, from the recorder or from the stamps."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from statistics import median

from vla_ros.types import NANOSECONDS, VlaError

LONGEST_GAP = 10 * NANOSECONDS
"""A longer step of the clock (a pause, a first /clock) is shortened to this on the time line, not on the clock."""
AGREEMENT = 5.0
"""Seconds by which stamps may differ from the recorder's clock and still be taken to be of the same clock."""


class ClockSource(Enum):
    """Where the time comes from."""

    AUTO = 'auto'
    RECORDED = 'recorded'
    CLOCK = 'clock'
    STAMPS = 'stamps'


class TimeLine:
    """Goes on with a clock, but never back, and not through long gaps. Nanoseconds."""

    def __init__(self) -> None:
        self.at = 0
        self._shown: int | None = None

    def advance(self, clock: int) -> bool:
        """The clock shows this now; whether it must be set anew, because it began, jumped back or far ahead."""
        shown, self._shown = self._shown, clock
        if shown is None:
            return True
        step = clock - shown
        self.at += min(max(step, 0), LONGEST_GAP)
        return step < 0 or step > LONGEST_GAP


def choose(source: ClockSource, has_clock: bool, pairs: Iterable[tuple[int, int]]) -> ClockSource:
    """What AUTO stands for, or the source that was asked for.

    Args:
        has_clock: the bag has messages on /clock.
        pairs: when a few messages were received, and their stamps.

    Raises:
        VlaError: there is no /clock, and the stamps are of another clock than the recorder's.
    """
    if source is ClockSource.CLOCK and not has_clock:
        raise VlaError("clock: expected messages on /clock, found none; 'recorded' or 'stamps' do without")
    if source is not ClockSource.AUTO:
        return source
    if has_clock:
        return ClockSource.CLOCK
    differences = [(received - stamp) / NANOSECONDS for received, stamp in pairs]
    apart = median(differences) if differences else 0.0
    if abs(apart) > AGREEMENT:
        raise VlaError(
            f'the stamps are {apart:.1f} s away from when the messages were received, and there is no /clock: '
            "it was simulated time; '--clock stamps' takes the time from the stamps"
        )
    return ClockSource.RECORDED
