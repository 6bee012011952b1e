"""Cameras whose picture stays the same while the arm moves: they show the past, whatever their stamps say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.types import DoubleArray

MAX_UNSEEN_MOTION = 0.1
"""rad: further than the servos of a resting arm tremble, and soon reached by one that moves."""


class FrozenCameras:
    """Remembers what each camera showed, and where the joints were when that changed last. Not thread-safe.

    A picture may be its pixels or its tokens: the same picture makes the same tokens, to the bit; a sensor's noise
    alone makes others.
    """

    def __init__(self) -> None:
        self._seen: dict[str, npt.NDArray[Any]] = {}
        self._changed_at: dict[str, DoubleArray] = {}

    def look(self, pictures: Mapping[str, npt.NDArray[Any]], joints: DoubleArray, farthest: float) -> str:
        """Which camera is frozen, '' if none is.

        Args:
            pictures: what each camera shows, as an array of any one shape.
            joints: (J,) rad, where the arm was when they were taken.
            farthest: rad that a joint may move before a picture that stays the same; 0 believes every picture.
        """
        frozen = ''
        for camera, picture in pictures.items():
            if camera not in self._seen or not np.array_equal(picture, self._seen[camera]):
                self._seen[camera], self._changed_at[camera] = picture, joints
            elif farthest > 0 and float(np.abs(joints - self._changed_at[camera]).max()) > farthest:
                frozen = frozen or camera
        return frozen


def frozen_sentence(camera: str) -> str:
    """What is said of a camera that is frozen."""
    return f'camera {camera} is frozen: its picture stays the same while the arm moves'
