"""The stages of the road, in order; each reads what the one before wrote and writes its own folder and metrics."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast, SiglipVisionModel

from vla_ros.reasoning.prompt import prompt
from vla_ros.training import language, snapshots, vision
from vla_ros.training.augment import moved, relit
from vla_ros.training.loop import Schedule, fit
from vla_ros.training.tokenizer import train_tokenizer
from vla_ros.types import VlaError

BINS = 128
VOCABULARY = 1024
IMAGE_SIZE = 128


def collect_scenes(out: Path, count: int, test: int, workers: int) -> None:
    """Labelled pictures of random scenes, for training and, from held-out seeds, for testing."""
    out.mkdir(parents=True, exist_ok=True)
    snapshots.collect_snapshots(test, snapshots.FIRST_TEST_SEED, IMAGE_SIZE, workers).save(out / 'snapshots_test.npz')
    snapshots.collect_snapshots(count, 0, IMAGE_SIZE, workers).save(out / 'snapshots.npz')


def train_words(out: Path) -> PreTrainedTokenizerFast:
    """The tokenizer, from orders and traces of the training scenes."""
    shots = snapshots.load_snapshots(out / 'snapshots.npz')
    rng = np.random.default_rng(0)
    texts = []
    for _ in range(3):
        for order in language.orders(rng, shots.centres['front'], snapshots.KINDS, BINS, unknown=0.3):
            texts.append(prompt(order.instruction) + order.trace)
    tokenizer = train_tokenizer(texts, BINS, VOCABULARY)
    tokenizer.save_pretrained(str(out / 'tokenizer'))
    return tokenizer


def load_words(out: Path) -> PreTrainedTokenizerFast:
    """The tokenizer that ``train_words`` wrote."""
    if not (out / 'tokenizer' / 'tokenizer.json').is_file():
        raise VlaError(f'{out / "tokenizer"} is missing; run `vla_ros train tokenizer` first')
    return PreTrainedTokenizerFast.from_pretrained(str(out / 'tokenizer'))


def train_vision(out: Path, schedule: Schedule) -> dict[str, Any]:
    """SigLIP with the dense loss, on both cameras' pictures; leaves the vision tower in ``out/vision``."""
    torch.manual_seed(schedule.seed)
    tokenizer = load_words(out)
    shots = snapshots.load_snapshots(out / 'snapshots.npz')
    images = np.concatenate([shots.images[c] for c in snapshots.CAMERAS])
    centres = np.concatenate([shots.centres[c] for c in snapshots.CAMERAS])
    model = vision.VisionTrainer(vision.VisionSize(image=IMAGE_SIZE), len(snapshots.KINDS), len(tokenizer))
    data = vision.LabelledImages(images, centres, snapshots.KINDS, tokenizer, seed=schedule.seed)
    folder = out / 'vision'
    log = fit(model, data, folder / 'run', schedule)
    tower = SiglipVisionModel(model.siglip.config.vision_config)
    tower.load_state_dict(model.siglip.vision_model.state_dict())
    tower.save_pretrained(str(folder))
    test = snapshots.load_snapshots(out / 'snapshots_test.npz')
    metrics = {c: vision.measure(model, test.images[c], test.centres[c]) for c in snapshots.CAMERAS}
    return _write_metrics(folder, schedule, log, metrics)


def _write_metrics(folder: Path, schedule: Schedule, log: list[dict[str, float]], metrics: dict[str, Any]) -> dict[str, Any]:
    summary = {'schedule': asdict(schedule), 'final_loss': log[-1]['loss'] if log else None, **metrics}
    (folder / 'metrics.json').write_text(json.dumps(summary, indent=1), encoding='utf-8')
    return summary
