"""The stages of the road, in order; each reads what the one before wrote and writes its own folder and metrics."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Dataset
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast, SiglipVisionModel

from vla_ros.bundle import MANIFEST, load_bundle, sha256
from vla_ros.training import (
    conversations,
    corpus,
    labels,
    language,
    lessons,
    places,
    snapshots,
    vision,
)
from vla_ros.training.augment import moved_with, relit
from vla_ros.training.cache import cached
from vla_ros.training.llama import foundation
from vla_ros.training.loop import Schedule, fit
from vla_ros.training.text_answers import draw_text_answers
from vla_ros.training.tokenizer import train_tokenizer
from vla_ros.types import FloatArray, ImageArray, IndexArray, VlaError

BINS = 128
VOCABULARY = 4096
"""The last doubling that saves about as many tokens of English as it adds parameters; see docs/training.md."""
CORPUS_FOR_WORDS = 10_000_000
"""Characters of each subject of the corpus that the tokenizer is trained on."""
IMAGE_SIZE = 128
DEMONSTRATIONS, DEMONSTRATIONS_TEST = 'demonstrations.npz', 'demonstrations_test.npz'
CACHE = 'cache'
MOST_LOOKS = 16_000
"""Looks of the demonstrations that System 2 learns from; more would only fill the memory with pictures."""


def collect_scenes(out: Path, count: int, test: int, workers: int) -> None:
    """Labelled pictures of random scenes, for training and, from held-out seeds, for testing."""
    out.mkdir(parents=True, exist_ok=True)
    snapshots.collect_snapshots(test, snapshots.FIRST_TEST_SEED, IMAGE_SIZE, workers).save(
        out / 'snapshots_test.npz'
    )
    snapshots.collect_snapshots(count, 0, IMAGE_SIZE, workers).save(out / 'snapshots.npz')


def train_words(out: Path) -> PreTrainedTokenizerFast:
    """The tokenizer, from orders and traces of the training scenes, and from the corpus if there is one."""
    shots = snapshots.load_snapshots(out / 'snapshots.npz')
    rng = np.random.default_rng(0)
    said = (conversations.drawn(rng, shots.truth, i, BINS) for _ in range(3) for i in range(len(shots.truth)))
    texts = corpus.sample_texts(out, CORPUS_FOR_WORDS)
    texts += (one.prompt(BINS) + one.trace for one in said)
    tokenizer = train_tokenizer(texts, BINS, VOCABULARY)
    tokenizer.save_pretrained(str(out / 'tokenizer'))
    return tokenizer


def load_words(out: Path) -> PreTrainedTokenizerFast:
    """The tokenizer that ``train_words`` wrote."""
    _require(out / 'tokenizer' / 'tokenizer.json', 'tokenizer')
    return PreTrainedTokenizerFast.from_pretrained(str(out / 'tokenizer'))


def train_vision(out: Path, schedule: Schedule, start: Path | None = None) -> dict[str, Any]:
    """SigLIP with the dense loss, on both cameras' pictures; leaves the vision tower in ``out/vision``.

    Pictures in which nothing is seen, as many of the wrist camera's, are left out. ``start`` is a bundle whose vision
    tower to go on from; both heads, which no bundle keeps, are learned anew.
    """
    torch.manual_seed(schedule.seed)
    tokenizer = load_words(out)
    shots = snapshots.load_snapshots(out / 'snapshots.npz')
    images = np.concatenate([shots.images[c] for c in snapshots.CAMERAS])
    centres = np.concatenate([shots.centres[c] for c in snapshots.CAMERAS])
    full = ~np.isnan(centres[..., 0]).all(-1)
    model = vision.VisionTrainer(vision.VisionSize(image=IMAGE_SIZE), len(labels.KINDS), len(tokenizer))
    if start is not None:
        model.siglip.vision_model.load_state_dict(load_llava(start).model.vision_tower.state_dict())
    data = vision.LabelledImages(images[full], centres[full], labels.KINDS, tokenizer)
    folder = out / 'vision'
    log = fit(model, data, run_folder(folder, start), schedule)
    tower = SiglipVisionModel(model.siglip.config.vision_config)
    tower.load_state_dict(model.siglip.vision_model.state_dict())
    vision.rescale(tower, images[:512])
    tower.save_pretrained(str(folder))
    test = snapshots.load_snapshots(out / 'snapshots_test.npz')
    metrics = {c: _eyesight(model, test.images[c], test.centres[c]) for c in snapshots.CAMERAS}
    return write_stage_metrics(folder, schedule, log, metrics, start)


def _eyesight(model: vision.VisionTrainer, images: ImageArray, centres: FloatArray) -> dict[str, Any]:
    """What the dense head sees of small objects and, apart, of bowls and plates."""
    small = len(labels.SMALL)
    return {
        **vision.measure(model, images, centres, slice(small)),
        'containers': vision.measure(model, images, centres, slice(small, None)),
    }


def load_vision(out: Path) -> SiglipVisionModel:
    """The vision tower that ``train_vision`` wrote."""
    return SiglipVisionModel.from_pretrained(str(weights_of(out, 'vision').parent))


def train_language(out: Path, schedule: Schedule, start: Path | None = None) -> dict[str, Any]:
    """LLaVA around the frozen vision tower, on traces that are true of the scenes; a checkpoint in ``out/language``.

    ``start`` is a bundle whose projector and decoder to go on from. Without it, the decoder is that of continued
    pre-training, or of pre-training, where there is one; then text answers are learned beside the traces.
    """
    torch.manual_seed(schedule.seed)
    tokenizer, tower = load_words(out), load_vision(out)
    images, truth, lessons = _scenes(out, np.random.default_rng(schedule.seed))
    sources = [out / 'snapshots.npz', out / DEMONSTRATIONS, weights_of(out, 'vision')]
    tokens = cached(out / CACHE, [*sources, 'scenes', schedule.seed], lambda: vision.encode(tower, images))
    size = language.LanguageSize()
    base = foundation(out, tokenizer, size) if start is None else None
    model = language.build_llava(size, tower, tokenizer, tokens.shape[1], base)
    if start is not None:
        earlier = load_llava(start)
        model.model.multi_modal_projector.load_state_dict(earlier.model.multi_modal_projector.state_dict())
        model.model.language_model.load_state_dict(earlier.model.language_model.state_dict())
    data: Dataset[Any] = conversations.Conversations(tokens, truth, tokenizer, BINS, lessons)
    if base is not None:
        data = ConcatDataset([data, draw_text_answers(len(tokens), tokenizer, tokens.shape[1:])])
    folder = out / 'language'
    trainer = language.LanguageTrainer(model, places.locations(tokenizer))
    log = fit(trainer, data, run_folder(folder, start), schedule, language.collate)
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    test = snapshots.load_snapshots(out / 'snapshots_test.npz')
    held_out = conversations.Conversations(
        vision.encode(tower, test.images['front']), test.truth, tokenizer, BINS
    )
    metrics = {'decoder': 'new' if base is None else Path(base.name_or_path).name}
    return write_stage_metrics(folder, schedule, log, metrics | language.measure(trainer, held_out), start)


def load_language(out: Path, *, tuned: bool = True) -> LlavaForConditionalGeneration:
    """The checkpoint of System 2: that of ``dpo`` if there is one and it is to be ``tuned``, else of ``language``."""
    weights_of(out, 'language')
    return load_llava(out, system2_folder(out).name if tuned else 'language')


def system2_folder(out: Path) -> Path:
    """Where System 2 is: ``out/dpo`` if it was made from what is in ``out/language`` now, else ``out/language``."""
    metrics, weights = out / 'dpo' / 'metrics.json', out / 'language' / 'model.safetensors'
    if metrics.is_file() and weights.is_file():
        start = json.loads(metrics.read_text(encoding='utf-8'))['start']
        if start == {'language': sha256(weights)}:
            return out / 'dpo'
    return out / 'language'


def load_llava(folder: Path, stage: str = 'language') -> LlavaForConditionalGeneration:
    """The LLaVA checkpoint of a bundle, or of the folder that the stages work in."""
    if not (folder / stage / 'model.safetensors').is_file():
        raise VlaError(f'{folder}: expected a bundle with language/model.safetensors, found none')
    return LlavaForConditionalGeneration.from_pretrained(str(folder / stage), dtype=torch.float32)


def _scenes(
    out: Path, rng: np.random.Generator
) -> tuple[ImageArray, labels.Truth, tuple[lessons.Lessons, IndexArray]]:
    """Front images (N, size, size, 3) for System 2, what is true of them, and the looks that some of them are.

    The snapshots as they are and once moved and relit, and looks of the demonstrations relit: there the hand is at
    work, and may cover what it was sent to. None is mirrored: left and right would no longer be what they are.
    """
    shots = snapshots.load_snapshots(out / 'snapshots.npz')
    shown = lessons.load_lessons(out / DEMONSTRATIONS)
    looks = np.unique(np.linspace(0, len(shown) - 1, MOST_LOOKS).astype(int))
    images, truth = shots.images['front'], shots.truth
    views = [moved_with(rng, *view) for view in zip(images, truth.centres, truth.goals)]
    lit = [relit(rng, image) for image in (*(v[0] for v in views), *(shown.images[i, 0] for i in looks))]
    shifted = replace(truth, centres=np.stack([v[1] for v in views]), goals=np.stack([v[2] for v in views]))
    which = np.concatenate([np.full(2 * len(images), -1), looks])
    return (
        np.concatenate([images, lit]),
        labels.joined_truth([truth, shifted, shown.truth[looks]]),
        (shown, which),
    )


def weights_of(out: Path, stage: str) -> Path:
    _require(out / stage / 'model.safetensors', stage)
    return out / stage / 'model.safetensors'


def run_folder(folder: Path, start: Path | None) -> Path:
    """Where a stage keeps its checkpoints: what goes on from a bundle never resumes a run that did not."""
    return folder / ('run' if start is None else f'run_{sha256(start / MANIFEST)[:8]}')


def _require(path: Path, stage: str) -> None:
    if not path.is_file():
        raise VlaError(f'{path} is missing; run `vla_ros train {stage}` first')


def write_stage_metrics(
    folder: Path,
    schedule: Schedule,
    log: list[dict[str, float]],
    metrics: dict[str, Any],
    start: Path | None,
) -> dict[str, Any]:
    """Write down how a stage, named by its folder, was trained and what came of it."""
    before = 'random weights' if start is None else load_bundle(start).manifest.metrics.get(folder.name)
    loss = log[-1]['loss'] if log else None
    summary = {'start': before, 'schedule': asdict(schedule), 'final_loss': loss, **metrics}
    (folder / 'metrics.json').write_text(json.dumps(summary, indent=1), encoding='utf-8')
    return summary
