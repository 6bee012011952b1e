"""From what a camera sent to what the model sees of it: the same steps in the node and in a replay."""

from __future__ import annotations

from vla_ros.manifest import CameraSpec
from vla_ros.perception.blank import require_contrast
from vla_ros.perception.rectify import Rectifier
from vla_ros.perception.resize import resize
from vla_ros.types import Frame, ImageArray, VlaError


def sight(
    image: ImageArray, stamp: int, camera: CameraSpec, rectifier: Rectifier | None, least_contrast: float
) -> Frame:
    """A picture that shows something, without lens distortion, at the size of the model.

    Args:
        image: (H, W, 3) rgb8 as the camera sent it.
        stamp: nanoseconds.
        rectifier: None if the camera has no calibration.
        least_contrast: levels of 255; 0 takes every picture.

    Raises:
        VlaError: it shows nothing, or is not of the calibrated size.
    """
    try:
        require_contrast(image, least_contrast)
        if rectifier is not None:
            image = rectifier.rectify(image)
    except VlaError as error:
        raise VlaError(f'{camera.name}: {error}') from error
    return Frame(camera.name, stamp, resize(image, camera))
