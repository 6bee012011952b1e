"""Where things are in a dataset, and what its ``meta/info.json`` says: LeRobot's codebase version v3.0.

Many episodes share a file; ``meta/episodes`` says which rows of which files are whose. After huggingface/lerobot,
src/lerobot/datasets (dataset_metadata.py, feature_utils.py, utils.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vla_ros.dataset.recording import RecordingSpec
from vla_ros.types import VlaError

VERSION = 'v3.0'
INFO, STATISTICS, TASKS = 'meta/info.json', 'meta/stats.json', 'meta/tasks.parquet'
PLACE = 'chunk-{chunk_index:03d}/file-{file_index:03d}'
EPISODES_PATH = f'meta/episodes/{PLACE}.parquet'
DATA_PATH = f'data/{PLACE}.parquet'
VIDEO_PATH = f'videos/{{video_key}}/{PLACE}.mp4'
CHUNK_FILES, DATA_MEGABYTES, VIDEO_MEGABYTES = 1000, 100, 200
"""Files in a folder, and the size that a file is to stay below, as LeRobot has them."""
STATE, ACTION, IMAGES = 'observation.state', 'action', 'observation.images.'
COUNTERS = {
    'timestamp': 'float32',
    'frame_index': 'int64',
    'episode_index': 'int64',
    'index': 'int64',
    'task_index': 'int64',
}
"""Columns that every dataset has, one number a frame."""
UNIT = 'rad'


@dataclass(frozen=True, order=True)
class Place:
    """Which file of a kind: ``file`` counts within a folder, ``chunk`` counts the folders."""

    chunk: int = 0
    file: int = 0

    @property
    def next(self) -> Place:
        """That of the file behind."""
        return Place(self.chunk + 1, 0) if self.file + 1 >= CHUNK_FILES else Place(self.chunk, self.file + 1)

    def path(self, folder: Path, template: str, video_key: str = '') -> Path:
        """The file itself."""
        return folder / template.format(chunk_index=self.chunk, file_index=self.file, video_key=video_key)


def features(spec: RecordingSpec, video: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What ``info.json`` says of each column and video of ours.

    LeRobot leaves the unit of a vector open; ours is said beside its names, where nobody else looks.
    """
    joints = {
        'dtype': 'float32',
        'shape': [len(spec.joints)],
        'names': list(spec.joints),
        'info': {'unit': UNIT},
    }
    found: dict[str, dict[str, Any]] = {ACTION: joints, STATE: joints}
    for name, (height, width) in spec.cameras.items():
        found[IMAGES + name] = {
            'dtype': 'video',
            'shape': [height, width, 3],
            'names': ['height', 'width', 'channels'],
            'info': {
                'video.height': height,
                'video.width': width,
                'video.fps': spec.fps,
                'video.channels': 3,
                'is_depth_map': False,
                'has_audio': False,
                **video,
            },
        }
    for name, dtype in COUNTERS.items():
        found[name] = {'dtype': dtype, 'shape': [1], 'names': None}
    return found


def info(
    spec: RecordingSpec, video: Mapping[str, Any], episodes: int, frames: int, tasks: int
) -> dict[str, Any]:
    """The content of ``info.json``."""
    return {
        'codebase_version': VERSION,
        'robot_type': spec.robot or None,
        'total_episodes': episodes,
        'total_frames': frames,
        'total_tasks': tasks,
        'chunks_size': CHUNK_FILES,
        'data_files_size_in_mb': DATA_MEGABYTES,
        'video_files_size_in_mb': VIDEO_MEGABYTES,
        'fps': spec.fps,
        'splits': {'train': f'0:{episodes}'} if episodes else {},
        'data_path': DATA_PATH,
        'video_path': VIDEO_PATH if spec.cameras else None,
        'features': features(spec, video),
    }


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, that takes the place of ``path`` at the end: whoever looks finds the old file or the new.

    Raises:
        VlaError: it cannot be written, as on a full disk.
    """
    unfinished = path.with_name(f'.{path.name}.part')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise VlaError(f'{path} could not be written: {error.strerror or error}') from error


def write_json(path: Path, content: Any) -> None:
    """Write plain values, all or nothing."""
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=4, ensure_ascii=False), encoding='utf-8')
