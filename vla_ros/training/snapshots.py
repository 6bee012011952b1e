"""Labelled pictures: random scenes, random arm poses, and where each object is in each camera's image."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from vla_ros.sim.cameras import FRONT_SIZE, WRIST_SIZE, Camera
from vla_ros.sim.poses import random_pose
from vla_ros.sim.world import World
from vla_ros.training.labels import Truth, joined_truth, object_centres, truth_from, truth_of
from vla_ros.training.scenes import put_into_hand, training_scene
from vla_ros.types import FloatArray, ImageArray, VlaError

CAMERAS = {'front': FRONT_SIZE, 'wrist': WRIST_SIZE}
FIRST_TEST_SEED = 1_000_000
AT_REST = 0.3
"""Share of pictures with the arm at rest."""
HOLDING = 0.15
"""Share of pictures in which the hand holds something."""


@dataclass(frozen=True)
class Snapshots:
    """N scenes as seen by the cameras.

    Attributes:
        images: camera -> (N, size, size, 3) uint8.
        centres: camera -> (N, kinds, 2) float32 in 0..1 from the top left, NaN where the object is not seen.
        truth: of the same N scenes.
    """

    images: dict[str, ImageArray]
    centres: dict[str, FloatArray]
    truth: Truth

    def save(self, path: Path) -> None:
        """One .npz file."""
        arrays: dict[str, Any] = {f'images_{name}': array for name, array in self.images.items()}
        arrays |= {f'centres_{name}': array for name, array in self.centres.items()}
        np.savez(path, **arrays, **self.truth.arrays('truth_'))


def load_snapshots(path: Path) -> Snapshots:
    """Read what ``Snapshots.save`` wrote."""
    if not path.is_file():
        raise VlaError(f'{path} is missing; run `vla_ros train snapshots` first')
    with np.load(path) as file:
        if 'truth_centres' not in file:
            raise VlaError(f'{path} is of an older kind; remove it and run `vla_ros train snapshots` again')
        images = {camera: file[f'images_{camera}'] for camera in CAMERAS}
        centres = {camera: file[f'centres_{camera}'] for camera in CAMERAS}
        return Snapshots(images, centres, truth_from(file, 'truth_'))


def collect_snapshots(count: int, first_seed: int, size: int, workers: int) -> Snapshots:
    """Render ``count`` random scenes; the same seeds give the same pictures."""
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        jobs = pool.imap(_snapshot, ((first_seed + i, size) for i in range(count)), chunksize=16)
        taken = list(tqdm(jobs, total=count, desc='snapshots', unit='scene'))
    images = {camera: np.stack([pictures[camera][0] for pictures, _ in taken]) for camera in CAMERAS}
    centres = {camera: np.stack([pictures[camera][1] for pictures, _ in taken]) for camera in CAMERAS}
    return Snapshots(images, centres, joined_truth(truth for _, truth in taken))


def _snapshot(job: tuple[int, int]) -> tuple[dict[str, tuple[ImageArray, FloatArray]], Truth]:
    seed, size = job
    scene = training_scene(seed)
    rng = np.random.default_rng([seed, 2])
    world = World(scene, rng)
    held = ''
    if rng.random() > AT_REST:
        random_pose(rng, world)
        if rng.random() < HOLDING / (1 - AT_REST):
            held = next(thing.name for thing in scene.objects if not thing.is_container)
            put_into_hand(rng, world, held)
    cameras = [Camera(world.model, name, *shape, scene=scene) for name, shape in CAMERAS.items()]
    pictures = {
        camera.name: (
            shrink(camera.render(world.data), size),
            object_centres(world, camera, {held} if camera is cameras[0] else ()),
        )
        for camera in cameras
    }
    return pictures, truth_of(world, cameras[0], holding=held)


def shrink(image: ImageArray, size: int) -> ImageArray:
    """As the robot's pre-processing does it: by area."""
    return (
        image
        if image.shape[0] == size
        else cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)
    )
