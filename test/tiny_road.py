"""A folder as the stages of training leave it, with tiny parts of random weights and made-up demonstrations."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tiny_eyes import tiny_eyes

from vla_ros.reasoning.trace import Request
from vla_ros.training import action, conversations, stages
from vla_ros.training.flow import FlowConfig, FlowHead
from vla_ros.training.labels import KINDS, Truth
from vla_ros.training.language import build_llava
from vla_ros.training.lessons import Lessons, LessonWriter, as_numbers
from vla_ros.training.llama import LanguageSize
from vla_ros.training.snapshots import CAMERAS, Snapshots
from vla_ros.training.tokenizer import train_tokenizer
from vla_ros.types import Subtask

HORIZON, JOINTS, SIZE = 16, 6, 32
THINGS = ('red cube', 'blue cube', 'green bowl')


def made_up_truth(rng: np.random.Generator, count: int) -> Truth:
    """Three things at random places, all within reach; the hand is open."""
    centres = np.full((count, len(KINDS), 2), np.nan, np.float32)
    centres[:, [KINDS.index(name) for name in THINGS]] = rng.uniform(0.1, 0.9, (count, len(THINGS), 2))
    goals = rng.random((count, len(KINDS), 4, 2)).astype(np.float32)
    return Truth(
        centres,
        np.ones((count, len(KINDS)), bool),
        goals,
        np.full(count, 0.6, np.float32),
        np.full(count, -1),
    )


def made_up_lessons(seed: int, count: int) -> Lessons:
    """Looks while the red or the blue cube is to be touched: joints move at a steady pace, to one side or the other."""
    rng = np.random.default_rng(seed)
    truth = made_up_truth(rng, count)
    which = np.arange(count) % 2
    side = np.where(which, 1.0, -1.0)[:, None, None]
    joints = rng.uniform(-0.5, 0.5, (count, JOINTS)).astype(np.float32)
    ramp = np.arange(1, HORIZON + 1)[None, :, None] * np.linspace(0.01, 0.03, JOINTS)
    request = [as_numbers(Request((Subtask('touch', THINGS[one]),))) for one in which]
    return Lessons(
        images=rng.integers(0, 255, (count, len(CAMERAS), SIZE, SIZE, 3), np.uint8),
        truth=truth,
        joints=joints,
        velocities=rng.normal(0, 0.1, (count, JOINTS)).astype(np.float32),
        chunks=(joints[:, None] + side * ramp).astype(np.float32),
        requests=np.stack(request),
        done=np.zeros(count, np.int64),
        goals=np.full((count, 2), np.nan, np.float32),
        step=np.zeros(count, np.int64),
        order=np.arange(count),
    )


def write_road(out: Path, looks: int = 24) -> Path:
    """Everything that `vla_ros train tokens` and `vla_ros train bundle` read."""
    out.mkdir(parents=True, exist_ok=True)
    for name, seed, count in (('demonstrations', 0, looks), ('demonstrations_test', 1, 8)):
        with LessonWriter(out / f'{name}.npz') as writer:
            writer.add(made_up_lessons(seed, count))
    rng = np.random.default_rng(2)
    truth = made_up_truth(rng, 8)
    images = {camera: rng.integers(0, 255, (8, SIZE, SIZE, 3), np.uint8) for camera in CAMERAS}
    Snapshots(images, {'front': truth.centres, 'wrist': truth.centres}, truth).save(
        out / 'snapshots_test.npz'
    )
    said = [conversations.drawn(rng, truth, i % 8, stages.BINS) for i in range(200)]
    tokenizer = train_tokenizer([one.prompt(stages.BINS) + one.trace for one in said], stages.BINS, 1000)
    tokenizer.save_pretrained(str(out / 'tokenizer'))
    eyes = tiny_eyes()
    eyes.save_pretrained(str(out / 'vision'))
    torch.manual_seed(0)
    llava = build_llava(LanguageSize(width=32, layers=2, heads=2, feed_forward=64), eyes, tokenizer, 4)
    llava.save_pretrained(str(out / 'language'))
    tokenizer.save_pretrained(str(out / 'language'))
    head = FlowHead(
        FlowConfig(velocities=True, tokens=8, token_width=24, thought_width=32, width=24, heads=2, pairs=2)
    )
    moments = action.statistics(made_up_lessons(0, looks))
    (out / 'action').mkdir()
    save_file(head.state_dict(), str(out / 'action' / 'model.safetensors'))
    config: dict[str, Any] = {**asdict(head.config), 'statistics': action.as_lists(moments)}
    (out / 'action' / 'config.json').write_text(json.dumps(config))
    return out
