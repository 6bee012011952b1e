"""The text half of supervised fine-tuning: questions without a picture, of which the answer is learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from vla_ros.training.corpus import GENERATED_FROM
from vla_ros.training.dialogues import Dialogue, dialogues
from vla_ros.training.packing import IGNORED
from vla_ros.training.tokenizer import BOUNDARY

SHARE = 0.1
"""Text answers in supervised fine-tuning, for each picture."""


class TextAnswers(Dataset[dict[str, Any]]):
    """Dialogues as samples of ``language.collate``, with a blank for the picture that nothing attends to."""

    def __init__(
        self, said: Sequence[Dialogue], tokenizer: PreTrainedTokenizerFast, visual: tuple[int, ...]
    ) -> None:
        """visual: shape (tokens, channels) of a picture's tokens."""
        self._said, self._tokenizer = said, tokenizer
        self._blank = np.zeros(visual, np.float16)

    def __len__(self) -> int:
        return len(self._said)

    def __getitem__(self, index: int) -> dict[str, Any]:
        question, answer = self._said[index].turns
        asked = self._tokenizer(question)['input_ids']
        told = self._tokenizer(answer + BOUNDARY)['input_ids']
        return {
            'visual': self._blank,
            'seen': False,
            'ids': asked + told,
            'labels': [IGNORED] * len(asked) + told,
            'weights': [0.0] * len(asked) + [1.0] * len(told),
        }


def draw_text_answers(
    pictures: int, tokenizer: PreTrainedTokenizerFast, visual: tuple[int, ...]
) -> TextAnswers:
    """As many as belong to ``pictures`` pictures."""
    return TextAnswers(list(dialogues(int(SHARE * pictures), GENERATED_FROM)), tokenizer, visual)
