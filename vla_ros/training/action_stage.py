"""`vla_ros train demonstrations | rollouts | action`: what System 1 learns from, and the flow-matching head."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch.utils.data import ConcatDataset, Dataset

from vla_ros.training import action, demonstrations, language, lessons, requests, rollouts, snapshots, vision
from vla_ros.training.cache import cached
from vla_ros.training.flow import FlowConfig, FlowHead
from vla_ros.training.loop import Schedule, fit
from vla_ros.training.stages import (
    BINS,
    CACHE,
    DEMONSTRATIONS,
    DEMONSTRATIONS_TEST,
    IMAGE_SIZE,
    load_language,
    load_vision,
    load_words,
    run_folder,
    system2_folder,
    weights_of,
    write_stage_metrics,
)

THOUGHT_ROWS = 16
ROLLOUTS = 'rollouts.npz'
REPEATS = 4
"""How often a rollout is shown for each time that a demonstration is: there are few, and they show what goes wrong."""


def collect_demonstrations(
    out: Path, count: int, test: int, workers: int, shares: Mapping[str, float] = requests.DONE
) -> None:
    """Episodes of the expert, for training and, from held-out seeds, for testing."""
    first = snapshots.FIRST_TEST_SEED + 100_000
    for name, episodes, seed in ((DEMONSTRATIONS_TEST, test, first), (DEMONSTRATIONS, count, 100_000)):
        demonstrations.collect_demonstrations(out / name, episodes, seed, IMAGE_SIZE, workers, shares)


def collect_rollouts(
    out: Path,
    bundle: Path,
    count: int,
    first_seed: int,
    workers: int,
    shares: Mapping[str, float] = requests.DONE,
) -> None:
    """Episodes of the learner in ``bundle``, relabelled by the expert; adds to those that are there already."""
    path = out / ROLLOUTS
    # No scene is played twice: another round goes on behind the last one.
    played = rollouts.scene_of(int(lessons.load_lessons(path).order.max())) + 1 if path.is_file() else 0
    rollouts.collect_rollouts(path, bundle, count, max(first_seed, played), IMAGE_SIZE, workers, shares)


def train_action(out: Path, schedule: Schedule, start: Path | None = None) -> dict[str, Any]:
    """The flow-matching head, on what frozen eyes and System 2 make of the demonstrations; leaves ``out/action``.

    Rollouts are learned from too, if there are any. ``start`` is a bundle whose head to go on from; it is made as deep
    as a new one would be.
    """
    torch.manual_seed(schedule.seed)
    fresh = FlowConfig(horizon=demonstrations.HORIZON, velocities=True)
    if start is None:
        moments = action.statistics(lessons.load_lessons(out / DEMONSTRATIONS))
        head = FlowHead(fresh)
    else:
        head, moments = load_action(start)
        head = head.deepened(max(fresh.pairs, head.config.pairs))
    folder, chunks = out / 'action', training_chunks(out, moments)
    log = fit(action.ActionTrainer(head), chunks, run_folder(folder, start), schedule)
    metrics = action.measure(head, chunks_of(out, DEMONSTRATIONS_TEST, moments, seed=1), moments)
    action.save_head(folder, head, moments)
    return write_stage_metrics(folder, schedule, log, metrics, start)


def load_action(out: Path) -> tuple[FlowHead, action.Statistics]:
    """The head that ``train_action`` wrote, or that of a bundle, and its statistics."""
    weights = weights_of(out, 'action')
    content = json.loads((out / 'action' / 'config.json').read_text(encoding='utf-8'))
    moments = action.from_lists(content.pop('statistics'))
    head = FlowHead(FlowConfig(**content))
    head.load_state_dict(load_file(str(weights)))
    return head, moments


def training_chunks(out: Path, moments: action.Statistics) -> Dataset[dict[str, torch.Tensor]]:
    """What System 1 learns from, of either generation: demonstrations, and rollouts if there are any."""
    parts = [chunks_of(out, DEMONSTRATIONS, moments, seed=0)]
    if (out / ROLLOUTS).is_file():
        parts += REPEATS * [chunks_of(out, ROLLOUTS, moments, seed=2)]
    return ConcatDataset(parts)


def visual_tokens(out: Path, name: str) -> npt.NDArray[np.float16]:
    """(S, visual tokens, channels) what the frozen eyes make of the demonstrations in the file ``name``."""
    images = lessons.load_lessons(out / name).images

    def look() -> npt.NDArray[np.float16]:
        seen = vision.encode(load_vision(out), images.reshape(-1, *images.shape[2:]))
        return seen.reshape(len(images), -1, seen.shape[-1])

    return cached(out / CACHE, [out / name, weights_of(out, 'vision'), 'tokens'], look)


def chunks_of(out: Path, name: str, moments: action.Statistics, seed: int) -> action.Chunks:
    """What the frozen eyes and System 2 make of the demonstrations in the file ``name``."""
    shown, tokenizer, tokens = lessons.load_lessons(out / name), load_words(out), visual_tokens(out, name)

    def think() -> npt.NDArray[np.float16]:
        texts = action.texts_of(shown, BINS, seed)
        reader = language.LanguageTrainer(load_language(out))
        front = tokens[:, : tokens.shape[1] // shown.images.shape[1]]
        return action.thoughts(reader, tokenizer, front, texts, THOUGHT_ROWS)

    system2 = weights_of(out, system2_folder(out).name)
    brain = [weights_of(out, 'vision'), system2, out / 'tokenizer' / 'tokenizer.json']
    rows = cached(out / CACHE, [out / name, *brain, 'thoughts', seed], think)
    return action.Chunks(shown, tokens, rows, moments)
