"""From the numbers of a CameraInfo to the calibration of the images as they are sent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vla_ros.types import CameraModel


def calibration(
    size: tuple[int, int],
    matrix: Sequence[float],
    distortion: Sequence[float],
    model: str,
    binning: tuple[int, int],
    region: tuple[int, int, int, int],
) -> CameraModel | None:
    """The calibration of the images after binning and cropping; None for an uncalibrated camera (K is 0).

    Args:
        size: width and height of the whole image in pixels.
        matrix: K, 9 values row by row.
        distortion, model: D and the name of its model.
        binning: horizontal and vertical; 0 means 1.
        region: left, top, width and height of what is sent; a width or height of 0 means all.
    """
    if matrix[0] == 0.0:
        return None
    left, top, width, height = region
    k = np.array(matrix, dtype=np.float64).reshape(3, 3)
    divisor = np.array([max(binning[0], 1), max(binning[1], 1)])
    k[:2, 2] -= (left, top)
    k[:2] /= divisor[:, None]
    columns, rows = (width or size[0], height or size[1]) // divisor
    return CameraModel(int(columns), int(rows), k, tuple(distortion), model)
