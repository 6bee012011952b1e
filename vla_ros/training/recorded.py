"""Looks of recorded episodes, each with the chunk of actions that followed: what System 1 learns from a dataset.

The action of a frame is due one frame later. A chunk begins with a look and has the actions that are due every ``dt``
from then on, between two frames on the line that joins them. Behind the last action of its episode it stays there, and
says so, as LeRobot's ``action_is_pad`` does: what is padding is neither learned nor counted in statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.dataset.reader import DatasetReader
from vla_ros.training.action import SMALLEST_SPREAD, Statistics
from vla_ros.training.snapshots import shrink
from vla_ros.types import DoubleArray, FloatArray, ImageArray, IndexArray, VlaError

BoolArray = npt.NDArray[np.bool_]
Encode = Callable[[ImageArray], npt.NDArray[np.float16]]


@dataclass(frozen=True)
class RecordedLooks:
    """S looks.

    Attributes:
        joints, velocities: (S, J) rad and rad/s; velocities are those since the frame before.
        chunks: (S, horizon, J) absolute targets, rad; padding: (S, horizon) where they are not recorded.
        tasks: what was to be done, in words.
        episode: (S,) numbers; step: (S,) looks since the episode began.
    """

    joints: FloatArray
    velocities: FloatArray
    chunks: FloatArray
    padding: BoolArray
    tasks: tuple[str, ...]
    episode: IndexArray
    step: IndexArray

    def __len__(self) -> int:
        return len(self.step)

    def chosen(self, which: IndexArray) -> RecordedLooks:
        """Some of them."""
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(RecordedLooks)}
        said = values.pop('tasks')
        rows = {name: value[which] for name, value in values.items()}
        return RecordedLooks(**rows, tasks=tuple(said[look] for look in which.tolist()))


def look_frames(length: int, fps: int, every: float) -> IndexArray:
    """The frames of an episode that are looked at, one every so many seconds."""
    count = int(np.floor((length - 1) / fps / every + 1e-9)) + 1
    return np.unique(np.round(np.arange(count) * every * fps).astype(np.int64))


def cut_chunks(
    actions: DoubleArray, fps: int, looks: IndexArray, horizon: int, dt: float
) -> tuple[DoubleArray, BoolArray]:
    """(S, horizon, J) the actions of one episode that are due ``dt``, 2 ``dt`` ... after each look, and their padding.

    Args:
        actions: (T, J), one a frame, due one frame later.
        looks: (S,) numbers of frames.
    """
    due = np.arange(1, len(actions) + 1) / fps
    wanted = looks[:, None] / fps + dt * np.arange(1, horizon + 1)
    columns = [np.interp(wanted, due, column) for column in actions.T]
    return np.stack(columns, -1), wanted > due[-1] + 1e-6


def read_looks(
    reader: DatasetReader, joints: Sequence[str], horizon: int, dt: float, every: float
) -> RecordedLooks:
    """All looks of a dataset, one every ``every`` seconds, with the joints in the given order.

    Raises:
        VlaError: it has no episodes, other joints, or something is wrong with its numbers.
    """
    if not reader.episodes:
        raise VlaError('dataset: expected at least one episode, found none')
    if set(reader.spec.joints) != set(joints):
        raise VlaError(f'dataset: expected joints {list(joints)}, found {list(reader.spec.joints)}')
    order = [reader.spec.joints.index(joint) for joint in joints]
    parts = [_episode(reader, episode.index, order, horizon, dt, every) for episode in reader.episodes]

    def column(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    names = [field.name for field in fields(RecordedLooks) if field.name != 'tasks']
    tasks = tuple(task for part in parts for task in part.tasks)
    return RecordedLooks(**{name: column(name) for name in names}, tasks=tasks)


def _episode(
    reader: DatasetReader, episode: int, order: Sequence[int], horizon: int, dt: float, every: float
) -> RecordedLooks:
    numbers, fps = reader.numbers(episode), reader.spec.fps
    state, action = numbers.state[:, order], numbers.action[:, order]
    looks = look_frames(len(state), fps, every)
    velocities = np.diff(state, axis=0, prepend=state[:1]) * fps
    chunks, padding = cut_chunks(action, fps, looks, horizon, dt)
    return RecordedLooks(
        state[looks].astype(np.float32),
        velocities[looks].astype(np.float32),
        chunks.astype(np.float32),
        padding,
        tuple(numbers.tasks[look] for look in looks),
        np.full(len(looks), episode),
        np.arange(len(looks)),
    )


def see(
    reader: DatasetReader, cameras: Sequence[str], size: int, every: float, encode: Encode
) -> npt.NDArray[np.float16]:
    """(S, tokens of all cameras, width) what the eyes make of the looks; an episode's pictures are there at a time.

    Raises:
        VlaError: a camera is missing, or a video is.
    """
    missing = [camera for camera in cameras if camera not in reader.spec.cameras]
    if missing:
        raise VlaError(f'dataset: expected camera {missing[0]!r}, found {sorted(reader.spec.cameras)}')
    parts = []
    for episode in reader.episodes:
        looks = look_frames(episode.length, reader.spec.fps, every).tolist()
        seen = [
            encode(np.stack([shrink(image, size) for image in reader.images(episode.index, camera, looks)]))
            for camera in cameras
        ]
        parts.append(np.concatenate(seen, 1))
    return np.concatenate(parts)


def statistics(looks: RecordedLooks) -> Statistics:
    """Of all joints and of all relative actions that are no padding."""
    relative = (looks.chunks - looks.joints[:, None])[~looks.padding]
    return Statistics(
        looks.joints.mean(0),
        np.maximum(looks.joints.std(0), SMALLEST_SPREAD),
        relative.mean(0),
        np.maximum(relative.std(0), SMALLEST_SPREAD),
        looks.velocities.mean(0),
        np.maximum(looks.velocities.std(0), SMALLEST_SPREAD),
    )
