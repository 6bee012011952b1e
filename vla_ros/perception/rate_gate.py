"""Choosing frames by their stamps, so that a replayed bag gives the same choice."""

from __future__ import annotations

from vla_ros.types import NANOSECONDS


class RateGate:
    """Admits ``rate`` stamps a second at most, on average; the rate of the frames need not be a multiple."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._due: int | None = None

    def admits(self, stamp: int) -> bool:
        """Whether the frame of this stamp (ns) is one to work on; stamps that go back start anew."""
        period = round(NANOSECONDS / self.rate)
        if self._due is None or stamp < self._due - period:
            self._due = stamp
        if stamp < self._due:
            return False
        # Not more than one period behind: after a gap there is nothing to catch up.
        self._due = max(self._due + period, stamp)
        return True

    def reset(self) -> None:
        """Admit the next stamp, whatever it is."""
        self._due = None
