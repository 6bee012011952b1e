"""``vla_ros import smolvla``: a checkpoint of LeRobot to a folder that ``backend: smolvla`` runs without torch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from vla_ros.action.smolvla.link import time_waves
from vla_ros.action.smolvla.model import FilesSpec, ModelSpec, TimeSpec, VectorSpec, write_model
from vla_ros.bundle import sha256
from vla_ros.manifest import FileSpec
from vla_ros.training.export import OPSET, export_compared
from vla_ros.training.smolvla import EXPERT, Prefix, Step
from vla_ros.training.smolvla_checkpoint import Checkpoint, Statistics, read_checkpoint
from vla_ros.types import VlaError

FILES = {'prefix': 'prefix.onnx', 'step': 'step.onnx', 'tokenizer': 'tokenizer.json'}


def import_smolvla(
    source: Path, out: Path, vlm: Path | None = None, tell: Callable[[str], None] = lambda _: None
) -> ModelSpec:
    """Export a checkpoint, each graph compared with what it was made of, and describe it.

    Args:
        out: a folder that is not there yet, or is empty.
        vlm: see ``read_checkpoint``.
        tell: hears what is being done.

    Raises:
        VlaError: the checkpoint cannot be read or wants what is not done here, or a graph computes something else.
    """
    if out.exists() and any(out.iterdir()):
        raise VlaError(f'{out}: expected a new or empty folder, found files in it')
    checkpoint = read_checkpoint(source, vlm)
    tell(f'{source}: {len(checkpoint.images)} cameras, {checkpoint.architecture.layers} layers')
    width = int(checkpoint.weights[f'{EXPERT}.norm.weight'].shape[0])
    sizes = checkpoint.architecture
    try:  # before anything large is written
        spec_of_time = TimeSpec(width=width, shortest=checkpoint.shortest, longest=checkpoint.longest)
        state, action = _vector(checkpoint.state, sizes.state), _vector(checkpoint.action, sizes.action)
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        raise VlaError(f'{source}: {problem["msg"].removeprefix("Value error, ")}') from error
    out.mkdir(parents=True, exist_ok=True)
    differences = _graphs(checkpoint, spec_of_time, out, tell)
    shutil.copyfile(checkpoint.tokenizer, out / FILES['tokenizer'])
    spec = ModelSpec(
        format=1,
        images=checkpoint.images,
        image_size=sizes.image_size,
        words=checkpoint.words,
        horizon=sizes.horizon,
        steps=checkpoint.steps,
        time=spec_of_time,
        state=state,
        action=action,
        files=FilesSpec(
            **{key: FileSpec(path=path, sha256=sha256(out / path)) for key, path in FILES.items()}
        ),
        provenance={
            'command': 'vla_ros import smolvla',
            'checkpoint': source.resolve().name,
            'sha256': sha256(source / 'model.safetensors'),
            'opset': OPSET,
            'largest_difference_from_torch': differences,
        },
    )
    write_model(out, spec)
    return spec


def _graphs(
    checkpoint: Checkpoint, time: TimeSpec, out: Path, tell: Callable[[str], None]
) -> dict[str, float]:
    sizes = checkpoint.architecture
    torch.manual_seed(0)
    images = torch.rand(len(checkpoint.images), 3, sizes.image_size, sizes.image_size) * 2 - 1
    seen: dict[str, torch.Tensor] = {
        'images': images,
        'words': torch.arange(5),
        'state': torch.randn(sizes.state),
    }
    differences: dict[str, float] = {}
    tell('prefix: pictures, words and state to keys and values')
    prefix = Prefix(sizes, checkpoint.weights)
    dynamic: dict[str, dict[int, str]] = {
        'images': {0: 'cameras'},
        'words': {0: 'length'},
        'keys': {1: 'rows'},
        'values': {1: 'rows'},
    }
    differences['prefix'] = export_compared(prefix, seen, ['keys', 'values'], dynamic, out / FILES['prefix'])
    with torch.no_grad():
        keys, values = prefix(**seen)
    del prefix
    tell('step: a moment of the flow')
    moment: dict[str, Any] = {
        'actions': torch.randn(sizes.horizon, sizes.action),
        'time': torch.from_numpy(time_waves(1.0, time)),
        'keys': keys,
        'values': values,
    }
    dynamic = {'keys': {1: 'rows'}, 'values': {1: 'rows'}}
    step = Step(sizes, checkpoint.weights)
    differences['step'] = export_compared(step, moment, ['velocity'], dynamic, out / FILES['step'])
    return differences


def _vector(statistics: Statistics, width: int) -> VectorSpec:
    return VectorSpec(width=width, mean=statistics.mean, std=statistics.std)
