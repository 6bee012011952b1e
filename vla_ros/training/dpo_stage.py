"""`vla_ros train dpo`: from the checkpoint of `language` to one that prefers grounded and safe answers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import LlavaForConditionalGeneration

from vla_ros.bundle import sha256
from vla_ros.training import lora, places, snapshots, vision
from vla_ros.training.cache import cached
from vla_ros.training.dpo import DpoTrainer, Pairs, collate_pairs, pair_log_probs
from vla_ros.training.examples import Example, as_sample, draw_examples
from vla_ros.training.language import LanguageTrainer
from vla_ros.training.loop import Schedule, fit
from vla_ros.training.metrics import write_metrics
from vla_ros.training.preferences import Preference, draw_preferences
from vla_ros.training.stages import BINS, load_language, load_vision
from vla_ros.training.tokenizer import load_tokenizer

EACH = 4
"""Orders a scene, so that there is something else to do in each."""
HELD_OUT = 400
"""Pairs of held-out scenes that are measured."""


def train_dpo(
    out: Path, schedule: Schedule, beta: float = 0.1, count: int = 8000, rank: int = 0
) -> dict[str, Any]:
    """From ``out/language``; leaves ``out/dpo``, which the stages after it then use.

    With a ``rank`` only adapters of that rank are trained, and merged at the end; leaves ``out/lora_dpo``.
    """
    torch.manual_seed(schedule.seed)
    tokenizer, start = load_tokenizer(out), out / 'language' / 'model.safetensors'
    model = load_language(out, tuned=False)
    trainer = LanguageTrainer(model, places.locations(tokenizer))
    drawn, pairs = _pairs(out, 'snapshots.npz', count, schedule.seed, tokenizer)
    made_from: list[Path | str | int] = [start, out / 'snapshots.npz', 'preferences', count, schedule.seed]
    reference = cached(out / 'cache', made_from, lambda: pair_log_probs(trainer, pairs))
    _, tests = _pairs(out, 'snapshots_test.npz', HELD_OUT, schedule.seed + 1, tokenizer)
    before = pair_log_probs(trainer, tests)
    adapted = lora.adapted(model, rank) if rank else None
    folder = out / ('dpo' if not rank else 'lora_dpo')
    learned = Pairs(pairs.chosen, pairs.rejected, reference)
    log = fit(DpoTrainer(trainer, beta), learned, folder / 'run', schedule, collate_pairs)
    after = pair_log_probs(trainer, tests)
    saved: LlavaForConditionalGeneration = (
        model if adapted is None else lora.merged(adapted, folder / 'adapter')
    )
    saved.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    kinds = dict(Counter(preference.kind for preference in drawn))
    metrics = {'beta': beta, 'pairs': kinds, 'held_out': preferred(before, after)}
    return write_metrics(folder, schedule, log, metrics, before={'language': sha256(start)})


def preferred(before: npt.NDArray[Any], after: npt.NDArray[Any]) -> dict[str, float]:
    """How often the chosen answer is the likelier one, and what became of both, in nats; log-probabilities (N, 2)."""
    moved = (after - before).mean(0)
    return {
        'accuracy_before': float((before[:, 0] > before[:, 1]).mean()),
        'accuracy_after': float((after[:, 0] > after[:, 1]).mean()),
        'reward_accuracy': float(((after - before)[:, 0] > (after - before)[:, 1]).mean()),
        'chosen_log_prob_change': float(moved[0]),
        'rejected_log_prob_change': float(moved[1]),
    }


def _pairs(out: Path, name: str, count: int, seed: int, tokenizer: Any) -> tuple[list[Preference], Pairs]:
    """``count`` pairs about the scenes in a file of snapshots, fewer if the scenes give no more."""
    shots = snapshots.load_snapshots(out / name)
    scenes = min(len(shots.images['front']), count // EACH + 1)
    rng = np.random.default_rng([seed, 17])
    drawn = draw_preferences(rng, draw_examples(rng, shots.truth[:scenes], BINS, EACH), BINS)[:count]
    weights = out / 'vision' / 'model.safetensors'
    looks = cached(
        out / 'cache',
        [out / name, weights, 'front', scenes],
        lambda: vision.encode(load_vision(out), shots.images['front'][:scenes]),
    )

    def samples(side: str) -> list[dict[str, Any]]:
        return [
            as_sample(Example(p.scene, p.prompt, getattr(p, side)), looks[p.scene], tokenizer) for p in drawn
        ]

    return drawn, Pairs(samples('chosen'), samples('rejected'), np.zeros((len(drawn), 2)))
