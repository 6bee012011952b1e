"""An image at the size that the model sees."""

from __future__ import annotations

import cv2
import numpy as np

from vla_ros.manifest import CameraSpec
from vla_ros.types import ImageArray


def resize(image: ImageArray, camera: CameraSpec) -> ImageArray:
    """(H, W, 3) uint8 at the camera's size in the manifest; shrinks by area, which keeps sub-pixel positions.

    The very same array if it has that size already.
    """
    if image.shape[:2] == (camera.height, camera.width):
        return image
    shrinks = camera.height < image.shape[0]
    size = (camera.width, camera.height)
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized.astype(np.uint8, copy=False)
