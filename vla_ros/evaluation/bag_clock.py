"""What the clock of the stamps showed when a message of a bag was received."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from vla_ros.hops import JUMP, seconds_since_stamp
from vla_ros.types import NANOSECONDS


@dataclass(frozen=True)
class Heard:
    """When a message was stamped and received, by one clock, and since when that had not jumped; all in nanoseconds."""

    stamp: int
    received: int
    since: int = 0

    @property
    def age(self) -> float | None:
        """Seconds from its stamp to its arrival; None if they cannot be compared."""
        return seconds_since_stamp(self.stamp, self.received, self.since)


class BagClock:
    """Simulated time, if the bag has ticks of /clock; otherwise the recorder's.

    Args:
        ticks: (received, shown) in nanoseconds, in the order in which they were received.
    """

    def __init__(self, ticks: Sequence[tuple[int, int]]) -> None:
        self.is_simulated = bool(ticks)
        self._received = [received for received, _ in ticks]
        self._shown = [shown for _, shown in ticks]
        self._since = [0] * len(ticks)
        for index in range(1, len(ticks)):
            self._since[index] = self._since[index - 1] if self._goes_on(index) else self._shown[index]

    def heard(self, stamp: int, received: int) -> Heard | None:
        """A message that was received at a time of the recorder; None before the first tick, when nobody knew the time.

        Between two ticks time went on evenly.
        """
        if not self.is_simulated:
            return Heard(stamp, received)
        index = bisect_right(self._received, received) - 1
        if index < 0:
            return None
        shown = self._shown[index]
        if index + 1 < len(self._shown) and self._goes_on(index + 1):
            span = self._received[index + 1] - self._received[index]
            step = self._shown[index + 1] - shown
            shown += step * (received - self._received[index]) // max(span, 1)
        return Heard(stamp, shown, self._since[index])

    def _goes_on(self, index: int) -> bool:
        """Whether the clock went on to this tick, and did not jump."""
        return 0 <= self._shown[index] - self._shown[index - 1] < JUMP * NANOSECONDS
