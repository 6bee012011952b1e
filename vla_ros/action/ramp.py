"""Freeze and ramp: for policies that were not trained to continue a prefix, without gradients.

The steps that pass while the policy thinks are frozen to the present plan; from there on the weight of the plan
falls with the soft mask of real-time chunking (arXiv 2506.07339, equation 5), until the chunk that the plan was
made of ends. There the mask weighs a correction inside of the flow; here, as in an average of chunks, the plan
against the new chunk, which needs neither the flow's steps nor their gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from vla_ros.action.stitch import ExecutingPlan, planned_prefix
from vla_ros.types import NANOSECONDS, ActionChunk, DoubleArray


@dataclass(frozen=True)
class FreezeAndRamp:
    """See the module."""

    name: ClassVar[str] = 'ramp'
    gives_prefix: ClassVar[bool] = False

    def merge(
        self, chunk: ActionChunk, earlier: Sequence[ActionChunk], plan: ExecutingPlan | None, starts: int
    ) -> ActionChunk:
        """The plan at first, the chunk later, with soft weights in between."""
        if plan is None or not earlier:
            return chunk
        horizon, step = len(chunk.positions), chunk.dt * NANOSECONDS
        last = earlier[-1]
        known_until = last.stamp + len(last.positions) * last.dt * NANOSECONDS
        overlap = math.floor((known_until - chunk.stamp) / step + 1e-6)
        delay = math.floor((starts - chunk.stamp) / step + 1e-6)
        weights = soft_mask(horizon, delay, overlap)[:, None]
        planned = planned_prefix(plan, chunk.stamp, chunk.dt, horizon)
        return ActionChunk(chunk.stamp, chunk.dt, weights * planned + (1 - weights) * chunk.positions)


def soft_mask(horizon: int, delay: int, overlap: int) -> DoubleArray:
    """The weights (horizon,) of what was decided before.

    1 for the first ``delay`` steps, 0 from step ``overlap`` on, and in between, with
    ``c = (overlap - i) / (overlap - delay + 1)``, ``c (e^c - 1) / (e - 1)``. In the terms of arXiv 2506.07339,
    delay is d and overlap is H - s.
    """
    overlap = min(max(overlap, 0), horizon)
    delay = min(max(delay, 0), overlap)
    falling = (overlap - np.arange(horizon)) / (overlap - delay + 1)
    c = np.clip(falling, 0.0, 1.0)
    mask: DoubleArray = c * np.expm1(c) / (math.e - 1)
    mask[:delay] = 1.0
    return mask
