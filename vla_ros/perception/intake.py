"""Which camera frames are looked at: fresh ones, put together by their stamps, not more a second than wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from vla_ros.perception.rate_gate import RateGate
from vla_ros.perception.synchronise import FrameLike, Synchroniser
from vla_ros.types import NANOSECONDS


@dataclass(frozen=True)
class IntakeSettings:
    """What is looked at.

    Attributes:
        rate: sets of frames a second at most.
        slop: seconds; largest distance of the stamps of a set.
        max_frame_age: seconds by which a stamp may be older, or newer, than the clock.
    """

    rate: float = 20.0
    slop: float = 0.03
    max_frame_age: float = 0.5


class Intake(Generic[FrameLike]):
    """Takes frames that are not decoded yet, and gives sets of them that are worth encoding. Not thread-safe.

    Args:
        cameras: names, in the order in which a set has them.
        refuse: is told a reason and a sentence for each frame that is not believed.

    Attributes:
        newest: stamp in nanoseconds of the newest frame that was believed; 0 before the first.
    """

    def __init__(self, cameras: Sequence[str], refuse: Callable[[str, str], None]) -> None:
        self.refuse = refuse
        self._synchroniser: Synchroniser[tuple[int, FrameLike]] = Synchroniser(tuple(cameras), slop=0)
        self._gate = RateGate(1.0)
        self.newest = 0

    @property
    def late(self) -> int:
        """Frames dropped because they were not newer than one already seen from that camera."""
        return self._synchroniser.late

    @property
    def unmatched(self) -> int:
        """Frames dropped because a newer one came before they found partners."""
        return self._synchroniser.unmatched

    def add(
        self, camera: str, stamp: int, now: int, frame: FrameLike, settings: IntakeSettings
    ) -> tuple[FrameLike, ...] | None:
        """Take one frame; the set, one frame a camera, if this one completes it and it is time.

        Args:
            stamp, now: nanoseconds of one clock.
        """
        age, longest = (now - stamp) / NANOSECONDS, settings.max_frame_age
        if age > longest:
            self.refuse('stale_frame', f'{camera}: the frame is {age:.3f} s old; the most is {longest} s')
            return None
        if age < -longest:
            self.refuse('future_frame', f'{camera}: the frame is stamped {-age:.3f} s ahead of the clock')
            return None
        if stamp < self.newest - 2 * round(longest * NANOSECONDS):
            # No frame that is not stale can be that much older than another, unless the clock went back.
            back = (self.newest - stamp) / NANOSECONDS
            self.refuse('clock_went_back', f'{camera}: stamps went back by {back:.3f} s')
            self._synchroniser.reset()
            self.newest = stamp
        self.newest = max(self.newest, stamp)
        self._synchroniser.slop = round(settings.slop * NANOSECONDS)
        matched = self._synchroniser.add(camera, stamp, (stamp, frame))
        if matched is None:
            return None
        self._gate.rate = settings.rate
        if not self._gate.admits(min(stamp for stamp, _ in matched)):
            return None
        return tuple(frame for _, frame in matched)
