"""More pictures from few: mirrored, moved and scaled, with the labels moved along, and in other light."""

from __future__ import annotations

import cv2
import numpy as np

from vla_ros.types import FloatArray, ImageArray

MIRROR, SHIFT, SCALE = 0.5, 0.08, (0.9, 1.15)
GAIN, TINT, GRAIN = 0.15, 0.05, 0.015


def moved(
    rng: np.random.Generator, image: ImageArray, centres: FloatArray, mirror: float = MIRROR
) -> tuple[ImageArray, FloatArray]:
    """The image (h, w, 3) mirrored, shifted and scaled at random; centres (K, 2) in 0..1 follow, NaN once outside.

    Only for what is learned in the image plane: the arm's geometry does not survive this.
    """
    warped, places, _ = moved_with(rng, image, centres, centres, mirror)
    return warped, places


def moved_with(
    rng: np.random.Generator, image: ImageArray, centres: FloatArray, goals: FloatArray, mirror: float = 0.0
) -> tuple[ImageArray, FloatArray, FloatArray]:
    """``moved``, and ``goals`` (..., 2) that follow wherever they get to; mirrored, left and right change places."""
    size = image.shape[0]
    scale = float(np.exp(rng.uniform(*np.log(SCALE))))
    sign = -1.0 if rng.random() < mirror else 1.0
    shift = rng.uniform(-SHIFT, SHIFT, 2)
    # In 0..1: place' = 0.5 + scale * (sign * (x - 0.5), y - 0.5) + shift.
    linear = np.array([[scale * sign, 0.0], [0.0, scale]])
    offset = 0.5 + shift - linear @ np.array([0.5, 0.5])
    # Pixel centres are at integers: pixel = place * size - 0.5.
    pixel_offset = offset * size - 0.5 + linear @ np.array([0.5, 0.5])
    warped = cv2.warpAffine(
        image,
        np.hstack([linear, pixel_offset[:, None]]),
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    places, ends = ((points @ linear.T + offset).astype(np.float32) for points in (centres, goals))
    places[((places < 0.01) | (places > 0.99)).any(-1)] = np.nan
    return warped.astype(np.uint8, copy=False), places, ends


def relit(rng: np.random.Generator, image: ImageArray) -> ImageArray:
    """The image brighter or darker, tinted a little, with sensor noise."""
    gain = np.float32(rng.uniform(1 - GAIN, 1 + GAIN) * rng.uniform(1 - TINT, 1 + TINT, 3))
    grain = rng.standard_normal(image.shape, np.float32) * np.float32(GRAIN * 255)
    return np.clip(image * gain + grain, 0, 255).astype(np.uint8)
