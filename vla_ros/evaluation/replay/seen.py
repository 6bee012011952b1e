"""A set of frames that becomes visual tokens when somebody looks, and only then."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Lock

from vla_ros.types import Frame, VisualTokens

Encode = Callable[[Sequence[Frame]], VisualTokens]


class Eyes:
    """The encoder, for one caller at a time, with the seconds that each encoding took."""

    def __init__(self, encode: Encode) -> None:
        self.seconds: list[float] = []
        self._encode = encode
        self._lock = Lock()

    def look(self, frames: Sequence[Frame]) -> VisualTokens:
        """Encode. Any thread."""
        with self._lock:
            begun = time.perf_counter()
            tokens = self._encode(frames)
            self.seconds.append(time.perf_counter() - begun)
            return tokens


class Seen:
    """What was to be seen at ``stamp`` (ns): the tokens are made once, at the first call, in whatever thread.

    Attributes:
        frames: one a camera, as the model sees them.
    """

    def __init__(self, frames: Sequence[Frame], eyes: Eyes) -> None:
        self.stamp = min(frame.stamp for frame in frames)
        self.frames = tuple(frames)
        self._eyes = eyes
        self._lock = Lock()
        self._tokens: VisualTokens | None = None

    def tokens(self) -> VisualTokens:
        """The visual tokens.

        Raises:
            VlaError: frames that the encoder does not take.
        """
        with self._lock:
            if self._tokens is None:
                self._tokens = self._eyes.look(self.frames)
            return self._tokens
