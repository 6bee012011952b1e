"""Direct Preference Optimization (Rafailov et al., arXiv 2305.18290, equation 7).

    loss = -log sigmoid(beta ((log p(c) - log p_ref(c)) - (log p(r) - log p_ref(r))))

for a chosen answer c and a rejected one r to the same question, p the model that learns and p_ref the one it was. The
reference is frozen, so what it says of each pair is worked out once, before, and kept: no second model in memory. Added
to it is a share of -log p(c) / length, without which the chosen answer may lose probability, too, as long as the
rejected one loses more (arXiv 2404.19733, equation 1): places have to stay precise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset
from tqdm import tqdm

from vla_ros.training.language import IGNORED, LanguageTrainer

ANCHOR = 1.0
"""Weight of -log p(chosen) a token."""
PAIRS = 16
"""Pairs that the reference reads at a time."""


def dpo_losses(chosen: Tensor, rejected: Tensor, reference: Tensor, beta: float) -> Tensor:
    """The loss (B,) from log-probabilities (B,) of whole answers and those of the reference (B, 2), chosen first."""
    margin = (chosen - reference[:, 0]) - (rejected - reference[:, 1])
    return -functional.logsigmoid(beta * margin)


def answer_log_probs(trainer: LanguageTrainer, visual: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
    """log p (B,) of the labelled tokens, given the picture and what stands before them."""
    states = trainer.hidden(visual, ids)[:, visual.shape[1] - 1 : -1]
    counted = labels != IGNORED
    found = torch.zeros(labels.shape, device=ids.device)
    scores = trainer.head(states[counted]).float()
    found[counted] = -functional.cross_entropy(scores, labels[counted], reduction='none')
    return found.sum(-1)


class DpoTrainer(nn.Module):
    """The model that learns, with its loss, as ``loop.fit`` wants it."""

    def __init__(self, trainer: LanguageTrainer, beta: float, anchor: float = ANCHOR) -> None:
        super().__init__()
        self.trainer, self.beta, self.anchor = trainer, beta, anchor

    def forward(self, visual: Tensor, ids: Tensor, labels: Tensor, reference: Tensor) -> dict[str, Tensor]:
        """ids and labels: (2 B, length), the chosen answers, then the rejected ones to the same B pictures."""
        log_probs = answer_log_probs(self.trainer, visual.repeat(2, 1, 1), ids, labels)
        chosen, rejected = log_probs.chunk(2)
        length = (labels.chunk(2)[0] != IGNORED).sum(-1)
        losses = dpo_losses(chosen, rejected, reference, self.beta) - self.anchor * chosen / length
        return {'loss': losses.mean()}


class Pairs(Dataset[dict[str, Any]]):
    """Samples of chosen and rejected answers, with what the reference says of them."""

    def __init__(
        self,
        chosen: Sequence[dict[str, Any]],
        rejected: Sequence[dict[str, Any]],
        reference: npt.NDArray[Any],
    ) -> None:
        """reference: (pairs, 2) log-probabilities, chosen first."""
        self.chosen, self.rejected, self._reference = chosen, rejected, reference

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {
            'chosen': self.chosen[index],
            'rejected': self.rejected[index],
            'reference': self._reference[index],
        }


def collate_pairs(pairs: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """A batch for ``DpoTrainer``, padded on the right."""
    answers = [pair[side] for side in ('chosen', 'rejected') for pair in pairs]
    longest = max(len(answer['ids']) for answer in answers)

    def padded(key: str, fill: int) -> Tensor:
        return torch.tensor([a[key] + [fill] * (longest - len(a[key])) for a in answers])

    visual = np.stack([pair['chosen']['visual'] for pair in pairs]).astype(np.float32)
    return {
        'visual': torch.from_numpy(visual),
        'ids': padded('ids', 0),
        'labels': padded('labels', IGNORED),
        'reference': torch.from_numpy(np.stack([pair['reference'] for pair in pairs]).astype(np.float32)),
    }


@torch.no_grad()
def pair_log_probs(trainer: LanguageTrainer, pairs: Pairs) -> npt.NDArray[np.float64]:
    """log p (pairs, 2) of the chosen and the rejected answers."""
    trainer.eval()
    found = []
    for start in tqdm(range(0, len(pairs), PAIRS), desc='log-probabilities', unit='batch'):
        batch = collate_pairs([pairs[i] for i in range(start, min(start + PAIRS, len(pairs)))])
        both = answer_log_probs(trainer, batch['visual'].repeat(2, 1, 1), batch['ids'], batch['labels'])
        found.append(torch.stack(both.chunk(2), -1).double().numpy())
    return np.concatenate(found)
