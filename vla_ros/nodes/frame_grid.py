"""Pictures that come when they come, laid on a grid of even times: a dataset has a frame every 1 / fps seconds.

No ROS in here: stamps in nanoseconds, and pictures of any kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from vla_ros.types import NANOSECONDS

Pictures = TypeVar('Pictures')


@dataclass(frozen=True)
class Due(Generic[Pictures]):
    """A frame: the ``moment`` (ns) that joints and command are to be taken of, and what was seen then."""

    moment: int
    pictures: Pictures


class FrameGrid(Generic[Pictures]):
    """The grid of one episode, which begins with its first pictures.

    Attributes:
        repeated: frames for which nothing new came in time: what was seen before stands for them.
        spare: pictures that came between two frames and were not needed.
    """

    def __init__(self, fps: int) -> None:
        self.repeated = self.spare = 0
        self._period = NANOSECONDS / fps
        self._next = 0
        self._first: int | None = None
        self._newest: Pictures | None = None

    def add(self, stamp: int, pictures: Pictures) -> list[Due[Pictures]]:
        """The frames that pictures with this stamp (ns), newer than those before, decide."""
        if self._first is None:
            self._first = stamp
        frames = []
        while self._newest is not None and stamp > self._due + self._period / 2:
            frames.append(Due(round(self._due), self._newest))
            self.repeated += 1
            self._next += 1
        if stamp >= self._due - self._period / 2:
            frames.append(Due(stamp, pictures))
            self._next += 1
        else:
            self.spare += 1
        self._newest = pictures
        return frames

    @property
    def _due(self) -> float:
        return (self._first or 0) + self._next * self._period
