"""The decoder-only transformer: the sizes that every stage shares, and a new one with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from vla_ros.reasoning.trace import END_ANSWER
from vla_ros.training.places import locations, place_embeddings
from vla_ros.types import VlaError


@dataclass(frozen=True)
class LanguageSize:
    """Sizes of the decoder."""

    width: int = 192
    layers: int = 4
    heads: int = 6
    feed_forward: int = 512
    context: int = 256


def decoder_config(size: LanguageSize, tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    """Llama's configuration (arXiv 2302.13971) for a vocabulary; the head is the embedding, tied."""
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.width,
        intermediate_size=size.feed_forward,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids(END_ANSWER),
        pad_token_id=tokenizer.pad_token_id,
    )


def new_decoder(size: LanguageSize, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Random weights; location tokens begin as places that have neighbours."""
    model = LlamaForCausalLM(decoder_config(size, tokenizer))
    seat_places(model, locations(tokenizer))
    return model


@torch.no_grad()
def seat_places(model: PreTrainedModel, places: range) -> None:
    """Give location tokens embeddings that are alike where places are near, as large as those of words."""
    table: Any = model.get_input_embeddings()
    words = table.weight
    words[places.start : places.stop] = place_embeddings(len(places), words.shape[1]) * words.std()


def save_decoder(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """A Hugging Face directory: any tool that knows Llama loads it."""
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))


def load_decoder(folder: Path, tokenizer: PreTrainedTokenizerFast | None = None) -> LlamaForCausalLM:
    """What ``save_decoder`` wrote.

    Raises:
        VlaError: nothing there, or it was trained with another tokenizer than ``tokenizer``.
    """
    if not (folder / 'model.safetensors').is_file():
        raise VlaError(f'{folder} is missing; run `vla_ros train {folder.name}` first')
    if tokenizer is not None:
        theirs = PreTrainedTokenizerFast.from_pretrained(str(folder))
        if theirs.get_vocab() != tokenizer.get_vocab():
            raise VlaError(
                f'{folder}: expected the tokens of the tokenizer in use, found others; train it with this tokenizer'
            )
    return LlamaForCausalLM.from_pretrained(str(folder), dtype=torch.float32)


def foundation(out: Path, tokenizer: PreTrainedTokenizerFast, size: LanguageSize) -> LlamaForCausalLM | None:
    """The decoder that fine-tuning goes on from: of the last stage of pre-training there is, None if there is none.

    Raises:
        VlaError: it has another tokenizer, or other sizes than ``size``, the context aside.
    """
    folder = next(
        (out / stage for stage in ('cpt', 'pretrain') if (out / stage / 'model.safetensors').is_file()), None
    )
    if folder is None:
        return None
    model = load_decoder(folder, tokenizer)
    found, wanted = model.config, decoder_config(size, tokenizer)
    for key in ('hidden_size', 'num_hidden_layers', 'num_attention_heads', 'intermediate_size'):
        if getattr(found, key) != getattr(wanted, key):
            raise VlaError(f'{folder}: {key}: expected {getattr(wanted, key)}, found {getattr(found, key)}')
    found.max_position_embeddings = size.context
    # No text has places in it: all that pre-training did to their embeddings is to make them unlikely, and so alike.
    seat_places(model, locations(tokenizer))
    return model


def embedding_share(model: LlamaForCausalLM) -> float:
    """Share of the parameters that are the embedding."""
    return model.model.embed_tokens.weight.numel() / sum(p.numel() for p in model.parameters())
