"""The robot's numbers as GR00T was trained on them, and back. Pure functions.

Its conventions (gr00t/data/utils.py and state_action_processor.py of NVIDIA/Isaac-GR00T): a number whose bounds are
equal is 0, one without deviation stays as it is; actions between bounds are clipped to -1..1, by their deviation they
are not; an action that is relative is added to the state after that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vla_ros.action.groot.model import ActionSpec, ScaleSpec, StateSpec
from vla_ros.types import DoubleArray, FloatArray


def state_vector(
    vectors: Mapping[str, FloatArray], parts: Sequence[StateSpec], width: int, *, clip: bool
) -> FloatArray:
    """The parts (K,) behind each other, normalised, and filled up with zeros to (width,)."""
    numbers = np.concatenate([_normalised(vectors[part.key], part.scale, clip=clip) for part in parts])
    filled = np.zeros(width, np.float32)
    filled[: len(numbers)] = numbers
    return filled


def action_parts(
    chunk: FloatArray, vectors: Mapping[str, FloatArray], parts: Sequence[ActionSpec]
) -> dict[str, DoubleArray]:
    """Of a normalised chunk (horizon, at least all widths), by key the numbers (horizon, K) in the units of the data.

    Args:
        vectors: the state that the model was asked with, in the units of the data.
    """
    found: dict[str, DoubleArray] = {}
    first = 0
    for part in parts:
        numbers = _plain(chunk[:, first : first + part.width].astype(np.float64), part.scale)
        found[part.key] = numbers if part.added_to is None else numbers + vectors[part.added_to]
        first += part.width
    return found


def _normalised(numbers: FloatArray, scale: ScaleSpec, *, clip: bool) -> DoubleArray:
    x = numbers.astype(np.float64)
    if scale.kind == 'circle':
        return np.concatenate([np.sin(x), np.cos(x)])
    first, second = np.array(scale.first[0]), np.array(scale.second[0])
    if scale.kind == 'deviation':
        spread = second != 0.0
        return np.where(spread, (x - first) / np.where(spread, second, 1.0), x)
    apart = ~np.isclose(second, first)
    between = np.where(apart, 2.0 * (x - first) / np.where(apart, second - first, 1.0) - 1.0, 0.0)
    return np.clip(between, -1.0, 1.0) if clip else between


def _plain(numbers: DoubleArray, scale: ScaleSpec) -> DoubleArray:
    first, second = np.array(scale.first), np.array(scale.second)
    if scale.kind == 'deviation':
        return np.where(second != 0.0, numbers * second + first, numbers)
    return (np.clip(numbers, -1.0, 1.0) + 1.0) / 2.0 * (second - first) + first
