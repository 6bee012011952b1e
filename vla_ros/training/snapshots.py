"""Labelled pictures: random scenes, random arm poses, and where each object is in each camera's image."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import mujoco
import numpy as np
from tqdm import tqdm

from vla_ros.sim.cameras import FRONT_SIZE, WRIST_SIZE, Camera
from vla_ros.sim.model import GRIPPER_CLOSED, REST_POSE
from vla_ros.sim.scene import COLOURS, sample_scene
from vla_ros.sim.world import World
from vla_ros.types import DoubleArray, FloatArray, ImageArray, VlaError

CAMERAS = {'front': FRONT_SIZE, 'wrist': WRIST_SIZE}
KINDS = [f'{colour} {shape}' for colour in COLOURS for shape in ('cube', 'cylinder')]
LEAST_VISIBLE = 0.2
FIRST_TEST_SEED = 1_000_000

# Joint ranges that keep the gripper over the table, in rad.
_LOW = np.array([-1.0, -1.7, -0.6, -0.2, -0.6, GRIPPER_CLOSED])
_HIGH = np.array([1.0, 0.7, 1.6, 1.65, 0.6, 0.6])


@dataclass(frozen=True)
class Snapshots:
    """N scenes as seen by the cameras.

    Attributes:
        images: camera -> (N, size, size, 3) uint8.
        centres: camera -> (N, kinds, 2) float32 in 0..1 from the top left, NaN where the object is not seen.
    """

    images: dict[str, ImageArray]
    centres: dict[str, FloatArray]

    def save(self, path: Path) -> None:
        """One .npz file."""
        arrays: dict[str, Any] = {f'images_{name}': array for name, array in self.images.items()}
        arrays |= {f'centres_{name}': array for name, array in self.centres.items()}
        np.savez(path, **arrays)


def load_snapshots(path: Path) -> Snapshots:
    """Read what ``Snapshots.save`` wrote."""
    if not path.is_file():
        raise VlaError(f'{path} is missing; run `vla_ros train snapshots` first')
    with np.load(path) as file:
        return Snapshots(
            {c: file[f'images_{c}'] for c in CAMERAS}, {c: file[f'centres_{c}'] for c in CAMERAS}
        )


def collect_snapshots(count: int, first_seed: int, size: int, workers: int) -> Snapshots:
    """Render ``count`` random scenes; the same seeds give the same pictures."""
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        jobs = pool.imap(_snapshot, ((first_seed + i, size) for i in range(count)), chunksize=16)
        taken = list(tqdm(jobs, total=count, desc='snapshots', unit='scene'))
    images = {camera: np.stack([pictures[camera][0] for pictures in taken]) for camera in CAMERAS}
    centres = {camera: np.stack([pictures[camera][1] for pictures in taken]) for camera in CAMERAS}
    return Snapshots(images, centres)


def _snapshot(job: tuple[int, int]) -> dict[str, tuple[ImageArray, FloatArray]]:
    seed, size = job
    scene = sample_scene(seed, count=(1, 4))
    rng = np.random.default_rng([seed, 2])
    world = World(scene, rng)
    if rng.random() > 0.3:
        world.set_joints(random_pose(rng, world))
    pictures = {}
    for name, (width, height) in CAMERAS.items():
        camera = Camera(world.model, name, width, height, scene=scene)
        pictures[name] = (shrink(camera.render(world.data), size), object_centres(world, camera))
    return pictures


def shrink(image: ImageArray, size: int) -> ImageArray:
    """As the robot's pre-processing does it: by area."""
    return (
        image
        if image.shape[0] == size
        else cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)
    )


def random_pose(rng: np.random.Generator, world: World) -> DoubleArray:
    """A random pose with the gripper above the table and within the objects' reach."""
    for _ in range(100):
        pose = rng.uniform(_LOW, _HIGH)
        world.set_joints(pose)
        x, y, z = world.gripper_tip()
        if 0.02 < z < 0.25 and 0.12 < float(np.hypot(x, y)) < 0.36:
            return pose
    return np.array(REST_POSE)


def object_centres(world: World, camera: Camera, known: str | None = None) -> FloatArray:
    """(kinds, 2) centres in 0..1 of the image, NaN for what is not there or too hidden to be told.

    The object named ``known`` counts as seen wherever it is in the image, hidden or not.
    """
    centres = np.full((len(KINDS), 2), np.nan, np.float32)
    for thing in world.scene.objects:
        if thing.name not in KINDS:
            continue
        pixels, depth = camera.project(world.data, world.object_position(thing.name)[None])
        # Pixel centres are at integers: the image spans -0.5 .. size - 0.5.
        place = (pixels[0] + 0.5) / (camera.model.width, camera.model.height)
        if (
            depth[0] > 0
            and (place > 0).all()
            and (place < 1).all()
            and (thing.name == known or _visible(world, camera, thing.name) >= LEAST_VISIBLE)
        ):
            centres[KINDS.index(thing.name)] = place
    return centres


def _visible(world: World, camera: Camera, name: str) -> float:
    """Share of rays to points within an object that meet this object first."""
    thing = world.scene.object(name)
    body = world.model.body(name).id
    grid = np.array([[x, y, z] for x in (-0.6, 0.6) for y in (-0.6, 0.6) for z in (-0.35, 0.0, 0.35)])
    points = world.object_position(name) + grid * (thing.radius, thing.radius, thing.height)
    origin, _ = camera.pose(world.data)
    rays = points - origin
    geoms, distances = np.full(len(rays), -1, np.int32), np.zeros(len(rays))
    mujoco.mj_multiRay(
        world.model, world.data, origin, rays.ravel(), None, 1, -1, geoms, distances, None, len(rays), 100.0
    )
    return float(np.mean((geoms >= 0) & (world.model.geom_bodyid[geoms] == body)))
