"""`vla_ros train lora german`: System 2 learns orders in another language by adapters of a hundredth of its size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from vla_ros.bundle import sha256
from vla_ros.reasoning.prompt import prompt
from vla_ros.training import lora, places, snapshots, vision
from vla_ros.training.examples import CONCLUSION, Example, as_sample, draw_examples
from vla_ros.training.german import in_german
from vla_ros.training.language import IGNORED, LanguageTrainer, collate
from vla_ros.training.loop import Schedule, fit
from vla_ros.training.metrics import write_metrics
from vla_ros.training.stages import BINS, load_language, load_vision, system2_folder
from vla_ros.training.tokenizer import load_tokenizer

SCENES, EACH = 4000, 3
HELD_OUT = 200
REHEARSAL = 0.25
"""Share of orders that stay English: what was learned before is not to be forgotten."""


def train_german(out: Path, schedule: Schedule, rank: int) -> dict[str, Any]:
    """From System 2 as it is; leaves ``out/lora_german`` with the merged model and, in ``adapter``, the adapters."""
    torch.manual_seed(schedule.seed)
    tokenizer = load_tokenizer(out)
    model = load_language(out)
    model.set_attn_implementation(
        'eager'
    )  # the loss asks where attention goes, which the fused one does not say
    trainer = LanguageTrainer(model, places.locations(tokenizer))
    data = _samples(out, 'snapshots.npz', SCENES, schedule.seed, tokenizer, REHEARSAL)
    german, english = (
        _samples(out, 'snapshots_test.npz', HELD_OUT, schedule.seed + 1, tokenizer, share)
        for share in (0.0, 1.0)
    )
    before = {'german': understood(trainer, german), 'english': understood(trainer, english)}
    adapted = lora.adapted(model, rank)
    share = lora.trainable_share(adapted)
    folder = out / 'lora_german'
    log = fit(trainer, data, folder / 'run', schedule, collate)
    after = {'german': understood(trainer, german), 'english': understood(trainer, english)}
    merged = lora.merged(adapted, folder / 'adapter')
    merged.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    metrics = {'rank': rank, 'trainable_share': round(share, 5), 'before': before, 'after': after}
    start = {'checkpoint': sha256(system2_folder(out) / 'model.safetensors')}
    return write_metrics(folder, schedule, log, metrics, before=start)


@torch.no_grad()
def understood(trainer: LanguageTrainer, samples: list[dict[str, Any]]) -> float:
    """Share of orders of which every word from 'asked' on comes out right, given the true ones before; places aside."""
    trainer.eval()
    right = 0
    for start in range(0, len(samples), 50):
        part = samples[start : start + 50]
        batch = collate(part)
        states = trainer.hidden(batch['visual'], batch['ids'])[:, batch['visual'].shape[1] - 1 : -1]
        labels = batch['labels'].clone()
        labels[(labels >= trainer.places.start) & (labels < trainer.places.stop)] = IGNORED
        for row, sample in enumerate(part):
            labels[row, : sample['conclusion']] = IGNORED
        hits = (trainer.head(states).argmax(-1) == labels) | (labels == IGNORED)
        right += int(hits.all(-1).sum())
    return right / len(samples)


def _samples(
    out: Path, name: str, scenes: int, seed: int, tokenizer: PreTrainedTokenizerFast, english: float
) -> list[dict[str, Any]]:
    """Orders about scenes, a share of them in English and the rest in German."""
    shots = snapshots.load_snapshots(out / name)
    images = shots.images['front'][:scenes]
    rng = np.random.default_rng([seed, 19])
    looks = vision.encode(load_vision(out), images)
    found = []
    for scene in draw_examples(rng, shots.truth[:scenes], BINS, EACH):
        for example in scene:
            said = in_german(rng, example.trace)
            if said is None:
                continue
            if rng.random() >= english:
                example = replace(example, prompt=prompt(said))
            found.append(_marked(example, looks, tokenizer))
    return found


def _marked(example: Example, looks: Any, tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """A sample that also knows where its conclusion begins."""
    before = example.prompt + example.trace.partition(CONCLUSION)[0]
    sample = as_sample(example, looks[example.scene], tokenizer)
    return {**sample, 'conclusion': len(tokenizer(before)['input_ids'])}
