"""Pictures as GR00T wants them: square by black bars, scaled, cropped, scaled again; then cut into Qwen3-VL's patches.

Scaling is OpenCV's by areas, as Isaac-GR00T's evaluation transform has it (image_augmentations.py); the order of the
patches is that of Qwen2-VL's image processor, the four of a token behind each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vla_ros.action.groot.model import PicturesSpec
from vla_ros.types import FloatArray, ImageArray


def patches(images: Sequence[ImageArray], spec: PicturesSpec) -> FloatArray:
    """Of (h, w, 3) uint8 pictures, rows (patches, 3 * frames * patch * patch), picture by picture."""
    return np.concatenate([_patches(as_seen(image, spec), spec) for image in images])


def as_seen(image: ImageArray, spec: PicturesSpec) -> ImageArray:
    """(side, side, 3) uint8 of (h, w, 3): the middle of the picture with its bars."""
    height, width = image.shape[:2]
    largest = max(height, width)
    top, left = (largest - height) // 2, (largest - width) // 2
    square = np.zeros((largest, largest, 3), np.uint8)
    square[top : top + height, left : left + width] = image
    scaled = _scaled(square, spec.side)
    kept = max(1, int(spec.side * spec.crop))
    edge = (spec.side - kept) // 2
    return _scaled(np.ascontiguousarray(scaled[edge : edge + kept, edge : edge + kept]), spec.side)


def _scaled(image: ImageArray, side: int) -> ImageArray:
    if image.shape[0] == side:
        return image
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _patches(image: ImageArray, spec: PicturesSpec) -> FloatArray:
    mean, std = (np.array(numbers, np.float32) * np.float32(255.0) for numbers in (spec.mean, spec.std))
    pixels = (image.astype(np.float32) - mean) / std
    count = spec.side // spec.patch // spec.merge
    cut = pixels.reshape(count, spec.merge, spec.patch, count, spec.merge, spec.patch, 3)
    rows = cut.transpose(0, 3, 1, 4, 6, 2, 5).reshape(-1, 3, 1, spec.patch * spec.patch)
    return np.ascontiguousarray(rows.repeat(spec.frames, axis=2).reshape(len(rows), -1))
