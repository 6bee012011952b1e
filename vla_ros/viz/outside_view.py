"""The robot from outside, drawn anew from the simulator's log of states: sharper than its cameras, and with shadows."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

import cv2
import mujoco
import numpy as np

from vla_ros.sim.cameras import Camera
from vla_ros.sim.model import build_model
from vla_ros.sim.scene import Scene
from vla_ros.types import DoubleArray, ImageArray, VlaError

SAME = 2e-4
"""Two states that differ by less than this (rad, m) in every coordinate look alike and are drawn once."""
EDGE_CONTRAST = (12.0, 52.0)
"""Steps of brightness between neighbours at which an edge begins to be smoothed, and is smoothed fully."""


@dataclass(frozen=True)
class StateLog:
    """``times`` (N,) seconds, not decreasing, and the state ``qpos`` (N, Q) of the simulated world at each."""

    times: DoubleArray
    qpos: DoubleArray

    def at(self, time: float) -> DoubleArray:
        """The newest state that is not later than ``time``, or the first."""
        state: DoubleArray = self.qpos[max(0, bisect_right(self.times, time) - 1)]
        return state


def load_state_log(path: Path) -> StateLog:
    """Read the log that the simulator leaves, with those of later episodes beside it: log.npz, log_1.npz, ...

    Raises:
        VlaError: no such file, or one without equally long ``times`` and ``qpos``.
    """
    logs = sorted(
        (_load(part) for part in (path, *path.parent.glob(f'{path.stem}_*.npz'))),
        key=lambda log: log.times[0],
    )
    if len({log.qpos.shape[1] for log in logs}) > 1:
        raise VlaError(f'{path}: expected episodes of one scene, found several')
    return StateLog(np.concatenate([log.times for log in logs]), np.concatenate([log.qpos for log in logs]))


def _load(path: Path) -> StateLog:
    try:
        with np.load(path) as content:
            log = StateLog(content['times'], content['qpos'])
    except (OSError, KeyError, ValueError) as error:
        raise VlaError(
            f'{path}: expected a state log of the simulator with times and qpos: {error}'
        ) from error
    if log.times.ndim != 1 or log.qpos.ndim != 2 or len(log.times) != len(log.qpos) or not len(log.times):
        raise VlaError(
            f'{path}: expected times (N,) and qpos (N, Q), found {log.times.shape} and {log.qpos.shape}'
        )
    return log


class OutsideView:
    """Draws states of one scene with the 'beauty' camera."""

    def __init__(
        self, scene: Scene, log: StateLog, width: int, height: int, *, shadows: bool = True, samples: int = 1
    ) -> None:
        self._log = log
        self._model = build_model(scene)
        self._data = mujoco.MjData(self._model)
        if log.qpos.shape[1] != self._model.nq:
            raise VlaError(
                f'state log: expected {self._model.nq} coordinates for this scene, found {log.qpos.shape[1]}'
            )
        self._camera = Camera(
            self._model, 'beauty', width, height, scene=scene, shadows=shadows, samples=samples
        )
        self._drawn: tuple[DoubleArray, ImageArray] | None = None

    def at(self, time: float) -> ImageArray:
        """The picture (height, width, 3) at ``time``, seconds of the log."""
        state = self._log.at(time)
        if self._drawn is not None and np.abs(state - self._drawn[0]).max() < SAME:
            return self._drawn[1]
        self._data.qpos[:] = state
        mujoco.mj_forward(self._model, self._data)
        self._drawn = state, smooth_edges(self._camera.render(self._data))
        return self._drawn[1]


def smooth_edges(image: ImageArray) -> ImageArray:
    """Blur an image (H, W, 3) only where it has hard edges: a hundredth of what more rays a pixel would cost."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    contrast = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    low, high = EDGE_CONTRAST
    share = np.clip((contrast - low) / (high - low), 0.0, 1.0)[..., None]
    blurred = cv2.GaussianBlur(image, (3, 3), 0.8).astype(np.float32)
    return np.asarray(image * (1 - share) + blurred * share + 0.5, np.uint8)
