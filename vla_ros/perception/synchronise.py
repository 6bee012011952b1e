"""Putting frames of several cameras together by their stamps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from vla_ros.types import VlaError

FrameLike = TypeVar('FrameLike')


class Synchroniser(Generic[FrameLike]):
    """Holds the newest frame of each camera and gives one set as soon as all of them fit together.

    Only stamps are looked at, so a frame may be anything: a message not yet decoded costs nothing when it is
    dropped. No frame is given twice, and no camera ever goes back in time. Not thread-safe.

    Attributes:
        slop: largest distance between the stamps of one set, in nanoseconds.
        late: frames dropped because they were not newer than one already seen from that camera.
        unmatched: frames dropped because a newer one came before they found partners.
    """

    def __init__(self, cameras: Sequence[str], slop: int) -> None:
        self.slop = slop
        self.late = 0
        self.unmatched = 0
        self._cameras = tuple(cameras)
        self._newest: dict[str, int] = {}
        self._waiting: dict[str, FrameLike] = {}

    def add(self, camera: str, stamp: int, frame: FrameLike) -> tuple[FrameLike, ...] | None:
        """Take one frame; the set in the order of the cameras if this one completes it.

        Raises:
            VlaError: no such camera.
        """
        if camera not in self._cameras:
            raise VlaError(f'camera: expected one of {list(self._cameras)}, found {camera!r}')
        if stamp <= self._newest.get(camera, stamp - 1):
            self.late += 1
            return None
        if camera in self._waiting:
            self.unmatched += 1
        self._newest[camera] = stamp
        self._waiting[camera] = frame
        if len(self._waiting) < len(self._cameras):
            return None
        stamps = [self._newest[name] for name in self._cameras]
        if max(stamps) - min(stamps) > self.slop:
            return None
        matched = tuple(self._waiting[name] for name in self._cameras)
        self._waiting.clear()
        return matched

    def reset(self) -> None:
        """Forget all frames and stamps: for a clock that jumped back."""
        self._newest.clear()
        self._waiting.clear()
