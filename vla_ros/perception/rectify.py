"""Taking the lens out of an image: OpenCV's undistortion with its maps computed once a camera."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from vla_ros.perception.encodings import LARGEST_SIDE
from vla_ros.types import CameraModel, ImageArray, VlaError

COEFFICIENTS: Mapping[str, tuple[int, ...]] = {
    'plumb_bob': (4, 5),
    'rational_polynomial': (8, 12, 14),
    'equidistant': (4,),
}


class Rectifier:
    """Undistorts the images of one calibrated camera; the rectified image keeps the intrinsics K.

    Raises:
        VlaError: the calibration is not finite, of an absurd size, or of a model that is not in COEFFICIENTS.
    """

    def __init__(self, model: CameraModel) -> None:
        _require_calibration(model)
        self.model = model
        self._maps = _undistortion_maps(model) if any(model.distortion) else None

    def rectify(self, image: ImageArray) -> ImageArray:
        """(height, width, 3) rgb8 without lens distortion; the very same array where the lens has none.

        Raises:
            VlaError: the image is not of the calibrated size.
        """
        if image.shape[:2] != (self.model.height, self.model.width):
            raise VlaError(
                f'image size: expected {self.model.width}x{self.model.height} as in camera_info, '
                f'found {image.shape[1]}x{image.shape[0]}'
            )
        if self._maps is None:
            return image
        rectified = cv2.remap(image, *self._maps, interpolation=cv2.INTER_LINEAR)
        return rectified.astype(np.uint8, copy=False)

    def is_for(self, model: CameraModel) -> bool:
        """Whether ``model`` is the calibration that the maps were computed from."""
        mine = self.model
        return (
            (mine.width, mine.height, mine.distortion, mine.model)
            == (model.width, model.height, model.distortion, model.model)
        ) and np.array_equal(mine.matrix, model.matrix)


def _require_calibration(model: CameraModel) -> None:
    if not (0 < model.width <= LARGEST_SIDE and 0 < model.height <= LARGEST_SIDE):
        raise VlaError(
            f'camera_info size: expected sides of 1 to {LARGEST_SIDE}, found {model.width}x{model.height}'
        )
    matrix = np.asarray(model.matrix, dtype=np.float64)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
        raise VlaError(f'camera_info k: expected finite, positive focal lengths, found {matrix.tolist()}')
    if not np.isfinite(model.distortion).all():
        raise VlaError(f'camera_info d: expected finite values, found {list(model.distortion)}')
    if not any(model.distortion):
        return
    if model.model not in COEFFICIENTS:
        raise VlaError(
            f'camera_info distortion_model: expected one of {sorted(COEFFICIENTS)}, found {model.model!r}'
        )
    expected = COEFFICIENTS[model.model]
    if len(model.distortion) not in expected:
        raise VlaError(f'camera_info d: expected {expected} values, found {len(model.distortion)}')


def _undistortion_maps(model: CameraModel) -> tuple[ImageArray, ImageArray]:
    matrix = np.asarray(model.matrix, dtype=np.float64)
    distortion = np.asarray(model.distortion, dtype=np.float64)
    size = (model.width, model.height)
    library = cv2.fisheye if model.model == 'equidistant' else cv2
    first, second = library.initUndistortRectifyMap(matrix, distortion, np.eye(3), matrix, size, cv2.CV_16SC2)
    return first, second
