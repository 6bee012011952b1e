"""Next-token training and measuring of a decoder: -log p(token | those before it in its document), in nats."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM

from vla_ros.training.packing import IGNORED, Packed

ROWS = 16
"""Rows that are measured at a time."""


def token_losses(model: LlamaForCausalLM, ids: Tensor, positions: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy (rows, length) of each label given the tokens before it; 0 where a label is IGNORED."""
    states = model.model(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state
    counted = labels[:, 1:] != IGNORED
    logits = model.lm_head(states[:, :-1][counted]).float()
    losses = torch.zeros(labels.shape, dtype=torch.float32, device=logits.device)
    losses[:, 1:][counted] = functional.cross_entropy(logits, labels[:, 1:][counted], reduction='none')
    return losses


class CausalTrainer(nn.Module):
    """A decoder with its loss, as ``loop.fit`` wants it."""

    def __init__(self, model: LlamaForCausalLM) -> None:
        super().__init__()
        self.decoder = model.model
        # A head that is the embedding again would be a weight under two names, which no checkpoint may have.
        self.head = None if model.config.tie_word_embeddings else model.lm_head
        self._model = (model,)  # in a tuple, so that torch does not count its weights again

    def forward(self, ids: Tensor, positions: Tensor, labels: Tensor) -> dict[str, Tensor]:
        losses = token_losses(self._model[0], ids, positions, labels)
        return {'loss': losses.sum() / (labels[:, 1:] != IGNORED).sum()}


@dataclass(frozen=True)
class Surprise:
    """How surprised a model is by a text: ``nats`` in all, over ``tokens`` that stand for ``bytes``."""

    nats: float
    tokens: int
    bytes: int

    @property
    def perplexity(self) -> float:
        """A token: exp of the mean of -log p. Only comparable where the tokenizer is the same."""
        return math.exp(self.nats / self.tokens)

    @property
    def bits_per_byte(self) -> float:
        """-log2 p a byte of text: comparable whatever the tokenizer."""
        return self.nats / math.log(2) / self.bytes

    def as_dict(self) -> dict[str, float]:
        """For a JSON report."""
        return {
            'perplexity': round(self.perplexity, 3),
            'bits_per_byte': round(self.bits_per_byte, 4),
            'tokens': self.tokens,
            'bytes': self.bytes,
        }


@torch.no_grad()
def losses_of(model: LlamaForCausalLM, rows: Packed) -> Tensor:
    """-log p (R, L) of each token; 0 where nothing is predicted."""
    model.eval()
    ids, positions, labels = (torch.from_numpy(x) for x in (rows.ids, rows.positions, rows.labels))
    found = [
        token_losses(model, ids[i : i + ROWS], positions[i : i + ROWS], labels[i : i + ROWS])
        for i in range(0, len(ids), ROWS)
    ]
    return torch.cat(found)
