"""How smooth chunks are by themselves, before anything shapes them, and where one goes over into the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.types import NANOSECONDS, ActionChunk, DoubleArray, VlaError


@dataclass(frozen=True)
class ChunkSmoothness:
    """Of many chunks.

    Attributes:
        error: rad, mean absolute difference from the expert's.
        second_difference: rad, mean of |c[i + 1] - 2 c[i] + c[i - 1]| over joints and steps.
        peak_jerk: rad/s^3, the mean over chunks of the largest third difference of any joint over dt^3.
        largest_jerk: rad/s^3, the largest of them.
        boundary_jump: rad (L2 over joints), the mean over pairs of chunks that follow each other of how far the first
            step of the second is from where the first one has the arm then; NaN without such pairs.
        largest_jump: rad, the largest of them.
    """

    error: float
    second_difference: float
    peak_jerk: float
    largest_jerk: float
    boundary_jump: float
    largest_jump: float


def on_grid(chunk: ActionChunk, dt: float, count: int) -> ActionChunk:
    """The ``count`` steps of a chunk that are due every ``dt`` seconds.

    Raises:
        VlaError: it has no such steps.
    """
    every = round(dt / chunk.dt)
    if every < 1 or abs(every * chunk.dt - dt) > 1e-9 or every * count > len(chunk.positions):
        raise VlaError(
            f'chunks: expected {count} steps of {dt:g} s, found {len(chunk.positions)} of {chunk.dt:g} s'
        )
    return ActionChunk(chunk.stamp, dt, chunk.positions[every - 1 :: every][:count])


def measure_chunks(
    chunks: Sequence[ActionChunk], expert: Sequence[ActionChunk], courses: Sequence[int]
) -> ChunkSmoothness:
    """The numbers of chunks on one grid of time; those of the same course follow each other.

    Raises:
        VlaError: fewer than four steps, of which no jerk can be taken.
    """
    positions = np.stack([chunk.positions for chunk in chunks])
    if positions.shape[1] < 4:
        raise VlaError(f'chunks: expected at least 4 steps to measure jerk, found {positions.shape[1]}')
    jerk = np.abs(np.diff(positions, 3, axis=1)).max((1, 2)) / chunks[0].dt ** 3
    pairs = zip(chunks[:-1], chunks[1:], courses[:-1], courses[1:], strict=True)
    jumps = [jump(first, second) for first, second, one, other in pairs if one == other]
    return ChunkSmoothness(
        error=float(np.abs(positions - np.stack([chunk.positions for chunk in expert])).mean()),
        second_difference=float(np.abs(np.diff(positions, 2, axis=1)).mean()),
        peak_jerk=float(jerk.mean()),
        largest_jerk=float(jerk.max()),
        boundary_jump=float(np.mean(jumps)) if jumps else float('nan'),
        largest_jump=float(np.max(jumps)) if jumps else float('nan'),
    )


def jump(first: ActionChunk, second: ActionChunk) -> float:
    """rad: how far the first step of ``second`` is from where ``first`` has the arm at that time."""
    due = _times(second)[0]
    there: DoubleArray = np.array([np.interp(due, _times(first), column) for column in first.positions.T])
    return float(np.linalg.norm(second.positions[0] - there))


def _times(chunk: ActionChunk) -> DoubleArray:
    """Seconds at which the steps are due."""
    return np.asarray(chunk.stamp / NANOSECONDS + chunk.dt * np.arange(1, len(chunk.positions) + 1))
