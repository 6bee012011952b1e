"""How large a vocabulary is worth: what it costs in parameters, and what it saves in tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tqdm import tqdm
from transformers import PreTrainedTokenizerFast

from vla_ros.training.llama import LanguageSize, embedding_share, new_decoder
from vla_ros.training.tokenizer import train_tokenizer

SIZES = (1024, 2048, 4096, 8192, 16384)


def vocabulary_table(
    texts: Sequence[str],
    held_out: Sequence[str],
    bins: int,
    size: LanguageSize,
    vocabularies: Sequence[int] = SIZES,
) -> list[dict[str, Any]]:
    """One row a size: share of the embedding in the decoder's parameters, and bytes of held-out text a token."""
    rows = []
    for vocabulary in tqdm(vocabularies, desc='vocabularies', unit='size'):
        tokenizer = train_tokenizer(texts, bins, vocabulary)
        model = new_decoder(size, tokenizer)
        rows.append(
            {
                'vocabulary': len(tokenizer),
                'parameters': sum(p.numel() for p in model.parameters()),
                'embedding_share': round(embedding_share(model), 3),
                'bytes_per_token': round(bytes_per_token(tokenizer, held_out), 3),
            }
        )
    return rows


def bytes_per_token(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> float:
    """How many bytes of ``texts`` a token stands for, on average."""
    tokens = sum(len(ids) for ids in tokenizer(list(texts))['input_ids'])
    return sum(len(text.encode()) for text in texts) / tokens
