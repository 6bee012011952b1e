"""Generation 1 against generation 2 in training: the same held-out looks, thoughts and steps, before anything moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vla_ros.action.bins import Bins
from vla_ros.training.action import Chunks, Statistics
from vla_ros.training.flow import FlowHead, integrate
from vla_ros.training.token_lessons import relative, stacked
from vla_ros.training.token_model import TokenModel
from vla_ros.types import DoubleArray

BATCH = 50
MOST = 500
"""Held-out looks that are measured."""


@torch.no_grad()
def against_flow(
    model: TokenModel,
    head: FlowHead,
    held_out: Chunks,
    moments: Statistics,
    bins: Bins,
    every: int,
    most: int = MOST,
) -> dict[str, Any]:
    """Token accuracy, each token with the true ones before it; errors in rad of chunks that each makes by itself.

    ``bins`` alone has an error, too: that of the true chunk put into bins and out again.
    """
    model.eval()
    head.eval()
    generator = torch.Generator().manual_seed(0)
    right: list[Any] = []
    clipped: list[Any] = []
    errors: dict[str, list[DoubleArray]] = {'generation_1': [], 'generation_2': [], 'bins': []}
    chosen = np.linspace(0, len(held_out) - 1, min(most, len(held_out))).astype(int)
    for start in range(0, len(chosen), BATCH):
        # One draw of each sample, so that both are asked with the same thought.
        samples = [held_out[int(index)] for index in chosen[start : start + BATCH]]
        true = np.stack([relative(sample['actions'], moments, every) for sample in samples])
        encoded = bins.encode(true)
        batch = stacked(samples)
        seen = batch['tokens'], batch['thought'], batch['state']
        ids = torch.from_numpy(encoded.bins.reshape(len(samples), -1)) + model.actions.start
        right.append((model.guesses(*seen, ids) == ids).numpy())
        clipped.append(encoded.clipped)
        written = (model.decode(*seen) - model.actions.start).numpy().reshape(true.shape)
        noise = torch.randn(batch['actions'].shape, generator=generator)
        clean = torch.zeros(noise.shape[:2], dtype=torch.bool)
        flowed = integrate(head, noise, *seen, torch.zeros_like(noise), clean)
        errors['generation_1'].append(bins.decode(written) - true)
        errors['generation_2'].append(relative(flowed, moments, every) - true)
        errors['bins'].append(bins.decode(encoded.bins) - true)
    return {
        'token_accuracy': float(np.concatenate(right).mean()),
        'clipped': float(np.concatenate(clipped).mean()),
        **{name: _errors(found) for name, found in errors.items()},
    }


def _errors(found: list[DoubleArray]) -> dict[str, float]:
    error = np.abs(np.concatenate(found))
    return {'mean_absolute_error_rad': float(error.mean()), 'p95_error_rad': float(np.percentile(error, 95))}
