"""Pre-training and continued pre-training: the decoder learns English, then the domain without forgetting English.

Both minimise the mean of -log p(token | those before it in its document) over packed rows. Continued pre-training goes
on from the pre-trained weights with a lower rate, on rows of which a share is general text again: without such replay
the general perplexity grows (arXiv 2403.08763).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from vla_ros.training import lora
from vla_ros.training.cache import cached
from vla_ros.training.causal import CausalTrainer, Surprise, losses_of
from vla_ros.training.corpus import DOMAIN, GENERAL, load_part, part_file
from vla_ros.training.llama import LanguageSize, load_decoder, new_decoder, save_decoder
from vla_ros.training.loop import Schedule, fit
from vla_ros.training.metrics import write_metrics
from vla_ros.training.packing import IGNORED, Packed, PackedText, pack, token_stream
from vla_ros.training.tokenizer import BOUNDARY, load_tokenizer
from vla_ros.types import IndexArray, VlaError

LENGTH = 256
"""Tokens a row: what the decoder learns to look back on."""
REPLAY = 0.5
"""Share of general text in continued pre-training."""
MEASURED = 200_000
"""Held-out tokens that are measured at most."""


def train_pretrain(out: Path, schedule: Schedule, size: LanguageSize | None = None) -> dict[str, Any]:
    """From random weights, on general text; leaves ``out/pretrain``."""
    torch.manual_seed(schedule.seed)
    tokenizer = load_tokenizer(out)
    model = new_decoder(size or LanguageSize(context=LENGTH), tokenizer)
    data = PackedText([rows_of(out, f'{GENERAL}_train', tokenizer)])
    folder = out / 'pretrain'
    log = fit(CausalTrainer(model), data, folder / 'run', schedule)
    save_decoder(model, tokenizer, folder)
    return write_metrics(folder, schedule, log, held_out(model, out, tokenizer), before='random weights')


def train_cpt(out: Path, schedule: Schedule, replay: float = REPLAY, rank: int = 0) -> dict[str, Any]:
    """From ``out/pretrain``, on domain text with a share ``replay`` of general text; leaves ``out/cpt``.

    With a ``rank`` only adapters of that rank are trained (see ``lora``), and merged at the end.
    """
    torch.manual_seed(schedule.seed)
    tokenizer = load_tokenizer(out)
    model = load_decoder(out / 'pretrain', tokenizer)
    before = held_out(model, out, tokenizer)
    parts = [rows_of(out, f'{subject}_train', tokenizer) for subject in (DOMAIN, GENERAL)]
    data = PackedText(parts, (1 - replay, replay))
    folder = out / ('cpt' if not rank else 'lora_cpt')
    adapted = lora.adapted(model, rank) if rank else None
    log = fit(CausalTrainer(model), data, folder / 'run', schedule)
    if adapted is not None:
        model = lora.merged(adapted, folder / 'adapter')
    save_decoder(model, tokenizer, folder)
    after = held_out(model, out, tokenizer)
    grown = after[GENERAL]['perplexity'] / before[GENERAL]['perplexity']
    shrunk = after[DOMAIN]['perplexity'] / before[DOMAIN]['perplexity']
    ratios = {'general_perplexity_ratio': round(grown, 4), 'domain_perplexity_ratio': round(shrunk, 4)}
    return write_metrics(folder, schedule, log, {**after, **ratios, 'replay': replay}, before=before)


def rows_of(out: Path, part: str, tokenizer: PreTrainedTokenizerFast) -> Packed:
    """A part of the corpus as rows of tokens."""
    rows = pack(stream_of(out, part, tokenizer), LENGTH, tokenizer.convert_tokens_to_ids(BOUNDARY))
    if not len(rows.ids):
        raise VlaError(f'{part_file(out, part)}: expected at least {LENGTH} tokens of text, found fewer')
    return rows


def stream_of(out: Path, part: str, tokenizer: PreTrainedTokenizerFast) -> IndexArray:
    """A part of the corpus as one row of tokens; tokenised once and kept."""
    made_from: list[Path | str] = [part_file(out, part), out / 'tokenizer' / 'tokenizer.json', 'stream']
    load_part(out, part)  # says what to do if there is no corpus
    return np.array(cached(out / 'cache', made_from, lambda: token_stream(load_part(out, part), tokenizer)))


def held_out(model: LlamaForCausalLM, out: Path, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Perplexity and bits a byte on held-out text of each subject."""
    found = {}
    for subject in (GENERAL, DOMAIN):
        rows = rows_of(out, f'{subject}_test', tokenizer)
        rows = Packed(rows.ids[: MEASURED // LENGTH], rows.positions[: MEASURED // LENGTH])
        found[subject] = surprise(rows, losses_of(model, rows).numpy(), tokenizer).as_dict()
    return found


def surprise(rows: Packed, losses: np.ndarray, tokenizer: PreTrainedTokenizerFast) -> Surprise:
    """The sum of ``losses`` (R, L) over the tokens that are predicted, and how many bytes of text these stand for."""
    counted = rows.labels != IGNORED
    written = tokenizer.decode(rows.ids[counted].tolist(), skip_special_tokens=True)
    return Surprise(float(losses[counted].sum()), int(counted.sum()), len(written.encode()))
