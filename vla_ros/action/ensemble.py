"""Temporal ensembling: each step is an average over all chunks that have an opinion about its time.

With the weights of ACT (arXiv 2304.13705, section IV-A and algorithm 2): ``exp(-m i)`` for the i-th chunk, the oldest
being i = 0, so that a small m takes new observations up sooner. ACT asks its policy at every step; here chunks may
come at any time, and older ones are read between their steps along straight lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from vla_ros.action.stitch import ExecutingPlan
from vla_ros.types import NANOSECONDS, ActionChunk, DoubleArray


@dataclass(frozen=True)
class TemporalEnsemble:
    """See the module; ``decay`` is m."""

    decay: float = 0.01
    name: ClassVar[str] = 'ensemble'
    gives_prefix: ClassVar[bool] = False

    def merge(
        self, chunk: ActionChunk, earlier: Sequence[ActionChunk], plan: ExecutingPlan | None, starts: int
    ) -> ActionChunk:
        """The weighted average of the chunk and those before it, oldest first."""
        times = np.arange(1, len(chunk.positions) + 1) * float(chunk.dt)
        total, weights = np.zeros_like(chunk.positions), np.zeros(len(times))
        rank = np.zeros(len(times))  # of the next chunk among those with an opinion about each step
        for one in (*earlier, chunk):
            since = times + np.float64((chunk.stamp - one.stamp) / NANOSECONDS)
            values, has_opinion = _read(one, since)
            weight = np.where(has_opinion, np.exp(-self.decay * rank), 0.0)
            total += weight[:, None] * values
            weights += weight
            rank += has_opinion
        return ActionChunk(chunk.stamp, chunk.dt, total / weights[:, None])


def _read(chunk: ActionChunk, times: DoubleArray) -> tuple[DoubleArray, npt.NDArray[np.bool_]]:
    """Positions (N, J) of a chunk at seconds after its stamp, and where (N,) it has any."""
    due = np.arange(1, len(chunk.positions) + 1) * chunk.dt
    values = np.stack([np.interp(times, due, column) for column in chunk.positions.T], axis=1)
    return values, (times > due[0] - 1e-6) & (times < due[-1] + 1e-6)
