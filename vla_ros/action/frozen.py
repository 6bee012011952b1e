"""Cameras whose picture stays the same while the arm moves: they show the past, whatever their stamps say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vla_ros.types import DoubleArray, FloatArray, IndexArray


class FrozenCameras:
    """Remembers what each camera's tokens were, and where the joints were when they changed last.

    The same picture makes the same tokens, to the bit; a sensor's noise alone makes others. Not thread-safe.

    Args:
        rows: by camera, which rows of the token matrix are its own.
    """

    def __init__(self, rows: Mapping[str, IndexArray]) -> None:
        self._rows = dict(rows)
        self._seen: dict[str, FloatArray] = {}
        self._changed_at: dict[str, DoubleArray] = {}

    def look(self, tokens: FloatArray, joints: DoubleArray, farthest: float) -> str:
        """Which camera is frozen, '' if none is.

        Args:
            tokens: (rows, channels) of all cameras.
            joints: (J,) rad, where the arm was when they were taken.
            farthest: rad that a joint may move before a picture that stays the same; 0 believes every picture.
        """
        frozen = ''
        for camera, rows in self._rows.items():
            picture = tokens[rows]
            if camera not in self._seen or not np.array_equal(picture, self._seen[camera]):
                self._seen[camera], self._changed_at[camera] = picture, joints
            elif farthest > 0 and float(np.abs(joints - self._changed_at[camera]).max()) > farthest:
                frozen = frozen or camera
        return frozen
