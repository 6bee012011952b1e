"""Where a place in a picture lies in the world, if it lies on the table."""

from __future__ import annotations

import numpy as np

from vla_ros.types import CameraModel, DoubleArray

FLATTEST = 0.05
"""Sine of the angle between a line of sight and the table below which the place on it says nothing."""


def on_table(
    place: tuple[float, float],
    camera: CameraModel,
    position: DoubleArray,
    rotation: DoubleArray,
    height: float,
) -> DoubleArray | None:
    """Where the line of sight through a place of the rectified image meets the plane z = ``height``.

    What stands on the table is seen before that point: by its height over the tangent of the line's angle to the table.

    Args:
        place: (x, y) in 0..1 from the top left, edge to edge.
        camera: calibration of the image; rectified, it keeps its matrix.
        position, rotation: (3,) m and (3, 3) of the optical frame (z forward, x right, y down) in the base.
        height: m in the base.

    Returns:
        (3,) m in the base; None where the line does not go down to the plane.
    """
    pixel = np.array([place[0] * camera.width - 0.5, place[1] * camera.height - 0.5, 1.0])
    ray = rotation @ np.linalg.solve(camera.matrix, pixel)
    ray = ray / np.linalg.norm(ray)
    if ray[2] > -FLATTEST or position[2] <= height:
        return None
    point: DoubleArray = position + ray * (height - position[2]) / ray[2]
    return point
