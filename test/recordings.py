"""Small recordings for tests: frames whose numbers and colours are known by formula."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vla_ros.dataset.recording import RecordedFrame, RecordingSpec
from vla_ros.dataset.writer import DatasetWriter
from vla_ros.types import ImageArray

JOINTS = ('pan', 'lift', 'gripper')
SPEC = RecordingSpec(20, JOINTS, {'front': (32, 48), 'wrist': (32, 32)}, 'toy')


def picture(size: tuple[int, int], episode: int, frame: int) -> ImageArray:
    """One colour, which says which picture it is."""
    return np.full((*size, 3), (40 * episode + 20, 10 * frame + 20, 128), np.uint8)


def state(episode: int, frame: int, joints: int = len(JOINTS)) -> np.ndarray:
    """(J,) rad."""
    return 0.1 * episode + 0.01 * frame + 0.001 * np.arange(joints)


def frame(episode: int, number: int, spec: RecordingSpec = SPEC, task: str = '') -> RecordedFrame:
    """A frame of which the action is where the state will be a frame later."""
    return RecordedFrame(
        {name: picture(size, episode, number) for name, size in spec.cameras.items()},
        state(episode, number, len(spec.joints)),
        state(episode, number + 1, len(spec.joints)),
        number / spec.fps,
        task or f'task {episode % 2}',
    )


def write_dataset(
    folder: Path, lengths: Sequence[int] = (5, 7, 4), spec: RecordingSpec = SPEC, commit_every: int = 1
) -> Path:
    """A dataset with episodes of these lengths."""
    with DatasetWriter(folder, spec, commit_every=commit_every) as writer:
        for episode, length in enumerate(lengths):
            for number in range(length):
                writer.add(frame(episode, number, spec))
            writer.end_episode()
    return folder
