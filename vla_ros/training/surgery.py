"""Vocabulary surgery: a language model gets words for actions (RT-2, arXiv 2307.15818, section 3.2).

RT-2 takes the words from those that the vocabulary has and hardly uses, because its tokenizer could not grow. Ours can:
the 256 action tokens come behind all others, and nothing that the model has learned of these is touched. A tokenizer
that has them already, as ours does, gets no second set.
"""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import AddedToken
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from vla_ros.action.action_tokens import action_tokens
from vla_ros.types import VlaError


def add_action_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> range:
    """The ids of the action tokens, which model and tokenizer have from now on; any Llama or LLaVA will do.

    New rows of embedding and head are the mean of all others: a new word is then never the likeliest one by chance, and
    what the model said before it says still (Hewitt, Initializing New Word Embeddings for Pretrained Language Models,
    2021). All other rows stay as they are, to the bit.

    Raises:
        VlaError: the tokenizer has some of the tokens only, or has them scattered; or another row was altered.
    """
    ids = _ids(tokenizer)
    tables: list[Any] = _tables(model)
    before = [table.weight.detach().clone() for table in tables]
    rows = before[0].shape[0]
    new = range(max(ids.start, rows), ids.stop)
    if new:
        model.resize_token_embeddings(max(rows, ids.stop), mean_resizing=False)
        tables = _tables(model)
        for table, old in zip(tables, before):
            with torch.no_grad():
                table.weight[new.start : new.stop] = old[: min(ids.start, rows)].mean(0)
    for table, old in zip(tables, before):
        require_same_rows(old, table.weight.detach())
    return ids


def require_same_rows(before: Tensor, after: Tensor) -> None:
    """Raise VlaError unless the rows (V, width) of before are still there, to the bit."""
    kept = after[: len(before)]
    altered = (
        (kept != before).any(1) if kept.shape == before.shape else torch.ones(len(before), dtype=torch.bool)
    )
    if altered.any():
        raise VlaError(
            f'vocabulary: expected all {len(before)} rows that there were to stay as they are, found '
            f'{int(altered.sum())} altered'
        )


def _tables(model: PreTrainedModel) -> list[Any]:
    """The embedding, and the head if it is not the same."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    return [embedding] if head is None or head.weight is embedding.weight else [embedding, head]


def _ids(tokenizer: PreTrainedTokenizerFast) -> range:
    """The ids of the action tokens, which the tokenizer is given if it has none of them."""
    wanted = action_tokens()
    missing = set(wanted) - set(tokenizer.get_vocab())
    if missing and len(missing) < len(wanted):
        raise VlaError(
            f'tokenizer: expected all {len(wanted)} action tokens or none, found {len(wanted) - len(missing)}'
        )
    if missing:
        tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in wanted])
    ids = tokenizer.convert_tokens_to_ids(wanted)
    if ids != list(range(ids[0], ids[0] + len(ids))):
        raise VlaError(
            'tokenizer: expected the action tokens in a row, in the order of their bins, found another'
        )
    return range(ids[0], ids[-1] + 1)
