"""Perception: pictures of all cameras to tokens, against PyTorch, and what making pictures ready costs."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from vla_ros.bench.figures import Contender, figure, interleaved, ratio, timed
from vla_ros.bench.peers import TORCH, peer
from vla_ros.bench.section import Request, Section
from vla_ros.bundle import load_bundle
from vla_ros.manifest import CameraSpec
from vla_ros.perception.encoder import Encoder
from vla_ros.perception.resize import resize
from vla_ros.types import FloatArray, Frame, ImageArray, VlaError

OURS, RESIZE, PLAIN = 'ours', 'resize', 'plain'
SENT = (480, 640, 3)
"""What a camera sends."""


def perception_section(request: Request) -> Section:
    """How fast the eyes are.

    Measured, with one picture of 640 x 480 a camera:

    vs_torch_eager: how many times as long the peer takes for pictures that have the model's size already.
    preprocess_share: resizing, in the time of a whole call; normalising is a part of the model.
    preprocess_gain: how many times as long resizing and normalising take as they are usually written.
    """
    section, bundle = Section(), load_bundle(request.bundle)
    encoder, cameras = Encoder(bundle), bundle.manifest.cameras
    draw = np.random.default_rng(0)
    sent = [draw.integers(0, 256, SENT, np.uint8) for _ in cameras]
    frames = [Frame(camera.name, 1, image) for camera, image in zip(cameras, sent)]
    small = [Frame(f.camera, 1, np.ascontiguousarray(resize(f.image, c))) for f, c in zip(frames, cameras)]

    def only_resize() -> None:
        for frame, camera in zip(frames, cameras):
            resize(frame.image, camera)

    def usual() -> None:
        np.stack([_usual(frame.image, camera) for frame, camera in zip(frames, cameras)])

    contenders: dict[str, Contender] = {
        OURS: timed(lambda: encoder.encode(frames)),
        'small': timed(lambda: encoder.encode(small)),
        RESIZE: timed(only_resize),
        PLAIN: timed(usual),
    }
    with ExitStack() as stack:
        if TORCH in request.peers:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            np.savez(folder / 'images.npz', images=np.stack([frame.image for frame in small]))
            try:
                contenders[TORCH] = stack.enter_context(
                    peer(TORCH, 'peer_eyes', str(request.bundle), str(folder / 'images.npz'))
                )
            except VlaError as error:
                section.missing.append(str(error))
        runs = interleaved(contenders, request.effort)
    if TORCH in contenders:
        section.figures['vs_torch_eager'] = ratio(runs, TORCH, 'small')
    section.figures['preprocess_share'] = ratio(runs, RESIZE, OURS)
    section.figures['preprocess_gain'] = ratio(runs, PLAIN, RESIZE)
    section.values['milliseconds'] = round(1e3 * figure([run[OURS] for run in runs]).median, 3)
    section.values['cameras'] = len(cameras)
    return section


def _usual(image: ImageArray, camera: CameraSpec) -> FloatArray:
    """One step after another, each with an array of its own."""
    mean, std = np.array(camera.mean, np.float32), np.array(camera.std, np.float32)
    normalised = (resize(image, camera).astype(np.float32) / np.float32(255.0) - mean) / std
    return np.ascontiguousarray(normalised.transpose(2, 0, 1))
