"""Orders about scenes as text: what System 2 reads and what it is to write, for stages that compare answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerFast

from vla_ros.training.conversations import IGNORED, drawn, weights
from vla_ros.training.labels import Truth

CONCLUSION = ' asked:'
"""Where a trace turns from what is seen to what is asked and what follows."""


@dataclass(frozen=True)
class Example:
    """One order about the scene of index ``scene``: the text before the answer, and a trace."""

    scene: int
    prompt: str
    trace: str


def draw_examples(rng: np.random.Generator, truth: Truth, bins: int, each: int) -> list[list[Example]]:
    """``each`` orders about every scene, possible ones and others, with the traces that are true of it."""
    said = [[drawn(rng, truth, scene, bins) for _ in range(each)] for scene in range(len(truth))]
    return [[Example(i, one.prompt(bins), one.trace) for one in scene] for i, scene in enumerate(said)]


def as_sample(
    example: Example, visual: npt.NDArray[np.float16], tokenizer: PreTrainedTokenizerFast
) -> dict[str, Any]:
    """One sample as ``language.collate`` takes it; what follows from the order counts more than the list before it."""
    asked, answer = tokenizer(example.prompt)['input_ids'], tokenizer(example.trace)['input_ids']
    return {
        'visual': visual,
        'ids': asked + answer,
        'labels': [IGNORED] * len(asked) + answer,
        'weights': [0.0] * len(asked) + weights(tokenizer, example.trace),
    }
