"""Pixels to visual tokens: the frozen ViT in ONNX Runtime, all cameras in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vla_ros.bundle import Bundle
from vla_ros.fixed_run import FixedRun
from vla_ros.manifest import CameraSpec
from vla_ros.perception.resize import resize
from vla_ros.runtime import open_session
from vla_ros.types import FloatArray, Frame, ImageArray, VisualTokens, VlaError, require_shape


def normalise(image: ImageArray, camera: CameraSpec, out: FloatArray) -> None:
    """(h, w, 3) rgb8 to (3, h, w) float32 in ``out``: (x / 255 - mean) / std, in two passes without a copy between."""
    scale = 1 / (255 * np.array(camera.std, np.float32))
    shift = np.array(camera.mean, np.float32) / np.array(camera.std, np.float32)
    np.multiply(image.transpose(2, 0, 1), scale[:, None, None], out=out)
    np.subtract(out, shift[:, None, None], out=out)


class Encoder:
    """The bundle's vision encoder. Not thread-safe: one caller at a time.

    A graph that takes ``images`` (cameras, h, w, 3) uint8 normalises them itself, in the weights of its first layer.
    One that takes ``pixels`` (cameras, 3, h, w) wants it done: bundles of before.

    Raises:
        VlaError: its input is neither of them, or not of the manifest's size.
    """

    def __init__(self, bundle: Bundle, provider: str = 'cpu', *, allow_fallback: bool = False) -> None:
        self._manifest = bundle.manifest
        self._session: Any = open_session(bundle.file('vision'), provider, allow_fallback=allow_fallback)
        self._run = FixedRun(self._session)
        cameras = self._manifest.cameras
        sizes = {(camera.height, camera.width) for camera in cameras}
        if len(sizes) > 1:
            raise VlaError(f'cameras: expected pictures of one size, found {sorted(sizes)}')
        ((height, width),) = sizes
        found = {name: value.shape for name, value in self._run.inputs.items()}
        expected = (
            {'images': (len(cameras), height, width, 3)},
            {'pixels': (len(cameras), 3, height, width)},
        )
        if found not in expected:
            raise VlaError(f'vision.onnx: expected the input {expected[0]} or {expected[1]}, found {found}')
        self._normalises = 'images' in found

    @property
    def providers(self) -> Sequence[str]:
        return tuple(self._session.get_providers())

    def encode(self, frames: Sequence[Frame]) -> VisualTokens:
        """Tokens of one frame a camera, in manifest order; the stamp is the oldest frame's."""
        expected = [camera.name for camera in self._manifest.cameras]
        found = [frame.camera for frame in frames]
        if found != expected:
            raise VlaError(f'frames: expected one of each camera {expected}, found {found}')
        for i, (frame, camera) in enumerate(zip(frames, self._manifest.cameras)):
            require_shape(f'image of camera {camera.name!r}', frame.image, (None, None, 3))
            image = resize(frame.image, camera)
            if self._normalises:
                self._run.inputs['images'][i] = image
            else:
                normalise(image, camera, self._run.inputs['pixels'][i])
        (features,) = self._run()
        rows = features.reshape(-1, features.shape[-1]).copy()
        require_shape(
            'tokens of vision.onnx', rows, (self._manifest.tokens.rows, self._manifest.tokens.width)
        )
        return VisualTokens(min(frame.stamp for frame in frames), rows)
