"""Frames to an H.264 video that every player and browser shows."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from vla_ros.types import ImageArray, VlaError


def write_video(path: Path, frames: Iterable[ImageArray], rate: int) -> int:
    """Encode rgb8 frames (H, W, 3), all of one even size; returns how many there were.

    Args:
        rate: frames a second.

    Raises:
        VlaError: PyAV is not installed, there is no frame, or a frame of another or an odd size.
    """
    try:
        import av
    except ImportError as error:
        raise VlaError('PyAV is not installed; pip install av') from error
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    # The index in front, so that a browser can begin before it has the whole file.
    with av.open(str(path), 'w', format='mp4', options={'movflags': '+faststart'}) as container:
        stream = container.add_stream(
            'libx264', rate=rate, options={'crf': '21', 'preset': 'veryfast', 'tune': 'animation'}
        )
        stream.pix_fmt = 'yuv420p'
        stream.time_base = Fraction(1, rate)
        for image in frames:
            height, width = image.shape[:2]
            if count == 0:
                stream.width, stream.height = width, height
            expected, found = (stream.width, stream.height), (width, height)
            if expected != found or width % 2 or height % 2:
                raise VlaError(f'frame {count}: expected the even size {expected}, found {found}')
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format='rgb24')
            frame.pts = count
            container.mux(stream.encode(frame))
            count += 1
        if count:
            container.mux(stream.encode())
    if count == 0:
        path.unlink(missing_ok=True)
        raise VlaError(f'{path}: a video needs at least one frame')
    return count
