"""Reading the bytes of an image message where they lie: strided views, no copies.

Encodings are named as in sensor_msgs/image_encodings. Rows may be padded (``step`` larger than a row needs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.types import ImageArray, VlaError

LARGEST_SIDE = 16384  # pixels; far above any camera, far below what a damaged header can ask for


@dataclass(frozen=True)
class Layout:
    """How one pixel lies in memory: ``channels`` values of numpy type ``item``."""

    item: str
    channels: int

    @property
    def pixel_bytes(self) -> int:
        return np.dtype(self.item).itemsize * self.channels


LAYOUTS: Mapping[str, Layout] = {
    'rgb8': Layout('u1', 3),
    'bgr8': Layout('u1', 3),
    'rgba8': Layout('u1', 4),
    'bgra8': Layout('u1', 4),
    'mono8': Layout('u1', 1),
    'mono16': Layout('u2', 1),
    '8UC1': Layout('u1', 1),
    '8UC3': Layout('u1', 3),
    '16UC1': Layout('u2', 1),
    '32FC1': Layout('f4', 1),
}


def view(
    data: Any, height: int, width: int, step: int, encoding: str, is_bigendian: bool = False
) -> npt.NDArray[Any]:
    """A read-only view of the pixels in ``data``, any object with a contiguous buffer; nothing is copied.

    Returns:
        (height, width) for one channel, (height, width, channels) otherwise, in the byte order of the data.

    Raises:
        VlaError: the encoding is not in LAYOUTS, the size is absurd, or ``data`` or ``step`` does not fit it.
    """
    layout = LAYOUTS.get(encoding)
    if layout is None:
        raise VlaError(f'encoding: expected one of {sorted(LAYOUTS)}, found {encoding!r}')
    buffer = memoryview(data).cast('B')
    require_size(len(buffer), height, width, step, layout.pixel_bytes)
    dtype = np.dtype(layout.item).newbyteorder('>' if is_bigendian else '<')
    shape = (height, width) if layout.channels == 1 else (height, width, layout.channels)
    strides = (step, layout.pixel_bytes, dtype.itemsize)[: len(shape)]
    pixels: npt.NDArray[Any] = np.ndarray(shape, dtype, buffer, strides=strides)
    pixels.flags.writeable = False
    return pixels


def require_size(found: int, height: int, width: int, step: int, pixel_bytes: int) -> None:
    """Raise VlaError unless ``found`` bytes are such an image; only the last row may lack its padding."""
    if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE):
        raise VlaError(f'image size: expected 1 to {LARGEST_SIDE} pixels a side, found {width}x{height}')
    row = width * pixel_bytes
    if not row <= step <= LARGEST_SIDE * 16:
        raise VlaError(f'image step: expected at least {row} bytes for {width} pixels, found {step}')
    least, most = step * (height - 1) + row, step * height
    if not least <= found <= most:
        raise VlaError(f'image data: expected {most} bytes ({height} rows of {step}), found {found}')


def without_padding(data: Any, height: int, step: int, row: int) -> bytes:
    """The bytes of an image whose rows of ``step`` bytes are cut to ``row`` bytes each."""
    pixels = memoryview(data).cast('B')
    return b''.join(pixels[start : start + row] for start in range(0, step * height, step))


def to_rgb8(pixels: npt.NDArray[Any], encoding: str) -> ImageArray:
    """Pixels of :func:`view` as (height, width, 3) uint8 rgb: a view again, except for mono16.

    Raises:
        VlaError: the encoding says nothing of colour (depth), or not in which order (8UC3): a guess would
            swap red and blue.
    """
    if encoding == 'rgb8':
        return pixels
    if encoding == 'rgba8':
        return pixels[..., :3]
    if encoding in ('bgr8', 'bgra8'):
        return pixels[..., 2::-1]
    if encoding in ('mono8', '8UC1'):
        return np.broadcast_to(pixels[..., None], (*pixels.shape, 3))
    if encoding == 'mono16':
        brightness = (pixels >> 8).astype(np.uint8)
        return np.broadcast_to(brightness[..., None], (*brightness.shape, 3))
    raise VlaError(
        f'encoding: expected colour or mono, found {encoding!r}; set the driver to rgb8, bgr8 or mono8'
    )
