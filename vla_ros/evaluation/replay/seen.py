"""A set of frames that becomes visual tokens when somebody looks, and only then."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

from vla_ros.bundle import CameraSpec
from vla_ros.evaluation.replay.stream import CameraFrame
from vla_ros.perception.rectify import Rectifier
from vla_ros.perception.resize import resize
from vla_ros.types import Frame, VisualTokens, VlaError

Encode = Callable[[Sequence[Frame]], VisualTokens]


@dataclass(frozen=True)
class Undecoded:
    """A frame, and the rectifier of its camera when it was taken."""

    message: CameraFrame
    rectifier: Rectifier | None
    camera: CameraSpec

    def frame(self) -> Frame:
        """What the model sees of it.

        Raises:
            VlaError: an image that cannot be read, or is not of the calibrated size.
        """
        try:
            image = self.message.image()
            if self.rectifier is not None:
                image = self.rectifier.rectify(image)
        except VlaError as error:
            raise VlaError(f'{self.message.camera}: {error}') from error
        return Frame(self.message.camera, self.message.stamp, resize(image, self.camera))


class Eyes:
    """The encoder, for one caller at a time, with the seconds that each encoding took."""

    def __init__(self, encode: Encode) -> None:
        self.seconds: list[float] = []
        self._encode = encode
        self._lock = Lock()

    def look(self, frames: Sequence[Undecoded]) -> VisualTokens:
        """Decode, rectify, resize, encode. Any thread."""
        with self._lock:
            begun = time.perf_counter()
            tokens = self._encode([frame.frame() for frame in frames])
            self.seconds.append(time.perf_counter() - begun)
            return tokens


class Seen:
    """What was to be seen at ``stamp`` (ns): the tokens are made once, at the first call, in whatever thread."""

    def __init__(self, frames: Sequence[Undecoded], eyes: Eyes) -> None:
        self.stamp = min(frame.message.stamp for frame in frames)
        self._frames: Sequence[Undecoded] = frames
        self._eyes = eyes
        self._lock = Lock()
        self._tokens: VisualTokens | None = None

    def tokens(self) -> VisualTokens:
        """The visual tokens.

        Raises:
            VlaError: an image that cannot be read.
        """
        with self._lock:
            if self._tokens is None:
                self._tokens = self._eyes.look(self._frames)
                self._frames = ()  # pixels are large
            return self._tokens
