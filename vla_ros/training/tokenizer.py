"""The tokenizer: byte-level BPE, trained on English and on the orders and traces that the model will read and write.

Byte-level, so that any word a person types can be read; the special tokens for thinking, answering, images, locations,
actions and the ends of documents are never split and cannot be typed (see ``vla_ros.reasoning.prompt.plain``).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from vla_ros.action.action_tokens import action_tokens
from vla_ros.reasoning import prompt, trace
from vla_ros.types import VlaError

BOUNDARY = '<|end|>'
"""Stands at the beginning and at the end of each document of the corpus."""


def special_tokens(bins: int) -> list[str]:
    """Every token that stands for itself, in the order of their ids."""
    roles = [prompt.PAD, prompt.IMAGE, prompt.USER, prompt.STATE, prompt.ASSISTANT]
    return [
        *roles,
        trace.THINK,
        trace.END_THINK,
        trace.ANSWER,
        trace.END_ANSWER,
        *trace.location_tokens(bins),
        BOUNDARY,
        *action_tokens(),
    ]


def train_tokenizer(texts: Iterable[str], bins: int, vocabulary: int) -> PreTrainedTokenizerFast:
    """A Hugging Face tokenizer with at most ``vocabulary`` tokens, special tokens included."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special_tokens(bins),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=prompt.PAD,
        eos_token=trace.END_ANSWER,
        clean_up_tokenization_spaces=False,
    )


def load_tokenizer(out: Path) -> PreTrainedTokenizerFast:
    """The tokenizer that the stages in ``out`` share.

    Raises:
        VlaError: there is none, or it is one without the token that parts documents.
    """
    path = out / 'tokenizer' / 'tokenizer.json'
    if not path.is_file():
        raise VlaError(f'{path} is missing; run `vla_ros train tokenizer` first')
    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(path.parent))
    if BOUNDARY not in tokenizer.get_vocab():
        raise VlaError(
            f'{path}: expected the token {BOUNDARY}, found none; run `vla_ros train tokenizer` again'
        )
    return tokenizer
