"""The scripted expert at work, as a dataset in LeRobot's format: one episode an order, as a person would record it.

At the control rate, both cameras as the robot has them, without disturbances. An order that the expert does not bring
to its end is left out.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vla_ros.dataset.recording import RecordedFrame, RecordingSpec
from vla_ros.dataset.writer import DatasetWriter, require_room
from vla_ros.reasoning.trace import Request
from vla_ros.sim.cameras import Camera
from vla_ros.sim.expert import PERIOD
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.sim.world import World
from vla_ros.training.demonstrations import ORDERS, played
from vla_ros.training.snapshots import CAMERAS
from vla_ros.training.wordings import sentence
from vla_ros.types import DoubleArray

FPS = round(1 / PERIOD)
COMMITTED = 20
"""Episodes that are committed together: what an interruption costs can be made again."""


@dataclass(frozen=True)
class FilmedOrder:
    """One order: the words, and frames of it."""

    task: str
    frames: list[RecordedFrame] = field(default_factory=list)


class Film:
    """A witness that keeps every control step of orders that are done, in words of its own for each."""

    def __init__(self, world: World, seed: int) -> None:
        self._world, self._rng = world, np.random.default_rng([seed, 7])
        self._cameras = {
            name: Camera(world.model, name, *shape, scene=world.scene) for name, shape in CAMERAS.items()
        }
        self.orders: list[FilmedOrder] = []
        self._current = FilmedOrder('')

    def begin(self, request: Request, done: int) -> None:
        if done == 0:
            names = [thing.name for thing in self._world.scene.objects]
            self._current = FilmedOrder(sentence(self._rng, request, present=names))

    def look(self, step: int, order: int) -> None:
        """Every step is kept anyway."""

    def command(self, target: DoubleArray) -> None:
        number = len(self._current.frames)
        images = {name: camera.render(self._world.data) for name, camera in self._cameras.items()}
        state = self._world.joints().positions
        frame = RecordedFrame(images, state, target.copy(), number / FPS, self._current.task)
        self._current.frames.append(frame)

    def end(self, done: bool) -> None:
        if done:
            self.orders.append(self._current)
        self._current = FilmedOrder('')


def export_demonstrations(
    folder: Path, count: int, first_seed: int, workers: int, shares: Mapping[str, float]
) -> dict[str, int]:
    """Orders in each of ``count`` random scenes; the same seeds give the same. How many of what there are.

    Raises:
        VlaError: there is something in the folder, a package is missing, or the disk is full.
    """
    require_room(folder)
    sizes = {name: (height, width) for name, (width, height) in CAMERAS.items()}
    spec = RecordingSpec(FPS, tuple(JOINT_NAMES), sizes, 'so101')
    seeds = range(first_seed, first_seed + count)
    with (
        DatasetWriter(folder, spec, commit_every=COMMITTED) as writer,
        multiprocessing.get_context('spawn').Pool(workers) as pool,
    ):
        jobs = pool.imap(partial(_filmed, shares=shares), seeds)
        for orders in tqdm(jobs, total=count, desc='filming', unit='scene'):
            for order in orders:
                for frame in order.frames:
                    writer.add(frame)
                writer.end_episode()
    return {
        'episodes': writer.episodes,
        'frames': writer.frames,
        'given_up': count * ORDERS - writer.episodes,
    }


def _filmed(seed: int, shares: Mapping[str, float]) -> list[FilmedOrder]:
    return played(seed, shares, partial(Film, seed=seed), disturbed=0.0).orders
