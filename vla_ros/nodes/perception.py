"""Perception: camera images to visual tokens.

Decoding, rectifying and encoding happen in a worker thread, and only for frames that found their partners.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from vla_ros.bundle import Bundle
from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import (
    camera_model_from_message,
    image_from_compressed,
    image_from_message,
    image_message,
    matrix_message,
)
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.main import run
from vla_ros.nodes.messages import nanoseconds
from vla_ros.nodes.model import MODEL_SETTINGS, open_bundle, tell_providers
from vla_ros.nodes.parameters import Setting
from vla_ros.nodes.topic_status import Acceptable
from vla_ros.nodes.worker import LatestWorker
from vla_ros.perception.blank import LEAST_CONTRAST
from vla_ros.perception.encoder import Encoder
from vla_ros.perception.intake import Intake, IntakeSettings
from vla_ros.perception.rectify import Rectifier
from vla_ros.perception.sight import sight
from vla_ros.types import Frame, VisualTokens, VlaError

SETTINGS = (
    *MODEL_SETTINGS,
    Setting('image_transport', 'raw', 'Listen to image_raw or to compressed.', choices=('raw', 'compressed')),
    Setting(
        'rate', IntakeSettings.rate, 'Token matrices a second at most.', 0.1, 200.0, live=True, unit='1/s'
    ),
    Setting(
        'slop',
        IntakeSettings.slop,
        'Largest distance of the stamps of a set of frames.',
        0.0,
        1.0,
        live=True,
        unit='s',
    ),
    Setting(
        'max_frame_age',
        IntakeSettings.max_frame_age,
        'Frames older than this are refused.',
        0.01,
        60.0,
        live=True,
        unit='s',
    ),
    Setting(
        'min_contrast',
        LEAST_CONTRAST,
        'Pictures whose pixels differ less (standard deviation) show nothing and are refused; 0 takes all.',
        0.0,
        128.0,
        live=True,
        unit='levels of 255',
    ),
)


class VisionEncoder(Protocol):
    """Frames of all cameras in manifest order to tokens. One caller at a time."""

    @property
    def providers(self) -> Sequence[str]:
        """Execution providers in use."""
        ...

    def encode(self, frames: Sequence[Frame]) -> VisualTokens:
        """Tokens of one set of frames."""
        ...


@dataclass(frozen=True)
class _Snapshot:
    """A camera's message, not yet decoded; ``received`` is a mark."""

    camera: str
    stamp: int
    received: int
    message: Any


class PerceptionNode(VlaNode):
    """``camera/<name>/image_raw``, ``camera_info`` to ``perception/tokens``, ``perception/<name>/image``."""

    def __init__(self, make_encoder: Callable[..., VisionEncoder] = Encoder, **options: Any) -> None:
        super().__init__('perception', SETTINGS, peers=('reasoning', 'action'), **options)
        self._make_encoder = make_encoder
        self._worker: LatestWorker[tuple[_Snapshot, ...]] | None = None

    def set_up(self) -> None:
        """Load the encoder, run it once, and open the topics of the manifest's cameras."""
        bundle = open_bundle(self)
        self._cameras = {camera.name: camera for camera in bundle.manifest.cameras}
        self._tag = bundle.manifest.tag
        self._encoder = self._loaded_encoder(bundle)
        self._rectifiers: dict[str, Rectifier] = {}
        self._tokens = self.speak(Image, 'perception/tokens', qos.STREAM_OUT)
        self._images: dict[str, Publisher] = {}
        compressed = self.setting('image_transport') == 'compressed'
        for name in self._cameras:
            self._images[name] = self.speak(Image, f'perception/{name}/image', qos.STREAM_OUT)
            topic = f'camera/{name}/image_raw'
            self.listen(
                CompressedImage if compressed else Image,
                f'{topic}/compressed' if compressed else topic,
                partial(self._on_image, name),
                qos.CAMERA,
                'bad_image',
                hop='image to perception',
            )
            self.listen(
                CameraInfo,
                f'camera/{name}/camera_info',
                partial(self._on_camera_info, name),
                qos.CAMERA,
                'bad_camera_info',
            )

    def start(self) -> None:
        """Begin with fresh buffers."""
        self._intake: Intake[_Snapshot] = Intake(tuple(self._cameras), self.refuse)
        self._worker = LatestWorker('perception', self._perceive, self._on_worker_error)

    def wind_down(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def tear_down(self) -> None:
        """Give the model's memory back."""
        vars(self).pop('_encoder', None)

    def observe(self) -> None:
        """Show what was dropped on the way."""
        if self.is_active and self._worker is not None:
            self.note_age('frame', self._intake.newest or None)
            self.health.note('frames dropped late', self._intake.late)
            self.health.note('frames dropped without partner', self._intake.unmatched)
            self.health.note('sets dropped for newer ones', self._worker.replaced)

    def expect(self) -> None:
        """Frames so often that none gets too old before the next; tokens not more often than ``rate``."""
        longest = self.setting('max_frame_age')
        for name in self._cameras:
            wanted = Acceptable(slowest=1 / longest, oldest=longest, newest=longest)
            self.health.expect(f'camera {name}', wanted)
        self.health.expect('tokens', Acceptable(fastest=self.setting('rate')))

    def _loaded_encoder(self, bundle: Bundle) -> VisionEncoder:
        encoder = self._make_encoder(
            bundle, self.setting('provider'), allow_fallback=self.setting('allow_provider_fallback')
        )
        tell_providers(self, encoder.providers)
        black = [
            Frame(camera.name, 0, np.zeros((camera.height, camera.width, 3), np.uint8))
            for camera in self._cameras.values()
        ]
        encoder.encode(black)  # the first run is a slow one
        return encoder

    def _on_camera_info(self, camera: str, message: CameraInfo) -> None:
        model = camera_model_from_message(message)
        known = self._rectifiers.get(camera)
        if model is None:
            self._rectifiers.pop(camera, None)
        elif known is None or not known.is_for(model):
            self._rectifiers[camera] = Rectifier(model)

    def _on_image(self, camera: str, message: Any) -> None:
        stamp, received = nanoseconds(message.header.stamp), self.hops.mark()
        self.hops.since_stamp('camera to frame', stamp)
        self.health.tick(f'camera {camera}', self.age(stamp))
        settings = IntakeSettings(*(self.setting(name) for name in ('rate', 'slop', 'max_frame_age')))
        snapshot = _Snapshot(camera, stamp, received, message)
        matched = self._intake.add(camera, stamp, self.now(), snapshot, settings)
        if matched is not None and self._worker is not None:
            self._worker.submit(matched)

    def _perceive(self, matched: tuple[_Snapshot, ...]) -> None:
        """In the worker: decode, rectify, resize, encode and publish one set of frames."""
        begun = self.hops.since('frame to encode', min(matched, key=lambda one: one.stamp).received)
        frames = [self._frame(snapshot) for snapshot in matched]
        tokens = self._encoder.encode(frames)
        encoded = self.hops.since('encode', begun)
        self._tokens.publish(matrix_message(tokens.rows, tokens.stamp, self._tag))
        self.hops.since('encode to tokens', encoded)
        self.hops.since_stamp('camera to tokens', tokens.stamp)
        for frame, snapshot in zip(frames, matched, strict=True):
            frame_id = snapshot.message.header.frame_id
            self._images[frame.camera].publish(image_message(frame.image, frame.stamp, frame_id))
        self.health.tick('tokens')

    def _frame(self, snapshot: _Snapshot) -> Frame:
        """What the model sees of a snapshot."""
        try:
            if isinstance(snapshot.message, CompressedImage):
                image = image_from_compressed(snapshot.message)
            else:
                image = image_from_message(snapshot.message)
        except VlaError as error:
            raise VlaError(f'{snapshot.camera}: {error}') from error
        camera, rectifier = self._cameras[snapshot.camera], self._rectifiers.get(snapshot.camera)
        return sight(image, snapshot.stamp, camera, rectifier, self.setting('min_contrast'))

    def _on_worker_error(self, error: Exception) -> None:
        if isinstance(error, VlaError):
            self.refuse('bad_image', error)
        else:
            self.fail(error)


def main() -> int:
    """Entry point of the executable ``perception``."""
    return run([PerceptionNode])


if __name__ == '__main__':
    raise SystemExit(main())
