"""A recorded run as a film, drawn by several processes."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vla_ros.evaluation.bag import read_bag
from vla_ros.evaluation.segments import segments
from vla_ros.sim.scene import Scene
from vla_ros.types import ImageArray
from vla_ros.viz.frame import BEAUTY, FrameMaker
from vla_ros.viz.outside_view import OutsideView, load_state_log
from vla_ros.viz.style import Box
from vla_ros.viz.video import write_video

LEAD, TRAIL = 0.6, 1.2
"""Seconds before the first instruction and after the last outcome."""


@dataclass(frozen=True)
class Script:
    """What a film is made of.

    Attributes:
        bag: folder of the recorded topics.
        state_log: what the simulator left, or None for a film without an outside view.
        scene: of the simulator.
        location_bins: of the model that wrote the traces.
        footer: a line at the bottom of every frame.
        rate: frames a second.
        shadows: draw them in the outside view; about half of the time goes there.
    """

    bag: Path
    state_log: Path | None
    scene: Scene
    location_bins: int
    footer: str = ''
    rate: int = 12
    shadows: bool = True


_makers: tuple[FrameMaker, OutsideView | None] | None = None  # of this worker process


def make_film(
    path: Path, script: Script, *, workers: int = 2, on_frame: Callable[[int, int], None] | None = None
) -> int:
    """Draw and encode the film; returns the number of frames.

    Args:
        on_frame: told how many of how many frames are done.
    """
    times = frame_times(script)

    def frames() -> Iterator[ImageArray]:
        context = multiprocessing.get_context('spawn')
        with ProcessPoolExecutor(workers, context, _prepare, (script,)) as pool:
            for count, image in enumerate(pool.map(_draw, times, chunksize=8), start=1):
                if on_frame is not None:
                    on_frame(count, len(times))
                yield image

    return write_video(path, frames(), script.rate)


def affordable(script: Script, workers: int, seconds: float) -> Script:
    """The script as it is or, if its outside view would take longer than ``seconds`` to draw here, without shadows."""
    if script.state_log is None or not script.shadows:
        return script
    log = load_state_log(script.state_log)
    view = OutsideView(script.scene, log, *_size(BEAUTY))
    view.at(float(log.times[0]))  # the first picture also pays for what all share
    begun = time.perf_counter()
    view.at(float(log.times[-1]))
    cost = (time.perf_counter() - begun) * len(frame_times(script)) / workers
    return script if cost <= seconds else replace(script, shadows=False)


def frame_times(script: Script) -> list[float]:
    """When each frame is taken: from a little before the first instruction to a little after the last outcome."""
    recording = read_bag(script.bag)
    cut = segments(recording)
    begins = max(recording.begins, cut[0].begins - LEAD) if cut else recording.begins
    ends = min(recording.ends, cut[-1].ended + TRAIL) if cut else recording.ends
    return [float(moment) for moment in np.arange(begins, ends, 1 / script.rate)] or [begins]


def _prepare(script: Script) -> None:
    global _makers
    outside = None
    if script.state_log is not None:
        log = load_state_log(script.state_log)
        outside = OutsideView(script.scene, log, *_size(BEAUTY), shadows=script.shadows)
    _makers = FrameMaker(read_bag(script.bag), script.location_bins, script.footer), outside


def _draw(moment: float) -> ImageArray:
    assert _makers is not None  # the initialiser ran
    maker, outside = _makers
    return maker.frame(moment, outside.at(moment) if outside is not None else None)


def _size(box: Box) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]
