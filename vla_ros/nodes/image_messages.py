"""Images, matrices and calibrations as messages, and back. Pure functions.

Arrays of bytes are always handed over as ``array.array``: anything else costs up to 0.1 s an image.
"""

from __future__ import annotations

import array
import math
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from vla_ros.nodes.messages import time_message
from vla_ros.perception.calibration import calibration
from vla_ros.perception.compressed import decompress
from vla_ros.perception.encodings import LARGEST_SIDE, LAYOUTS, to_rgb8, view, without_padding
from vla_ros.types import CameraModel, FloatArray, ImageArray, VlaError


def image_from_message(message: Image) -> ImageArray:
    """(height, width, 3) rgb8: a view into the message for common encodings, through cv_bridge for others.

    Raises:
        VlaError: an unknown encoding, one without colours, or data that is not of the size in the header.
    """
    if message.encoding not in LAYOUTS:
        return _through_cv_bridge(message)
    pixels = view(
        message.data,
        message.height,
        message.width,
        message.step,
        message.encoding,
        bool(message.is_bigendian),
    )
    return to_rgb8(pixels, message.encoding)


def image_from_compressed(message: CompressedImage) -> ImageArray:
    """(height, width, 3) rgb8 of a JPEG, PNG or other file that OpenCV reads.

    Raises:
        VlaError: not such a file, or a larger one than any camera makes.
    """
    return decompress(message.data, message.format)


def image_message(image: ImageArray, stamp: int, frame_id: str = '') -> Image:
    """An rgb8 message of (height, width, 3) uint8."""
    return _message_of(np.ascontiguousarray(image), 'rgb8', stamp, frame_id)


def matrix_message(rows: FloatArray, stamp: int, frame_id: str = '') -> Image:
    """A 32FC1 message of a matrix (rows, columns) float32, one row of the matrix a row of the image."""
    return _message_of(np.ascontiguousarray(rows, dtype='<f4'), '32FC1', stamp, frame_id)


def matrix_from_message(message: Image) -> FloatArray:
    """The matrix (rows, columns) float32 of a 32FC1 message; it may have no rows.

    Raises:
        VlaError: another encoding, a wrong size, or numbers that are not finite.
    """
    if message.encoding != '32FC1':
        raise VlaError(f'matrix encoding: expected 32FC1, found {message.encoding!r}')
    if message.height == 0:
        if not 0 < message.width <= LARGEST_SIDE:
            raise VlaError(f'matrix width: expected 1 to {LARGEST_SIDE} columns, found {message.width}')
        return np.zeros((0, message.width), np.float32)
    pixels = view(
        message.data, message.height, message.width, message.step, '32FC1', bool(message.is_bigendian)
    )
    rows: FloatArray = np.ascontiguousarray(pixels, dtype=np.float32)
    if not np.isfinite(rows).all():
        raise VlaError('matrix: expected finite numbers, found NaN or infinity')
    return rows


def camera_model_from_message(message: CameraInfo) -> CameraModel | None:
    """The calibration of the images as sent (binned, cropped); None for an uncalibrated camera (K is 0)."""
    binning, roi = (message.binning_x, message.binning_y), message.roi
    cut = (roi.x_offset, roi.y_offset, roi.width, roi.height)
    return calibration(
        (message.width, message.height), message.k, message.d, message.distortion_model, binning, cut
    )


def camera_info_message(model: CameraModel, stamp: int, frame_id: str) -> CameraInfo:
    """A calibration as a message; the rectified image keeps the intrinsics."""
    message = CameraInfo(
        width=model.width,
        height=model.height,
        distortion_model=model.model,
        d=array.array('d', model.distortion or (0.0,) * 5),
        k=np.asarray(model.matrix, dtype=np.float64).ravel(),
        r=np.eye(3).ravel(),
        p=np.hstack([model.matrix, np.zeros((3, 1))]).ravel(),
    )
    message.header.stamp = time_message(stamp)
    message.header.frame_id = frame_id
    return message


def _message_of(values: npt.NDArray[Any], encoding: str, stamp: int, frame_id: str) -> Image:
    message = Image(height=values.shape[0], width=values.shape[1], encoding=encoding)
    message.step = int(values.itemsize * math.prod(values.shape[1:]))
    message.header.stamp = time_message(stamp)
    message.header.frame_id = frame_id
    if values.size:
        message.data.frombytes(values.data.cast('B'))
    return message


@lru_cache(maxsize=1)
def _bridge() -> Any:
    try:
        from cv_bridge import CvBridge
    except ImportError as error:
        raise VlaError(
            f'cv_bridge is needed for this encoding and could not be imported ({error})'
        ) from error
    return CvBridge()


def _through_cv_bridge(message: Image) -> ImageArray:
    bridge = _bridge()
    try:
        item, channels = bridge.encoding_to_dtype_with_channels(message.encoding)
        row = message.width * channels * np.dtype(item).itemsize
        if message.step > row:
            # Neither build of cv_bridge looks at padding in Python: it would shear the image.
            message = Image(
                header=message.header,
                height=message.height,
                width=message.width,
                encoding=message.encoding,
                is_bigendian=message.is_bigendian,
                step=row,
                data=array.array('B', without_padding(message.data, message.height, message.step, row)),
            )
        pixels = bridge.imgmsg_to_cv2(message, desired_encoding='rgb8')
    except VlaError:
        raise
    except (
        Exception
    ) as error:  # cv_bridge raises its own error, KeyError or TypeError, depending on the build
        raise VlaError(
            f'encoding {message.encoding!r}: cv_bridge could not read it ({error!r:.120})'
        ) from error
    if pixels.shape != (message.height, message.width, 3) or pixels.dtype != np.uint8:
        raise VlaError(
            f'encoding {message.encoding!r}: cv_bridge gave {pixels.dtype} of shape {pixels.shape}, not rgb8'
        )
    rgb: ImageArray = pixels
    return rgb
