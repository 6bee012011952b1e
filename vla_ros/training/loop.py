"""One training loop for every stage: Hugging Face's Trainer, with resuming, progress and averaged weights."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a stage trains."""

    steps: int
    batch: int
    learning_rate: float
    warm_up: int = 100
    weight_decay: float = 0.01
    average: float = 0.995
    seed: int = 0


def fresh_generator() -> np.random.Generator:
    """Random choices in a dataset: seeded from torch, so that no two epochs or processes repeat each other."""
    return np.random.default_rng(int(torch.randint(2**62, (1,))))


def fast_in_bfloat16() -> bool:
    """Whether this machine computes in bfloat16; a processor that only emulates it is a hundred times slower."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu.get_capabilities().get('avx512_bf16', False))


class _Average(TrainerCallback):
    """Exponential moving average of the weights: what is kept at the end of a stage."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.weights: dict[str, torch.Tensor] = {}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        decay = min(self.decay, (1 + state.global_step) / (10 + state.global_step))
        for name, weight in kwargs['model'].state_dict().items():
            if name not in self.weights or not weight.is_floating_point():
                self.weights[name] = weight.detach().clone()
            else:
                self.weights[name].lerp_(weight.detach(), 1 - decay)


def fit(
    model: nn.Module,
    data: Dataset[Any] | Sequence[Any],
    folder: Path,
    schedule: Schedule,
    collate: Callable[[list[Any]], dict[str, Any]] | None = None,
) -> list[dict[str, float]]:
    """Train ``model`` (its forward returns a dict with 'loss') and leave it with averaged weights.

    Resumes from the last checkpoint in ``folder`` if there is one. Returns the log and writes it to ``log.json``.
    Under ``torchrun`` the processes share the batch, and all but the first end here.
    """
    shared = 'WORLD_SIZE' in os.environ
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=schedule.steps,
        per_device_train_batch_size=schedule.batch // int(os.environ.get('WORLD_SIZE', '1')),
        learning_rate=schedule.learning_rate,
        lr_scheduler_type='cosine',
        warmup_steps=schedule.warm_up,
        weight_decay=schedule.weight_decay,
        max_grad_norm=1.0,
        logging_steps=50,
        save_steps=500,
        save_total_limit=1,
        bf16=fast_in_bfloat16(),
        use_cpu=not torch.cuda.is_available(),
        seed=schedule.seed,
        report_to=[],
        dataloader_num_workers=1,
        remove_unused_columns=False,
        ddp_backend='gloo' if shared and not torch.cuda.is_available() else None,
        ddp_find_unused_parameters=False,
    )
    average = _Average(schedule.average)
    trainer = Trainer(
        model=model, args=arguments, train_dataset=data, data_collator=collate, callbacks=[average]
    )
    folder.mkdir(parents=True, exist_ok=True)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(folder)))
    if not trainer.is_world_process_zero():
        raise SystemExit(
            0
        )  # Under torchrun every process trains; one of them goes on to measure and to write.
    if average.weights:
        model.load_state_dict(average.weights)
    log = [entry for entry in trainer.state.log_history if 'loss' in entry]
    (folder / 'log.json').write_text(json.dumps(log, indent=1), encoding='utf-8')
    return log
