"""Pixels to visual tokens: the frozen ViT in ONNX Runtime, all cameras in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vla_ros.bundle import Bundle
from vla_ros.manifest import CameraSpec
from vla_ros.perception.resize import resize
from vla_ros.runtime import open_session
from vla_ros.types import FloatArray, Frame, ImageArray, VisualTokens, VlaError, require_shape


def preprocess(image: ImageArray, camera: CameraSpec) -> FloatArray:
    """Resize and normalise: (H, W, 3) rgb8 to (3, h, w) float32. Shrinks by area, which keeps sub-pixel positions."""
    require_shape(f'image of camera {camera.name!r}', image, (None, None, 3))
    image = resize(image, camera)
    mean, std = np.array(camera.mean, np.float32), np.array(camera.std, np.float32)
    normalised = (image.astype(np.float32) / 255.0 - mean) / std
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))


class Encoder:
    """The bundle's vision encoder. Not thread-safe: one caller at a time."""

    def __init__(self, bundle: Bundle, provider: str = 'cpu', *, allow_fallback: bool = False) -> None:
        self._manifest = bundle.manifest
        self._session: Any = open_session(bundle.file('vision'), provider, allow_fallback=allow_fallback)

    @property
    def providers(self) -> Sequence[str]:
        return tuple(self._session.get_providers())

    def encode(self, frames: Sequence[Frame]) -> VisualTokens:
        """Tokens of one frame a camera, in manifest order; the stamp is the oldest frame's."""
        expected = [camera.name for camera in self._manifest.cameras]
        found = [frame.camera for frame in frames]
        if found != expected:
            raise VlaError(f'frames: expected one of each camera {expected}, found {found}')
        pixels = np.stack([preprocess(f.image, c) for f, c in zip(frames, self._manifest.cameras)])
        (features,) = self._session.run(None, {'pixels': pixels})
        rows = features.reshape(-1, features.shape[-1])
        require_shape(
            'tokens of vision.onnx', rows, (self._manifest.tokens.rows, self._manifest.tokens.width)
        )
        return VisualTokens(min(frame.stamp for frame in frames), rows)
