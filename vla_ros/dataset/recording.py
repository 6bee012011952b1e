"""What crosses the wall: frames of a recording, and what all frames of one share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vla_ros.types import DoubleArray, ImageArray, VlaError

TOLERANCE = 1e-4
"""Seconds by which a time stamp may differ from its place in the row of frames, as LeRobot has it."""
CAMERA_NAME = re.compile(r'[a-z][a-z0-9_]*')


@dataclass(frozen=True)
class RecordedFrame:
    """One instant of an episode.

    Attributes:
        images: camera -> (height, width, 3) uint8 rgb.
        state: (J,) rad, measured.
        action: (J,) rad, the joint target that was commanded then; due one frame later.
        timestamp: seconds since the episode began, the frame's number / fps.
        task: what was to be done, in words.
    """

    images: Mapping[str, ImageArray]
    state: DoubleArray
    action: DoubleArray
    timestamp: float
    task: str


@dataclass(frozen=True)
class RecordingSpec:
    """What all frames of a recording share.

    Attributes:
        fps: frames a second, a whole number: a video's clock has no other.
        joints: J names, the order of states and actions.
        cameras: name -> (height, width) in pixels.
        robot: what the arm is called.
    """

    fps: int
    joints: tuple[str, ...]
    cameras: Mapping[str, tuple[int, int]]
    robot: str = ''

    def __post_init__(self) -> None:
        if not 0 < self.fps <= 1000:
            raise VlaError(f'fps: expected 1 to 1000, found {self.fps}')
        if not self.joints or len(set(self.joints)) != len(self.joints):
            raise VlaError(f'joints: expected names that differ, found {list(self.joints)}')
        for name in self.cameras:
            if not CAMERA_NAME.fullmatch(name):
                raise VlaError(
                    f'camera: expected a name of small letters, digits and underscores, found {name!r}'
                )

    def require(self, frame: RecordedFrame, index: int) -> None:
        """Refuse a frame that is not the one with number ``index`` of such a recording.

        Raises:
            VlaError: with the key, what was expected and what was found.
        """
        if set(frame.images) != set(self.cameras):
            raise VlaError(
                f'images: expected those of {sorted(self.cameras)}, found those of {sorted(frame.images)}'
            )
        for name, image in frame.images.items():
            expected = (*self.cameras[name], 3)
            if image.shape != expected or image.dtype != np.uint8:
                raise VlaError(f'image {name}: expected uint8 {expected}, found {image.dtype} {image.shape}')
        for key, values in (('state', frame.state), ('action', frame.action)):
            if values.shape != (len(self.joints),):
                raise VlaError(f'{key}: expected {len(self.joints)} numbers, found shape {values.shape}')
            if not np.isfinite(values).all():
                raise VlaError(f'{key}: expected finite numbers, found NaN or infinity')
        if abs(frame.timestamp - index / self.fps) > TOLERANCE:
            raise VlaError(
                f'timestamp of frame {index}: expected {index / self.fps:.6f} s at {self.fps} frames a second, '
                f'found {frame.timestamp:.6f} s'
            )
        if not frame.task.strip():
            raise VlaError('task: expected words, found none')
