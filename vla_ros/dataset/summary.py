"""What is in a dataset, read from end to end: for a person who wants to know whether it is whole and in which units."""

from __future__ import annotations

from typing import Any

import numpy as np

from vla_ros.dataset.reader import DatasetReader


def summary(reader: DatasetReader) -> dict[str, Any]:
    """Episodes, frames, tasks and the range of each joint's state in degrees.

    All numbers are read, and of each episode and camera the first and the last picture.

    Raises:
        VlaError: something is missing, cut off or of another kind.
    """
    spec, tasks = reader.spec, dict[str, None]()
    lowest, highest = np.full(len(spec.joints), np.inf), np.full(len(spec.joints), -np.inf)
    for episode in reader.episodes:
        numbers = reader.numbers(episode.index)
        tasks |= dict.fromkeys(numbers.tasks)
        lowest = np.minimum(lowest, numbers.state.min(0))
        highest = np.maximum(highest, numbers.state.max(0))
        for camera in spec.cameras:
            for _ in reader.images(episode.index, camera, sorted({0, episode.length - 1})):
                pass
    frames = sum(episode.length for episode in reader.episodes)
    ranges = zip(spec.joints, np.degrees(lowest).round(1).tolist(), np.degrees(highest).round(1).tolist())
    return {
        'robot': spec.robot,
        'episodes': len(reader.episodes),
        'frames': frames,
        'fps': spec.fps,
        'cameras': {name: f'{width} x {height}' for name, (height, width) in spec.cameras.items()},
        'tasks': len(tasks),
        'degrees': {joint: (low, high) for joint, low, high in ranges} if reader.episodes else {},
    }
