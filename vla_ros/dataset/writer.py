"""Writes a dataset as it is recorded: what was finished stays readable, whatever happens to the rest.

Pictures go to the encoder as they come, the numbers of one episode stay in memory until it ends. A finished episode is
committed: its rows and pictures are put behind those of the newest files, which are written anew and replaced, and only
then ``meta/`` says that it is there. ``info.json`` is last: what it does not count is not there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from vla_ros.dataset import layout, tables
from vla_ros.dataset.layout import ACTION, COUNTERS, IMAGES, STATE, Place
from vla_ros.dataset.packages import parquet, pyav
from vla_ros.dataset.recording import RecordedFrame, RecordingSpec
from vla_ros.dataset.statistics import PictureStatistics, Statistics, as_plain, of_numbers, together
from vla_ros.dataset.video import CODEC, VideoWriter, join
from vla_ros.types import DoubleArray, VlaError

MEGABYTE = 1024**2
UNFINISHED = '.unfinished'
"""Folder of pictures that are not committed yet."""


@dataclass
class _Shelf:
    """The newest file of one kind: where it is, and how many frames of how many bytes are in it."""

    place: Place = Place()
    frames: int = 0
    size: int = 0

    def take(self, frames: int, size: int, most: int) -> int:
        """Find room for so many frames; how many stand before them in the file."""
        if self.frames and self.size + size > most:
            self.place, self.frames, self.size = self.place.next, 0, 0
        before = self.frames
        self.frames, self.size = before + frames, self.size + size
        return before


@dataclass(frozen=True)
class _Episode:
    """An episode that has ended and is not committed yet."""

    table: Any
    tasks: tuple[str, ...]
    statistics: dict[str, Statistics]
    videos: dict[str, Path]

    def __len__(self) -> int:
        return int(self.table.num_rows)


def require_room(folder: Path) -> None:
    """Refuse to begin a dataset that could not be written.

    Raises:
        VlaError: a package is missing, or there is something in the folder.
    """
    parquet(), pyav()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise VlaError(f'{folder}: expected a new or an empty folder for the dataset, found something in it')


class DatasetWriter:
    """Writes one dataset into a new folder. A context manager, at whose end all finished episodes are there.

    Attributes:
        episodes, frames: finished.
        length: frames of the episode that is under way.
    """

    def __init__(self, folder: Path, spec: RecordingSpec, *, commit_every: int = 1) -> None:
        """Begin a dataset.

        Args:
            commit_every: episodes that are committed together. Files are written anew at each commit, so for many
                short episodes that can be made again, more is faster.

        Raises:
            VlaError: a package is missing, or there is something in the folder.
        """
        require_room(folder)
        for name, (height, width) in spec.cameras.items():
            if height < 2 or width < 2 or height % 2 or width % 2:
                raise VlaError(
                    f'camera {name}: expected an even height and width, as videos have, found {height} x {width}'
                )
        self.spec = spec
        self.episodes = self.frames = 0
        self._folder, self._commit_every = folder, commit_every
        self._tasks: dict[str, int] = {}
        self._statistics: dict[str, Statistics] = {}
        self._data, self._rows = _Shelf(), _Shelf()
        self._videos = {name: _Shelf() for name in spec.cameras}
        self._waiting: list[_Episode] = []
        self._committed = 0
        self._write_info()
        self._begin()

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def length(self) -> int:
        return len(self._numbers)

    def add(self, frame: RecordedFrame) -> None:
        """Add a frame to the episode that is under way.

        Raises:
            VlaError: it does not fit to the others; nothing of it is kept.
        """
        self.spec.require(frame, self.length)
        if not self._encoders:
            for name, size in self.spec.cameras.items():
                path = self._folder / UNFINISHED / f'{self.episodes:06d}_{name}.mp4'
                self._encoders[name] = VideoWriter(path, size, self.spec.fps)
        for name, image in frame.images.items():
            self._encoders[name].add(image)
            self._pictures[name].add(image)
        self._numbers.append((frame.state, frame.action, frame.timestamp, frame.task))

    def end_episode(self) -> None:
        """Finish the episode that is under way; one without frames is none."""
        if not self._numbers:
            return
        count, tasks = self.length, [task for _, _, _, task in self._numbers]
        for task in tasks:
            self._tasks.setdefault(task, len(self._tasks))
        columns: dict[str, Any] = {
            STATE: np.array([state for state, _, _, _ in self._numbers], np.float32),
            ACTION: np.array([action for _, action, _, _ in self._numbers], np.float32),
            'timestamp': np.arange(count) / self.spec.fps,
            'frame_index': np.arange(count),
            'episode_index': np.full(count, self.episodes),
            'index': self.frames + np.arange(count),
            'task_index': np.array([self._tasks[task] for task in tasks]),
        }
        statistics = {key: of_numbers(columns[key]) for key in (ACTION, STATE, *COUNTERS)}
        statistics |= {IMAGES + name: found.result() for name, found in self._pictures.items()}
        videos = {}
        for name, encoder in self._encoders.items():
            encoder.close()
            videos[name] = self._folder / UNFINISHED / f'{self.episodes:06d}_{name}.mp4'
        table = tables.frames_table(columns, len(self.spec.joints))
        self._waiting.append(_Episode(table, tuple(dict.fromkeys(tasks)), statistics, videos))
        self.episodes += 1
        self.frames += count
        self._begin()
        if len(self._waiting) >= self._commit_every:
            self._commit()

    def drop_episode(self) -> None:
        """Forget the episode that is under way."""
        for encoder in self._encoders.values():
            encoder.discard()
        self._begin()

    def close(self) -> None:
        """Drop the episode that is under way and commit the finished ones."""
        self.drop_episode()
        self._commit()
        shutil.rmtree(self._folder / UNFINISHED, ignore_errors=True)

    def _begin(self) -> None:
        self._numbers: list[tuple[DoubleArray, DoubleArray, float, str]] = []
        self._encoders: dict[str, VideoWriter] = {}
        self._pictures = {name: PictureStatistics() for name in self.spec.cameras}

    def _commit(self) -> None:
        if not self._waiting:
            return
        rows = [self._row(number, episode) for number, episode in enumerate(self._waiting, self._committed)]
        self._put_videos(rows)
        self._put_data(rows)
        tables.write_tasks(self._folder / layout.TASKS, list(self._tasks))
        self._put_rows(rows)
        for episode in self._waiting:
            for key, found in episode.statistics.items():
                before = self._statistics.get(key)
                self._statistics[key] = found if before is None else together([before, found])
        layout.write_json(self._folder / layout.STATISTICS, as_plain(self._statistics))
        self._committed = self.episodes
        self._write_info()
        for episode in self._waiting:
            for path in episode.videos.values():
                path.unlink(missing_ok=True)
        self._waiting = []

    def _row(self, number: int, episode: _Episode) -> dict[str, Any]:
        first = int(episode.table['index'][0].as_py())
        numbers = {
            'episode_index': number,
            'length': len(episode),
            'dataset_from_index': first,
            'dataset_to_index': first + len(episode),
        }
        return tables.episode_row(numbers, episode.tasks, episode.statistics)

    def _put_videos(self, rows: list[dict[str, Any]]) -> None:
        """Put the pictures of the waiting episodes behind those of the newest videos, and say in the rows where."""
        fps = self.spec.fps
        for name, shelf in self._videos.items():
            key, files = IMAGES + name, dict[Place, list[tuple[Path, int]]]()
            for row, episode in zip(rows, self._waiting):
                part, count = episode.videos[name], len(episode)
                old = (shelf.place.path(self._folder, layout.VIDEO_PATH, key), shelf.frames)
                before = shelf.take(count, part.stat().st_size, layout.VIDEO_MEGABYTES * MEGABYTE)
                row |= _at(f'videos/{key}', shelf.place)
                row[f'videos/{key}/from_timestamp'] = before / fps
                row[f'videos/{key}/to_timestamp'] = (before + count) / fps
                files.setdefault(shelf.place, [old] if before else []).append((part, count))
            for place, parts in files.items():
                join(place.path(self._folder, layout.VIDEO_PATH, key), parts, fps)

    def _put_data(self, rows: list[dict[str, Any]]) -> None:
        files: dict[Place, list[Any]] = {}
        for row, episode in zip(rows, self._waiting):
            self._data.take(len(episode), episode.table.nbytes, layout.DATA_MEGABYTES * MEGABYTE)
            row |= _at('data', self._data.place)
            files.setdefault(self._data.place, []).append(episode.table)
        for place, parts in files.items():
            tables.append(place.path(self._folder, layout.DATA_PATH), parts)

    def _put_rows(self, rows: list[dict[str, Any]]) -> None:
        size = tables.rows_table(rows).nbytes
        self._rows.take(len(rows), size, layout.DATA_MEGABYTES * MEGABYTE)
        found = [row | _at('meta/episodes', self._rows.place) for row in rows]
        path = self._rows.place.path(self._folder, layout.EPISODES_PATH)
        tables.append(path, [tables.rows_table(found)])

    def _write_info(self) -> None:
        tasks = len(self._tasks)
        frames = self.frames if self._committed else 0
        layout.write_json(
            self._folder / layout.INFO, layout.info(self.spec, CODEC, self._committed, frames, tasks)
        )


def _at(what: str, place: Place) -> dict[str, int]:
    return {f'{what}/chunk_index': place.chunk, f'{what}/file_index': place.file}
