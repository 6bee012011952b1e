"""Demonstrations of the scripted expert: what the cameras see, where the joints are, what the expert does next.

Half of the episodes start near the rest pose and half anywhere over the table; each has two orders one after the
other, so that the arm also learns to leave one object for another. The joint targets are disturbed smoothly while
the expert's own answer is recorded (DART, arXiv 1703.09327), so the data shows recoveries.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from vla_ros.sim.cameras import Camera
from vla_ros.sim.expert import Expert
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Referee, Task
from vla_ros.sim.world import World
from vla_ros.training.snapshots import CAMERAS, KINDS, object_centres, random_pose, shrink
from vla_ros.types import DoubleArray, FloatArray, ImageArray, VlaError

LONGEST = 160
HOLD_STEPS = 10
"""Steps recorded after the order was done: staying is a part of touching."""
DISTURBANCE = 0.03
"""Standard deviation in rad of the disturbance of the joint targets, in the episodes that have one."""
MEMORY = 0.85
"""Share of a disturbance that is left one step later."""


@dataclass(frozen=True)
class Demonstrations:
    """M control steps, one every 0.05 s within an order.

    Attributes:
        images: (M, cameras, size, size, 3) uint8, cameras in the order of ``CAMERAS``.
        joints: (M, J) measured positions; targets: (M, J) the expert's absolute targets one step later; rad.
        centres: (M, kinds, 2) object centres in the front image, NaN where not seen.
        wanted: (M,) index of the wanted kind; order: (M,) a number that all steps of one order share.
    """

    images: ImageArray
    joints: FloatArray
    targets: FloatArray
    centres: FloatArray
    wanted: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]

    def save(self, path: Path) -> None:
        """One .npz file."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})


def load_demonstrations(path: Path) -> Demonstrations:
    """Read what ``Demonstrations.save`` wrote."""
    if not path.is_file():
        raise VlaError(f'{path} is missing; run `vla_ros train demonstrations` first')
    with np.load(path) as file:
        return Demonstrations(**{field.name: file[field.name] for field in fields(Demonstrations)})


def joined(parts: list[Demonstrations]) -> Demonstrations:
    """Several as one; order numbers must differ already."""
    return Demonstrations(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Demonstrations)}
    )


def collect_demonstrations(count: int, first_seed: int, size: int, workers: int) -> Demonstrations:
    """Two orders in each of ``count`` random scenes; the same seeds give the same demonstrations."""
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        jobs = pool.imap(partial(_episode, size=size), range(first_seed, first_seed + count), chunksize=4)
        return joined(list(tqdm(jobs, total=count, desc='demonstrations', unit='episode')))


def _episode(seed: int, size: int) -> Demonstrations:
    scene = sample_scene(seed, count=(2, 4))
    rng = np.random.default_rng([seed, 3])
    world = World(scene, rng)
    if rng.random() < 0.5:
        world.set_joints(random_pose(rng, world))
    cameras = [Camera(world.model, name, *shape, scene=scene) for name, shape in CAMERAS.items()]
    disturbance = DISTURBANCE * float(rng.uniform(0, 1.5)) if rng.random() < 0.7 else 0.0
    steps: list[tuple[npt.NDArray[np.generic] | int, ...]] = []
    for number, index in enumerate(rng.permutation(len(scene.objects))[:2]):
        name = scene.objects[index].name
        steps += _order(world, cameras, name, seed * 2 + number, disturbance, rng, size)
    columns = [np.stack(column) for column in zip(*steps)]
    return Demonstrations(
        images=columns[0],
        joints=columns[1].astype(np.float32),
        targets=columns[2].astype(np.float32),
        centres=columns[3],
        wanted=columns[4],
        order=columns[5],
    )


def _order(
    world: World,
    cameras: list[Camera],
    name: str,
    order: int,
    disturbance: float,
    rng: np.random.Generator,
    size: int,
) -> list[tuple[npt.NDArray[np.generic] | int, ...]]:
    """The steps of one order, up to a while after it is done or its time is up."""
    task = Task('touch', name)
    expert, referee = Expert(world, task), None
    pushed: DoubleArray = np.zeros_like(world.command)
    steps: list[tuple[npt.NDArray[np.generic] | int, ...]] = []
    rest = HOLD_STEPS
    while rest and len(steps) < LONGEST and not (referee and referee.failure):
        target = expert.action()
        images = np.stack([shrink(camera.render(world.data), size) for camera in cameras])
        centres = object_centres(world, cameras[0])
        steps.append((images, world.joints().positions, target, centres, KINDS.index(name), order))
        pushed = MEMORY * pushed + np.sqrt(1 - MEMORY**2) * rng.normal(0, disturbance, len(target))
        start = world.command
        for i in range(1, 11):
            world.step(start + (target + pushed - start) * i / 10)
            # The last order may have left the fingers on its object: the referee begins when they are free.
            if referee is None and not world.contacts():
                referee = Referee(world, task)
            if referee:
                referee.update()
        rest -= bool(referee and referee.success)
    return steps
