"""Looks at the table while orders are followed, each with what the expert would do from there; kept on disk.

Pictures are by far the most of it. They are written as they come, into a file of their own beside the .npz with
everything else, and are read from there as needed: no process ever holds them all.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from vla_ros.reasoning.subtask import DIRECTIONS
from vla_ros.reasoning.trace import Request
from vla_ros.training.labels import KINDS, Truth, joined_truth, truth_from
from vla_ros.training.requests import SINGLE
from vla_ros.types import DoubleArray, FloatArray, ImageArray, IndexArray, Subtask, VlaError

STEPS = 2
"""Most steps of an order."""


@dataclass(frozen=True)
class Lessons:
    """S looks.

    Attributes:
        images: (S, cameras, size, size, 3) uint8, cameras in the order of ``CAMERAS``.
        truth: what is true at each look; what the order is about counts as seen wherever it is.
        joints, velocities: (S, J) measured, rad and rad/s.
        chunks: (S, horizon, J) the expert's absolute targets, rad, the first one due 0.05 s after the look.
        requests: (S, STEPS, 3) the order: kind, object and target of each step as numbers, -1 for none.
        done: (S,) how many steps of it are done.
        goals: (S, 2) where a push that is under way brings its object, in the front image, NaN without one.
        step: (S,) control steps of 0.05 s since the scene began; order: (S,) shared by the looks of one order.
    """

    images: ImageArray
    truth: Truth
    joints: FloatArray
    velocities: FloatArray
    chunks: FloatArray
    requests: IndexArray
    done: IndexArray
    goals: FloatArray
    step: IndexArray
    order: IndexArray

    def __len__(self) -> int:
        return len(self.step)

    @staticmethod
    def one(
        images: ImageArray,
        truth: Truth,
        joints: DoubleArray,
        velocities: DoubleArray,
        chunk: DoubleArray,
        request: Request,
        done: int,
        goal: DoubleArray,
        step: int,
        order: int,
    ) -> Lessons:
        """A single look."""
        return Lessons(
            images[None],
            truth,
            joints[None].astype(np.float32),
            velocities[None].astype(np.float32),
            chunk[None].astype(np.float32),
            as_numbers(request)[None],
            np.array([done]),
            goal[None].astype(np.float32),
            np.array([step]),
            np.array([order]),
        )

    def request(self, index: int) -> Request:
        """The order that is followed at a look."""
        return from_numbers(self.requests[index])

    def places(self) -> FloatArray:
        """(S, 2, 2) where the step that is under way acts, in the front image: its object, and where that goes to."""
        found = np.full((len(self), 2, 2), np.nan, np.float32)
        now = np.arange(len(self))
        kind, thing, target = self.requests[now, self.done].T
        found[:, 0] = np.where((thing >= 0)[:, None], self.truth.centres[now, thing], np.nan)
        put = (kind == SINGLE.index('put'))[:, None]
        found[:, 1] = np.where(put, self.truth.centres[now, target], self.goals)
        return found


def as_numbers(request: Request) -> IndexArray:
    """(STEPS, 3), see ``Lessons.requests``."""
    rows = np.full((STEPS, 3), -1, np.int64)
    for row, step in zip(rows, request.steps, strict=False):
        targets = DIRECTIONS if step.kind == 'push' else KINDS
        thing = KINDS.index(step.object) if step.object else -1
        row[:] = SINGLE.index(step.kind), thing, targets.index(step.target) if step.target else -1
    return rows


def from_numbers(rows: IndexArray) -> Request:
    """The order that ``as_numbers`` gave these rows for."""
    steps = []
    for kind, thing, target in rows[rows[:, 0] >= 0].tolist():
        targets = DIRECTIONS if SINGLE[kind] == 'push' else KINDS
        steps.append(
            Subtask(SINGLE[kind], KINDS[thing] if thing >= 0 else '', targets[target] if target >= 0 else '')
        )
    return Request(tuple(steps))


def joined(parts: Iterable[Lessons]) -> Lessons:
    """Several as one; order numbers must differ already."""
    parts = list(parts)

    def column(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return joined_truth(values) if name == 'truth' else np.concatenate(values)

    return Lessons(**{field.name: column(field.name) for field in fields(Lessons)})


def collect(episode: Callable[[int], Lessons], seeds: range, workers: int, label: str) -> Iterator[Lessons]:
    """What ``episode`` gives for each seed, in processes of their own; the same seeds give the same."""
    with multiprocessing.get_context('spawn').Pool(workers) as pool:
        jobs = pool.imap(episode, seeds, chunksize=4)
        yield from tqdm(jobs, total=len(seeds), desc=label, unit='episode')


class LessonWriter:
    """Writes lessons as they come; a context manager, at whose end they are all there.

    ``go_on`` adds to what is there already. Pictures of a run that was broken off are written over.
    """

    def __init__(self, path: Path, *, go_on: bool = False) -> None:
        self._path = path
        self._parts: list[Lessons] = [load_lessons(path)] if go_on and path.is_file() else []
        kept = sum(part.images.nbytes for part in self._parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._pictures = _pictures(path).open('r+b' if kept else 'wb')
        self._pictures.truncate(kept)
        self._pictures.seek(kept)

    def __enter__(self) -> LessonWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pictures.close()
        if error is None and self._parts:
            whole = joined(_without_pictures(part, 0) for part in self._parts)
            shape = np.array([len(whole), *self._parts[0].images.shape[1:]])
            columns: dict[str, Any] = {
                field.name: getattr(whole, field.name)
                for field in fields(Lessons)
                if field.name not in ('images', 'truth')
            }
            np.savez(self._path, shape=shape, **columns, **whole.truth.arrays('truth_'))

    def add(self, lessons: Lessons) -> None:
        """Add looks behind those that are there."""
        if not self._parts or lessons.images.shape[1:] == self._parts[0].images.shape[1:]:
            self._pictures.write(np.ascontiguousarray(lessons.images).tobytes())
            self._parts.append(_without_pictures(lessons))
            return
        expected, found = self._parts[0].images.shape[1:], lessons.images.shape[1:]
        raise VlaError(f'{self._path}: expected pictures of shape {expected}, found {found}')


def load_lessons(path: Path) -> Lessons:
    """Read what a ``LessonWriter`` wrote; the pictures stay on disk until they are looked at.

    Raises:
        VlaError: no such file, one of an older kind, or one without its pictures.
    """
    if not path.is_file():
        raise VlaError(f'{path} is missing; run `vla_ros train {path.stem}` first')
    with np.load(path) as file:
        if 'requests' not in file:
            raise VlaError(f'{path} is of an older kind; remove it and run `vla_ros train {path.stem}` again')
        shape = tuple(int(size) for size in file['shape'])
        if not _pictures(path).is_file() or _pictures(path).stat().st_size < np.prod(shape):
            raise VlaError(f'{_pictures(path)}: expected {shape[0]} looks, found fewer; collect them again')
        images: npt.NDArray[np.uint8] = np.memmap(_pictures(path), np.uint8, 'r', shape=shape)
        columns = {
            field.name: file[field.name] for field in fields(Lessons) if field.name not in ('images', 'truth')
        }
        return Lessons(images=images, truth=truth_from(file, 'truth_'), **columns)


def _pictures(path: Path) -> Path:
    return path.with_suffix('.pictures')


def _without_pictures(lessons: Lessons, size: int | None = None) -> Lessons:
    """The same with pictures that take no memory, or with pictures of no ``size``."""
    columns = {field.name: getattr(lessons, field.name) for field in fields(Lessons)}
    shape = lessons.images.shape if size is None else (len(lessons), size)
    nothing = np.broadcast_to(np.zeros(1, np.uint8), shape)
    return Lessons(**{**columns, 'images': nothing})
