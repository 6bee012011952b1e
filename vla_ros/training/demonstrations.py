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
from tqdm import tqdm

from vla_ros.sim.cameras import Camera
from vla_ros.sim.expert import Expert
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Referee, Task
from vla_ros.sim.world import World
from vla_ros.training.snapshots import CAMERAS, KINDS, object_centres, random_pose, shrink
from vla_ros.types import DoubleArray, FloatArray, ImageArray, IndexArray, VlaError

LONGEST = 120
LOOK_EVERY = 5
HOLD_STEPS = 10
"""Steps recorded after the order was done: staying is a part of touching."""
DISTURBANCE = 0.03
"""Standard deviation in rad of the disturbance of the joint targets, in the episodes that have one."""
MEMORY = 0.85
"""Share of a disturbance that is left one step later."""


@dataclass(frozen=True)
class Demonstrations:
    """M control steps, one every 0.05 s within an order; at S of them the cameras look.

    Attributes:
        looks: (S,) indices of the steps with images.
        images: (S, cameras, size, size, 3) uint8, cameras in the order of ``CAMERAS``.
        centres: (S, kinds, 2) object centres in the front image, NaN where not seen.
        joints: (M, J) measured positions; targets: (M, J) the expert's absolute targets one step later; rad.
        wanted: (M,) index of the wanted kind; order: (M,) a number that all steps of one order share.
    """

    looks: IndexArray
    images: ImageArray
    centres: FloatArray
    joints: FloatArray
    targets: FloatArray
    wanted: IndexArray
    order: IndexArray

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
    columns = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Demonstrations)}
    starts = np.cumsum([0, *(len(p.order) for p in parts[:-1])])
    columns['looks'] = np.concatenate([p.looks + start for p, start in zip(parts, starts)])
    return Demonstrations(**columns)


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
    episode = _Episode(world, cameras, disturbance, rng, size)
    for number, index in enumerate(rng.permutation(len(scene.objects))[:2]):
        episode.follow(scene.objects[index].name, seed * 2 + number)
    return episode.recorded()


class _Episode:
    """One scene while it is demonstrated."""

    def __init__(
        self, world: World, cameras: list[Camera], disturbance: float, rng: np.random.Generator, size: int
    ) -> None:
        self._world, self._cameras, self._size = world, cameras, size
        self._disturbance, self._rng = disturbance, rng
        self._looks: list[tuple[int, ImageArray, FloatArray]] = []
        self._steps: list[tuple[DoubleArray, DoubleArray, int, int]] = []

    def follow(self, name: str, order: int) -> None:
        """Do one order and stay for a while, or give up after some time."""
        world, task = self._world, Task('touch', name)
        expert, referee = Expert(world, task), None
        pushed: DoubleArray = np.zeros_like(world.command)
        rest = HOLD_STEPS
        for step in range(LONGEST):
            if step % LOOK_EVERY == 0:
                self._look()
            target = expert.action()
            self._steps.append((world.joints().positions, target, KINDS.index(name), order))
            drawn = self._rng.normal(0, self._disturbance, len(target))
            pushed = MEMORY * pushed + np.sqrt(1 - MEMORY**2) * drawn
            start = world.command
            for i in range(1, 11):
                world.step(start + (target + pushed - start) * i / 10)
                # The last order may have left the fingers on its object: the referee begins when they are free.
                if referee is None and not world.contacts():
                    referee = Referee(world, task)
                if referee:
                    referee.update()
            if referee and referee.failure:
                return
            rest -= bool(referee and referee.success)
            if not rest:
                return

    def _look(self) -> None:
        images = np.stack([shrink(camera.render(self._world.data), self._size) for camera in self._cameras])
        self._looks.append((len(self._steps), images, object_centres(self._world, self._cameras[0])))

    def recorded(self) -> Demonstrations:
        """Everything so far."""
        looks, images, centres = zip(*self._looks)
        joints, targets, wanted, order = zip(*self._steps)
        return Demonstrations(
            looks=np.array(looks),
            images=np.stack(images),
            centres=np.stack(centres),
            joints=np.stack(joints).astype(np.float32),
            targets=np.stack(targets).astype(np.float32),
            wanted=np.array(wanted),
            order=np.array(order),
        )
