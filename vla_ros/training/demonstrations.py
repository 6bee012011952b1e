"""Demonstrations of the scripted expert: what the cameras see, where the joints are, what the expert does next.

Half of the episodes start near the rest pose and half anywhere over the table; each has two orders one after the
other, so that the arm also learns to leave one object for another. The joint targets are disturbed smoothly while
the expert is asked what it would do undisturbed (DART, arXiv 1703.09327), so the data shows recoveries.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vla_ros.sim.cameras import Camera
from vla_ros.sim.expert import Expert
from vla_ros.sim.foresight import Foresight
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Referee, Task
from vla_ros.sim.world import World
from vla_ros.training.snapshots import CAMERAS, KINDS, object_centres, random_pose, shrink
from vla_ros.types import DoubleArray, FloatArray, ImageArray, IndexArray, VlaError

HORIZON = 16
"""Targets in a chunk."""
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
    """S looks at the table while orders are followed, each with what the expert would do from there.

    Attributes:
        images: (S, cameras, size, size, 3) uint8, cameras in the order of ``CAMERAS``.
        centres: (S, kinds, 2) object centres in the front image, NaN where not seen; the wanted object's always.
        joints: (S, J) measured positions, rad.
        chunks: (S, HORIZON, J) the expert's absolute targets, rad, the first one due 0.05 s after the look.
        wanted: (S,) index of the wanted kind.
        step: (S,) control steps of 0.05 s since the scene began; order: (S,) shared by the looks of one order.
    """

    images: ImageArray
    centres: FloatArray
    joints: FloatArray
    chunks: FloatArray
    wanted: IndexArray
    step: IndexArray
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


def joined(parts: Iterable[Demonstrations]) -> Demonstrations:
    """Several as one; order numbers must differ already."""
    parts = list(parts)
    columns = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Demonstrations)}
    return Demonstrations(**columns)


def collect(
    episode: Callable[[int], Demonstrations], seeds: range, workers: int, label: str
) -> Demonstrations:
    """What ``episode`` gives for each seed, in processes of their own; the same seeds give the same."""
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        jobs = pool.imap(episode, seeds, chunksize=4)
        return joined(tqdm(jobs, total=len(seeds), desc=label, unit='episode'))


def collect_demonstrations(count: int, first_seed: int, size: int, workers: int) -> Demonstrations:
    """Two orders in each of ``count`` random scenes."""
    seeds = range(first_seed, first_seed + count)
    return collect(partial(_episode, size=size), seeds, workers, 'demonstrations')


def _episode(seed: int, size: int) -> Demonstrations:
    scene = sample_scene(seed, count=(2, 4))
    rng = np.random.default_rng([seed, 3])
    world = World(scene, rng)
    if rng.random() < 0.5:
        world.set_joints(random_pose(rng, world))
    disturbance = DISTURBANCE * float(rng.uniform(0, 1.5)) if rng.random() < 0.7 else 0.0
    notebook = Notebook(world, size)
    step = 0
    for number, index in enumerate(rng.permutation(len(scene.objects))[:2]):
        task = Task('touch', scene.objects[index].name)
        step = _follow(world, task, notebook, disturbance, rng, step, seed * 2 + number)
    return notebook.written()


def _follow(
    world: World,
    task: Task,
    notebook: Notebook,
    disturbance: float,
    rng: np.random.Generator,
    begin: int,
    order: int,
) -> int:
    """Do one order and stay for a while, or give up after some time; returns the step at its end."""
    expert, foresight, referee = Expert(world, task), Foresight(world, task), None
    pushed: DoubleArray = np.zeros_like(world.command)
    rest = HOLD_STEPS
    for step in range(begin, begin + LONGEST):
        if (step - begin) % LOOK_EVERY == 0:
            notebook.look(task, foresight, step, order)
        target = expert.action()
        drawn = rng.normal(0, disturbance, len(target))
        pushed = MEMORY * pushed + np.sqrt(1 - MEMORY**2) * drawn
        start = world.command
        for i in range(1, 11):
            world.step(start + (target + pushed - start) * i / 10)
            # The last order may have left the fingers on its object: the referee begins when they are free.
            if referee is None and not world.contacts():
                referee = Referee(world, task)
            if referee:
                referee.update()
        rest -= bool(referee and referee.success)
        if not rest or (referee and referee.failure):
            return step + 1
    return begin + LONGEST


class Notebook:
    """Writes down looks at one world."""

    def __init__(self, world: World, size: int) -> None:
        """``size`` is that of the images in pixels, as the model sees them."""
        self._world, self._size = world, size
        self._cameras = [
            Camera(world.model, name, *shape, scene=world.scene) for name, shape in CAMERAS.items()
        ]
        self._looks: list[Demonstrations] = []

    def look(self, task: Task, foresight: Foresight, step: int, order: int) -> None:
        """Add what the cameras see now and what ``foresight`` says to do."""
        assert task.object is not None
        images = [shrink(camera.render(self._world.data), self._size) for camera in self._cameras]
        joints, chunk = self._world.joints().positions, foresight.targets(HORIZON)
        self._looks.append(
            Demonstrations(
                images=np.stack(images)[None],
                # The hand may cover the object that it was sent to: it is still there.
                centres=object_centres(self._world, self._cameras[0], known=task.object)[None],
                joints=joints[None].astype(np.float32),
                chunks=chunk[None].astype(np.float32),
                wanted=np.array([KINDS.index(task.object)]),
                step=np.array([step]),
                order=np.array([order]),
            )
        )

    def written(self) -> Demonstrations:
        """Everything so far."""
        return joined(self._looks)
