"""Pictures of an episode as H.264 in mp4, put behind each other, and found again by their number.

H.264 with a key frame every other picture: every player, browser and decoder of LeRobot reads it, two cores encode it
while a robot records, and a picture is found by decoding two. LeRobot's own default, AV1, is smaller; it is read here,
too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.dataset.layout import replacing
from vla_ros.dataset.packages import pyav
from vla_ros.types import ImageArray, VlaError

CODEC = {'video.codec': 'h264', 'video.pix_fmt': 'yuv420p', 'video.g': 2, 'video.crf': 18}
"""What ``info.json`` says of our videos."""
OPTIONS = {'g': '2', 'crf': '18', 'preset': 'veryfast', 'bf': '0', 'threads': '1'}
"""Nearly without loss for the eye. Without B-frames, pictures are in the order in which they were."""


class VideoWriter:
    """Encodes the pictures of one camera as they come.

    Raises:
        VlaError: the file cannot be written, as on a full disk; so do all methods.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: int) -> None:
        """``size`` is (height, width)."""
        self._av = pyav()
        self._path, self.count = path, 0
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = self._av.open(str(path), 'w', format='mp4')
        self._stream = self._container.add_stream('libx264', rate=fps, options=OPTIONS)
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = 'yuv420p'
        self._clock = Fraction(1, fps)

    def add(self, image: ImageArray) -> None:
        """Encode (height, width, 3) uint8."""
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format='rgb24')
        frame.pts, frame.time_base = self.count, self._clock
        with _writing(self._path):
            self._container.mux(self._stream.encode(frame))
        self.count += 1

    def close(self) -> None:
        """Write what is still in the encoder; the file is whole then."""
        with _writing(self._path):
            self._container.mux(self._stream.encode())
            self._container.close()

    def discard(self) -> None:
        """Leave nothing."""
        with suppress(OSError, self._av.FFmpegError):
            self._container.close()
        self._path.unlink(missing_ok=True)


def join(path: Path, parts: Sequence[tuple[Path, int]], fps: int) -> None:
    """Put videos of one encoder behind each other, packet by packet, into ``path``, which may be the first of them.

    Args:
        parts: files, and how many pictures each has.
    """
    av = pyav()
    with _writing(path), replacing(path) as unfinished, av.open(str(unfinished), 'w', format='mp4') as output:
        stream: Any = None
        before = 0
        for part, count in parts:
            with av.open(str(part)) as source:
                theirs = source.streams.video[0]
                if stream is None:
                    stream = output.add_stream_from_template(theirs)
                    stream.time_base = theirs.time_base
                shift = round(Fraction(before, fps) / theirs.time_base)
                for packet in source.demux(theirs):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = stream
                    output.mux(packet)
            before += count


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (pyav().FFmpegError, OSError) as error:
        raise VlaError(f'{path} could not be written: {str(error)[:150]}') from error


def pictures(path: Path, numbers: Sequence[int], fps: float) -> Iterator[ImageArray]:
    """The pictures (height, width, 3) uint8 of increasing ``numbers`` in a video, decoded as they are asked for.

    Raises:
        VlaError: the file is missing, no video, cut off, or has no picture at one of these times.
    """
    av = pyav()
    wanted = list(numbers)
    if not wanted:
        return
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VlaError(f'{path}: expected a video, found none in it')
            stream = container.streams.video[0]
            stream.thread_type = (
                'NONE'  # one after the other; threads of a decoder only wait for each other here
            )
            container.seek(
                max(0, round(Fraction(wanted[0]) / Fraction(fps) / stream.time_base) - 1),
                backward=True,
                stream=stream,
            )
            at = 0
            for frame in container.decode(stream):
                if frame.pts is None:
                    continue
                number = round(float(frame.pts * stream.time_base) * fps)
                while at < len(wanted) and number == wanted[at]:
                    yield frame.to_ndarray(format='rgb24')
                    at += 1
                if at == len(wanted):
                    return
                if number > wanted[at]:
                    break
    except (av.FFmpegError, OSError) as error:
        raise VlaError(f'{path} cannot be decoded, is missing or cut off: {str(error)[:150]}') from error
    raise VlaError(f'{path}: expected a picture at {wanted[at] / fps:.3f} s, found none; the file is cut off')
