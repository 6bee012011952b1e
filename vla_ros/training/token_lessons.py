"""What generation 1 learns from: the chunks of the flow-matching head in bins, among traces of System 2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from vla_ros.action.bins import Bins
from vla_ros.training.action import Statistics
from vla_ros.training.language import collate
from vla_ros.training.loop import fresh_generator
from vla_ros.types import DoubleArray, VlaError


def steps_of(horizon: int, every: int) -> slice:
    """Every ``every``-th step of a chunk, the last one among them.

    Raises:
        VlaError: they do not come out even.
    """
    if not 0 < every <= horizon or horizon % every:
        raise VlaError(f'every: expected a divisor of the {horizon} steps of a chunk, found {every}')
    return slice(every - 1, None, every)


class ChunkTokens(Dataset[dict[str, Tensor]]):
    """Samples of ``action.Chunks`` with the chunk as action tokens ``ids`` (steps x joints,), step by step."""

    def __init__(
        self, chunks: Dataset[dict[str, Tensor]], moments: Statistics, bins: Bins, first: int, every: int
    ) -> None:
        """``first`` is the token of bin 0."""
        self._chunks, self._moments, self._bins = chunks, moments, bins
        self._first, self._every = first, every

    def __len__(self) -> int:
        return len(self._chunks)  # type: ignore[arg-type]

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        sample = self._chunks[index]
        bins = self._bins.encode(self.relative(sample)).bins
        kept = {name: sample[name] for name in ('tokens', 'thought', 'state', 'patch')}
        return kept | {'ids': torch.from_numpy(bins.ravel() + self._first)}

    def relative(self, sample: dict[str, Tensor]) -> DoubleArray:
        """(steps, joints) the relative actions of a sample of the chunks, in rad."""
        return relative(sample['actions'], self._moments, self._every)


def relative(actions: Tensor, moments: Statistics, every: int) -> DoubleArray:
    """Normalised actions (..., horizon, joints) as relative ones in rad, every ``every``-th step."""
    steps = steps_of(actions.shape[-2], every)
    return np.asarray(actions[..., steps, :].numpy().astype(float) * moments.action_std + moments.action_mean)


class Mixed(Dataset[dict[str, Any]]):
    """As many samples as there are chunks, of which a ``share`` is a trace instead, drawn anew each time."""

    def __init__(self, chunks: ChunkTokens, traces: Dataset[dict[str, Any]], share: float) -> None:
        if not 0 <= share < 1:
            raise VlaError(f'share of traces: expected 0 or more and less than 1, found {share:g}')
        self._chunks, self._traces, self._share = chunks, traces, share

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = fresh_generator()
        if rng.random() >= self._share:
            return self._chunks[index]
        return self._traces[int(rng.integers(len(self._traces)))]  # type: ignore[arg-type]


def collate_mixed(samples: Sequence[dict[str, Any]]) -> dict[str, dict[str, Tensor]]:
    """A batch for ``TokenModel``: its chunks, and its traces padded; what it has none of is left out."""
    traces = [sample for sample in samples if 'labels' in sample]
    chunks = [sample for sample in samples if 'labels' not in sample]
    batch = {'traces': collate(traces)} if traces else {}
    return batch | ({'chunks': stacked(chunks)} if chunks else {})


def stacked(samples: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Samples of chunks as one batch."""
    return {key: torch.stack([sample[key] for sample in samples]) for key in samples[0]}
