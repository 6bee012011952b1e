"""What a decoder has learned, measured on held-out text: against n-grams, before and after, and beyond its context."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from vla_ros.evaluation.machine import machine, versions
from vla_ros.evaluation.ngrams import KneserNey
from vla_ros.training.causal import losses_of
from vla_ros.training.corpus import DOMAIN, GENERAL, load_part
from vla_ros.training.llama import load_decoder
from vla_ros.training.packing import IGNORED, Packed, pack, token_stream
from vla_ros.training.pretrain import LENGTH, MEASURED, stream_of, surprise
from vla_ros.training.tokenizer import BOUNDARY, load_tokenizer
from vla_ros.types import DoubleArray, VlaError

STAGES = ('pretrain', 'cpt')
BASELINES = {'unigram': 1, '5-gram': 5}
WRITTEN = f'{DOMAIN}, written by people'
WINDOWS = 200
"""Windows of twice the training length that are measured at most."""
FACTOR = 2
SCALINGS = ('none', 'linear', 'dynamic', 'yarn')
"""Ways to read beyond the training length without training again: none; positions divided by the factor (arXiv
2306.15595); a base that grows with the length (NTK-aware); and YaRN (arXiv 2309.00071), which divides only the slow
frequencies and never changes a key that is in the cache."""


def language_report(out: Path, on_step: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """The JSON of ``vla_ros eval language``; all perplexities are a token, on the same tokens.

    Raises:
        VlaError: no corpus, no tokenizer, or no checkpoint of any stage.
    """
    begun = time.perf_counter()
    tokenizer = load_tokenizer(out)
    stages = [stage for stage in STAGES if (out / stage / 'model.safetensors').is_file()]
    if not stages:
        raise VlaError(
            f'{out}: expected a checkpoint of one of {list(STAGES)}, found none; run `vla_ros train pretrain`'
        )
    texts = {
        GENERAL: load_part(out, f'{GENERAL}_test'),
        DOMAIN: load_part(out, f'{DOMAIN}_test'),
        WRITTEN: load_part(out, f'{DOMAIN}_test', written=True),
    }
    packed_texts = {name: _rows(documents, tokenizer) for name, documents in texts.items()}
    rows = {name: packed for name, packed in packed_texts.items() if len(packed.ids)}
    table: dict[str, dict[str, Any]] = {name: {} for name in rows}
    for stage in stages:
        on_step(stage)
        model = load_decoder(out / stage, tokenizer)
        for name, packed in rows.items():
            table[name][stage] = surprise(packed, losses_of(model, packed).numpy(), tokenizer).as_dict()
    learned = np.concatenate([stream_of(out, f'{subject}_train', tokenizer) for subject in (GENERAL, DOMAIN)])
    for label, order in BASELINES.items():
        on_step(label)
        baseline = KneserNey(learned, len(tokenizer), order)
        for name, packed in rows.items():
            table[name][label] = surprise(packed, baseline_losses(baseline, packed), tokenizer).as_dict()
    on_step('context')
    return {
        'held_out': table,
        'ratios': _ratios(table),
        'context': context_report(out / stages[-1], tokenizer, texts[GENERAL] + texts[DOMAIN]),
        'units': 'perplexity a token of this tokenizer, and bits a byte; baselines are interpolated Kneser-Ney, '
        'learned from the same training tokens and measured on the same held-out tokens',
        'vocabulary': len(tokenizer),
        'machine': machine(),
        'versions': versions(),
        'seconds': round(time.perf_counter() - begun, 1),
    }


def baseline_losses(model: KneserNey, rows: Packed) -> DoubleArray:
    """-log p (R, L) of each token; the model may look back over the beginning of a row, which ours cannot."""
    return np.asarray(-np.log(model.probabilities(rows.ids.ravel())).reshape(rows.ids.shape))


def context_report(folder: Path, tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> dict[str, Any]:
    """Perplexity at twice the training length over that at the training length, on the same tokens of long documents.

    ``beyond`` counts only tokens that stand farther from the beginning than any did in training.
    """
    boundary, window = tokenizer.convert_tokens_to_ids(BOUNDARY), FACTOR * LENGTH
    long = [ids for ids in tokenizer(texts)['input_ids'] if len(ids) + 1 >= window]
    if not long:
        raise VlaError(f'corpus: expected held-out documents of at least {window} tokens, found none')
    ids = np.array([[boundary, *ids[: window - 1]] for ids in long[:WINDOWS]], np.int64)
    positions = np.broadcast_to(np.arange(window), ids.shape)
    near = Packed(ids, positions % LENGTH)
    reference = losses_of(load_decoder(folder), near).numpy()
    counted = near.labels != IGNORED
    beyond = counted & (positions >= LENGTH)
    found: dict[str, Any] = {}
    for scaling in SCALINGS:
        losses = losses_of(scaled_decoder(folder, scaling), Packed(ids, positions)).numpy()
        found[scaling] = {
            'ratio': round(math.exp((losses - reference)[counted].mean()), 4),
            'ratio_beyond': round(math.exp((losses - reference)[beyond].mean()), 4),
            'perplexity_beyond': round(math.exp(losses[beyond].mean()), 3),
        }
    return {
        'checkpoint': folder.name,
        'training_length': LENGTH,
        'length': window,
        'windows': len(ids),
        'perplexity_at_training_length': round(math.exp(reference[counted].mean()), 3),
        'scaling': found,
    }


def scaled_decoder(folder: Path, scaling: str, factor: float = FACTOR) -> LlamaForCausalLM:
    """The decoder in ``folder`` with its rotary positions scaled to ``factor`` times the training length."""
    config = LlamaConfig.from_pretrained(str(folder))
    if scaling != 'none':
        config.rope_parameters = {
            'rope_type': scaling,
            'rope_theta': config.rope_parameters['rope_theta'],
            'factor': factor,
            'original_max_position_embeddings': LENGTH,
        }
    # The dynamic kind compares this with the length that it reads; the others do not look at it.
    config.max_position_embeddings = LENGTH if scaling == 'dynamic' else int(factor * LENGTH)
    return LlamaForCausalLM.from_pretrained(str(folder), config=config, dtype=torch.float32)


def _rows(documents: list[str], tokenizer: PreTrainedTokenizerFast) -> Packed:
    rows = pack(token_stream(documents, tokenizer), LENGTH, tokenizer.convert_tokens_to_ids(BOUNDARY))
    return Packed(rows.ids[: MEASURED // LENGTH], rows.positions[: MEASURED // LENGTH])


def _ratios(table: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Each as one number: below 1 is better than what it is compared with."""

    def over(name: str, stage: str, other: str) -> float:
        return round(table[name][stage]['perplexity'] / table[name][other]['perplexity'], 4)

    ratios = {f'pretrain over {label}, {GENERAL}': over(GENERAL, 'pretrain', label) for label in BASELINES}
    if 'cpt' in table[GENERAL]:
        ratios |= {f'cpt over pretrain, {name}': over(name, 'cpt', 'pretrain') for name in table}
    return ratios
