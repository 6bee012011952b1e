"""Reads a dataset: episodes, their numbers in rad, and single pictures. Everything is checked where it comes in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.dataset import layout, tables
from vla_ros.dataset.features import Info
from vla_ros.dataset.layout import COUNTERS, Place
from vla_ros.dataset.mapping import DatasetMapping, Vector
from vla_ros.dataset.packages import pyarrow
from vla_ros.dataset.recording import TOLERANCE, RecordedFrame, RecordingSpec
from vla_ros.dataset.video import pictures
from vla_ros.types import DoubleArray, ImageArray, VlaError


@dataclass(frozen=True)
class Episode:
    """Where an episode is.

    Attributes:
        index: its number. length: frames. data: the file with its rows.
        videos: by key, the file with its pictures and how many pictures stand before them there.
    """

    index: int
    length: int
    data: Path
    videos: dict[str, tuple[Path, int]]


@dataclass(frozen=True)
class Numbers:
    """The numbers of an episode: state and action (T, J) rad, and the task of each frame in words."""

    state: DoubleArray
    action: DoubleArray
    tasks: tuple[str, ...]


class DatasetReader:
    """One dataset.

    Attributes:
        spec: what all frames share; its joints in the order of the mapping's state.
        episodes: all of them.
        mapping: what its numbers mean.
    """

    def __init__(self, folder: Path, mapping: DatasetMapping | None = None) -> None:
        """Look at what is there; numbers and pictures are read when they are asked for.

        Args:
            mapping: what its numbers mean; without it the dataset must say that they are rad, as ours do.

        Raises:
            VlaError: it is not of this version, or something is missing or wrong, with key, expected and found.
        """
        info = Info(folder)
        self.mapping = mapping or info.own_mapping()
        self._names = {vector: info.require_columns(vector) for vector in self._vectors}
        cameras = {entry.camera: info.picture_size(entry.key) for entry in self.mapping.cameras}
        self._video_keys = {entry.camera: entry.key for entry in self.mapping.cameras}
        self.spec = RecordingSpec(info.fps, self.mapping.state.joints, cameras, info.robot)
        self._tasks = tables.read_tasks(folder / layout.TASKS) if info.episodes else {}
        self.episodes = tuple(_episodes(folder, info, list(self._video_keys.values())))
        self._cached: tuple[Path, Any] | None = None

    @property
    def _vectors(self) -> tuple[Vector, Vector]:
        return self.mapping.state, self.mapping.action

    def numbers(self, episode: int) -> Numbers:
        """All numbers of an episode.

        Raises:
            VlaError: no such episode, its file is missing or cut off, a column is of another type, a row is missing
                or late, or a number is not finite.
        """
        found = self._episode(episode)
        table = self._rows(found)
        counters = {name: table[name].to_numpy() for name in COUNTERS}
        where = f'{found.data}: episode {episode}'
        if len(table) != found.length or (counters['frame_index'] != np.arange(found.length)).any():
            raise VlaError(f'{where}: expected frames 0 to {found.length - 1}, found {len(table)} others')
        late = np.abs(counters['timestamp'] - counters['frame_index'] / self.spec.fps).max()
        if not late <= TOLERANCE * max(1.0, float(counters['timestamp'].max())):
            raise VlaError(
                f'{where}: timestamp: expected frame_index / {self.spec.fps}, found {late:.4f} s of difference'
            )
        unknown = sorted(set(counters['task_index'].tolist()) - set(self._tasks))
        if unknown:
            raise VlaError(f'{where}: task_index: expected one of {layout.TASKS}, found {unknown[0]}')
        state, action = (self._in_radians(table, vector, where) for vector in self._vectors)
        return Numbers(
            state, action, tuple(self._tasks[number] for number in counters['task_index'].tolist())
        )

    def images(self, episode: int, camera: str, frames: Sequence[int]) -> Iterator[ImageArray]:
        """The pictures (height, width, 3) of increasing ``frames`` of an episode, decoded as they are asked for.

        Raises:
            VlaError: no such camera or frame, the video is missing or cut off, or its pictures are of another size.
        """
        found = self._episode(episode)
        if camera not in self._video_keys:
            raise VlaError(f'camera: expected one of {sorted(self._video_keys)}, found {camera!r}')
        wrong = [frame for frame in frames if not 0 <= frame < found.length]
        if wrong:
            raise VlaError(f'frame: expected 0 to {found.length - 1} of episode {episode}, found {wrong[0]}')
        path, before = found.videos[self._video_keys[camera]]
        expected = (*self.spec.cameras[camera], 3)
        for image in pictures(path, [before + frame for frame in frames], self.spec.fps):
            if image.shape != expected:
                raise VlaError(f'{path}: expected pictures {expected}, found {image.shape}')
            yield image

    def frame(self, episode: int, index: int) -> RecordedFrame:
        """A single frame."""
        numbers = self.numbers(episode)
        images = {camera: next(self.images(episode, camera, [index])) for camera in self.spec.cameras}
        if not 0 <= index < len(numbers.tasks):
            raise VlaError(
                f'frame: expected 0 to {len(numbers.tasks) - 1} of episode {episode}, found {index}'
            )
        return RecordedFrame(
            images, numbers.state[index], numbers.action[index], index / self.spec.fps, numbers.tasks[index]
        )

    def _episode(self, episode: int) -> Episode:
        if not 0 <= episode < len(self.episodes):
            raise VlaError(f'episode: expected 0 to {len(self.episodes) - 1}, found {episode}')
        return self.episodes[episode]

    def _rows(self, episode: Episode) -> Any:
        if self._cached is None or self._cached[0] != episode.data:
            wanted = [*(vector.key for vector in self._vectors), *COUNTERS]
            self._cached = (episode.data, tables.read_table(episode.data, wanted))
        table = self._cached[1]
        return table.filter(pyarrow().compute.equal(table['episode_index'], episode.index))

    def _in_radians(self, table: Any, vector: Vector, where: str) -> DoubleArray:
        """(T, J) rad, columns in the order of the spec's joints."""
        names = self._names[vector]
        values = tables.matrix(table[vector.key], len(names), f'{where}: {vector.key}')
        if not np.isfinite(values).all():
            raise VlaError(f'{where}: {vector.key}: expected finite numbers, found NaN or infinity')
        columns = {column.joint: column for column in vector.columns if not column.ignored}
        found = []
        for joint in self.spec.joints:
            slope, offset = columns[joint].line
            found.append(offset + slope * values[:, names.index(columns[joint].name)])
        return np.stack(found, 1)


def _episodes(folder: Path, info: Info, video_keys: Sequence[str]) -> Iterator[Episode]:
    """Those that ``info.json`` counts; rows that it does not count yet were never finished."""
    info.require_path('data_path', layout.DATA_PATH)
    if video_keys:
        info.require_path('video_path', layout.VIDEO_PATH)
    wanted = ['episode_index', 'length', 'data/chunk_index', 'data/file_index']
    for key in video_keys:
        wanted += [f'videos/{key}/{name}' for name in ('chunk_index', 'file_index', 'from_timestamp')]
    rows: list[dict[str, Any]] = []
    for path in sorted((folder / 'meta' / 'episodes').glob('*/*.parquet')):
        for row in tables.read_table(path, wanted).to_pylist():
            odd = [name for name in wanted if not _is_count(row[name], int(name == 'length'))]
            if odd:
                raise VlaError(
                    f'{path}: {odd[0]}: expected a number from 0 or 1 on, found {row[odd[0]]!r:.50}'
                )
            rows.append(row)
    counted = sorted((row for row in rows if row['episode_index'] < info.episodes), key=_number)
    if [row['episode_index'] for row in counted] != list(range(info.episodes)):
        raise VlaError(
            f'{folder / "meta" / "episodes"}: expected rows of episodes 0 to {info.episodes - 1}, '
            f'found {[row["episode_index"] for row in counted][:20]}'
        )
    for row in counted:
        videos = {}
        for key in video_keys:
            place = Place(int(row[f'videos/{key}/chunk_index']), int(row[f'videos/{key}/file_index']))
            before = round(row[f'videos/{key}/from_timestamp'] * info.fps)
            videos[key] = (place.path(folder, layout.VIDEO_PATH, key), before)
        place = Place(int(row['data/chunk_index']), int(row['data/file_index']))
        data = place.path(folder, layout.DATA_PATH)
        yield Episode(_number(row), int(row['length']), data, videos)


def _is_count(value: object, least: int) -> bool:
    return isinstance(value, (int, float)) and least <= value < np.inf


def _number(row: dict[str, Any]) -> int:
    return int(row['episode_index'])
