"""A picture as SmolVLA wants it: square, undistorted, filled up on the left and at the top, from -1 to 1."""

from __future__ import annotations

import numpy as np

from vla_ros.types import DoubleArray, FloatArray, ImageArray, IndexArray


def as_seen(image: ImageArray, size: int) -> FloatArray:
    """(3, size, size) of (h, w, 3) uint8: scaled by straight lines between pixel centres, black where nothing is.

    As LeRobot's ``resize_with_pad`` does it with ``torch.nn.functional.interpolate`` (bilinear, no smoothing).
    """
    height, width = image.shape[:2]
    ratio = max(width / size, height / size)
    rows, columns = int(height / ratio), int(width / ratio)
    seen = np.zeros((size, size, 3), np.float32)
    unit = image.astype(np.float32) / np.float32(255.0)
    if (height, width) != (size, size):
        unit = _along(_along(unit, rows, 0), columns, 1)
    seen[size - rows :, size - columns :] = unit
    return np.ascontiguousarray((seen * 2.0 - 1.0).transpose(2, 0, 1))


def _along(image: FloatArray, count: int, axis: int) -> FloatArray:
    """The image with ``count`` pixels along an axis."""
    before, share = between(image.shape[axis], count)
    after = np.minimum(before + 1, image.shape[axis] - 1)
    shape = [1, 1, 1]
    shape[axis] = count
    weight = share.reshape(shape).astype(np.float32)
    mixed = image.take(before, axis) * (1 - weight) + image.take(after, axis) * weight
    return np.asarray(mixed, np.float32)


def between(source: int, count: int) -> tuple[IndexArray, DoubleArray]:
    """For each of ``count`` pixels over ``source`` ones: which one lies before its centre, and how far it is beyond."""
    at = np.maximum((np.arange(count) + 0.5) * (source / count) - 0.5, 0.0)
    before = np.minimum(np.floor(at).astype(np.intp), source - 1)
    return before, at - before
