"""Images that came as files: JPEG, PNG and whatever else OpenCV reads."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from vla_ros.perception.encodings import to_rgb8
from vla_ros.types import ImageArray, VlaError

LARGEST_FILE = 64_000_000  # bytes


def decompress(data: Any, kind: str) -> ImageArray:
    """(height, width, 3) rgb8 of the bytes of a file (any buffer); ``kind`` is what the sender says it is.

    Raises:
        VlaError: not such a file, or a larger one than any camera makes.
    """
    if not 0 < len(data) <= LARGEST_FILE:
        raise VlaError(f'compressed image: expected 1 to {LARGEST_FILE} bytes, found {len(data)}')
    # A camera's pixels are as its calibration has them: no turning by EXIF.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise VlaError(f'compressed image: could not be decoded ({error.err})') from error
    if pixels is None:
        raise VlaError(f'compressed image: expected JPEG or PNG, found {kind!r} of {len(data)} bytes')
    return to_rgb8(pixels.astype(np.uint8, copy=False), 'bgr8')
