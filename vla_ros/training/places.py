"""Places as words that have neighbours: how System 2 learns to write where things are.

Location tokens start from embeddings in which near bins are near; a place that is one bin off counts as almost right;
and one attention head is taught to look at the patch that a place is in while the place is written. As unrelated words
the places of a scene stay guesses for thousands of steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

NEIGHBOURHOODS = (3.0, 12.0, 40.0)
"""Distances in bins over which the embeddings of locations are alike at first."""
BLUR = 1.5
"""Standard deviation in bins of the places that are taught instead of one place alone."""


def locations(tokenizer: PreTrainedTokenizerFast) -> range:
    """The ids of the location tokens, which stand in a row."""
    ids = [i for token, i in tokenizer.get_vocab().items() if token.startswith('<loc_')]
    return range(min(ids), max(ids) + 1)


def place_embeddings(bins: int, width: int) -> Tensor:
    """(bins, width), unit variance: the nearer two bins are, the more alike, over several distances at once."""
    apart = torch.arange(bins)[:, None] - torch.arange(bins)[None]
    kernel = sum(torch.exp(-0.5 * (apart / reach) ** 2) for reach in NEIGHBOURHOODS)
    values, vectors = torch.linalg.eigh(torch.as_tensor(kernel, dtype=torch.float64))
    features = vectors * values.clamp(min=0).sqrt()  # features @ features.T is the kernel
    turn = torch.linalg.qr(torch.randn(max(bins, width), width, dtype=torch.float64)).Q[:bins]
    embedded = (features @ turn).float()
    return embedded / embedded.std()


def word_losses(logits: Tensor, labels: Tensor, places: range) -> Tensor:
    """Cross-entropy (N,) of ``labels`` (N,); a place is taught as a bell over its neighbours, not as itself alone."""
    scores = logits.log_softmax(-1)
    losses = -scores.gather(1, labels[:, None])[:, 0]
    if not places:
        return losses
    bins = torch.arange(len(places))
    bells = (-0.5 * ((bins - (labels - places.start)[:, None]) / BLUR) ** 2).softmax(-1)
    blurred = -(bells * scores[:, places.start : places.stop]).sum(-1)
    is_place = (labels >= places.start) & (labels < places.stop)
    return torch.where(is_place, blurred, losses)


def patches_of(labels: Tensor, places: range, patches: int) -> Tensor:
    """The patch (batch, length), row by row in a square, that a pair of locations lies in; -1 at all other labels."""
    found = torch.full_like(labels, -1)
    is_place = (labels >= places.start) & (labels < places.stop)
    first = is_place[:, :-1] & is_place[:, 1:]
    # Places come in pairs: of three in a row the second begins no pair.
    for i in range(1, first.shape[1]):
        first[:, i] &= ~first[:, i - 1]
    grid = math.isqrt(patches)
    row, at = first.nonzero(as_tuple=True)
    x, y = ((labels[row, at + k] - places.start) * grid // len(places) for k in (0, 1))
    found[row, at] = found[row, at + 1] = y * grid + x
    return found


def pointing_loss(looks: Tensor, patches: Tensor) -> Tensor:
    """-log of the attention ``looks`` (batch, length, patches) that goes to ``patches`` (batch, length), -1 for any."""
    told = patches >= 0
    seen = looks[told].gather(1, patches[told][:, None])
    return -(seen.float() + 1e-6).log().sum() / told.sum().clamp(min=1)
