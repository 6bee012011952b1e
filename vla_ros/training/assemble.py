"""The last stage: the trained parts as a bundle that robots load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vla_ros.bundle import load_bundle, sha256, write_manifest
from vla_ros.manifest import FORMAT, FileSpec, Manifest
from vla_ros.sim.expert import PERIOD
from vla_ros.sim.model import JOINT_NAMES, REST_POSE
from vla_ros.training import (
    action,
    action_stage,
    conversations,
    export,
    requests,
    stages,
    tokens_stage,
    vision,
)
from vla_ros.training.action import Statistics
from vla_ros.training.labels import KINDS
from vla_ros.training.precision import chosen
from vla_ros.training.snapshots import CAMERAS
from vla_ros.types import VlaError

FILES = {
    'vision': 'vision.onnx',
    'language': 'language.onnx',
    'action': 'action.onnx',
    'tokenizer': 'language/tokenizer.json',
    'checkpoint': 'language/model.safetensors',
    'head': 'action/model.safetensors',
}
TOKENS = 'tokens.onnx'
"""Generation 1 of System 1, where it was trained."""
MAX_NEW_TOKENS = 96
DIFFERENCE, RELATIVE_DIFFERENCE = 'onnx_difference', 'onnx_relative_difference'
"""Metrics: how far each graph is from PyTorch; relative below float32."""


def assemble(out: Path, folder: Path, name: str) -> Manifest:
    """Export what the stages left in ``out``, compare it with PyTorch, and write the bundle to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    tower, llava, (head, moments) = (
        stages.load_vision(out),
        stages.load_language(out),
        action_stage.load_action(out),
    )
    system2 = stages.system2_folder(out)
    for source, part in ((system2, 'language'), (out / 'action', 'action')):
        _copy(source, folder / part)
    image_tokens = llava.config.image_seq_length
    tokens = image_tokens * len(CAMERAS)
    files, generation_1 = dict(FILES), None
    if tokens_stage.has_tokens(out):
        generation_1 = tokens_stage.load_tokens(out)
        _require_current(out, generation_1, moments)
        files['action_tokens'] = TOKENS
    parity = {
        'vision': export.export_vision(tower, folder / FILES['vision'], len(CAMERAS)),
        'language': export.export_language(llava, folder / FILES['language']),
        'action': export.export_action(head, folder / FILES['action'], tokens, action_stage.THOUGHT_ROWS),
    }
    if generation_1 is not None:
        parity['action_tokens'] = export.export_tokens(
            generation_1.model, generation_1.tokens, folder / TOKENS, tokens
        )
    text = llava.config.text_config
    roads = (
        'pretrain',
        'cpt',
        'vision',
        'language',
        *(['dpo'] if system2.name == 'dpo' else []),
        'action',
        'tokens',
    )
    metrics = {
        stage: json.loads((out / stage / 'metrics.json').read_text(encoding='utf-8'))
        for stage in roads
        if (out / stage / 'metrics.json').is_file()
    }
    size = tower.config.image_size
    manifest = Manifest.model_validate(
        {
            'format': FORMAT,
            'name': name,
            'licence': 'Apache-2.0',
            'cameras': [
                {
                    'name': camera,
                    'width': size,
                    'height': size,
                    'mean': vision.PIXEL_MEAN,
                    'std': vision.PIXEL_STD,
                    'tokens': image_tokens,
                }
                for camera in CAMERAS
            ],
            'tokens': {'rows': tokens, 'width': tower.config.hidden_size},
            'thought': {'rows': action_stage.THOUGHT_ROWS, 'width': text.hidden_size},
            'reasoning': {
                'cameras': ['front'],
                'layers': text.num_hidden_layers,
                'heads': text.num_attention_heads,
                'head_width': text.hidden_size // text.num_attention_heads,
                'max_new_tokens': MAX_NEW_TOKENS,
                'context': text.max_position_embeddings,
                'location_bins': stages.BINS,
                'location_camera': 'front',
                'hand': conversations.HAND,
            },
            'robot': {'name': 'so101', 'joints': JOINT_NAMES, 'units': 'rad', 'rest': REST_POSE},
            'chunk': {
                'horizon': head.config.horizon,
                'dt': PERIOD,
                'representation': 'relative',
                'prefix': head.config.prefix,
            },
            'normalisation': {
                'method': 'mean_std',
                'state': {'mean': moments.state_mean.tolist(), 'std': moments.state_std.tolist()},
                'action': {'mean': moments.action_mean.tolist(), 'std': moments.action_std.tolist()},
                'velocity': _velocity(moments),
            },
            'flow': {'convention': 'groot', 'steps': head.config.steps},
            'action_tokens': None if generation_1 is None else generation_1.spec,
            'files': {key: FileSpec(path=path, sha256=sha256(folder / path)) for key, path in files.items()},
            'provenance': {
                'command': 'vla_ros train, stage by stage; the metrics say how long each one trained and from what',
                'data': f'simulated SO-101 tabletop, seeds below 1000000; objects: {", ".join(KINDS)}',
                'tasks': [*requests.SINGLE, requests.TWO_STEPS],
            },
            'metrics': {**metrics, DIFFERENCE: parity},
        }
    )
    write_manifest(folder, manifest)
    return manifest


def _require_current(out: Path, generation_1: tokens_stage.Generation1, moments: Statistics) -> None:
    """Both generations read the thoughts of one System 2, and the manifest has the state's statistics once.

    Raises:
        VlaError: ``out/tokens`` was made from another System 2 or with other statistics.
    """
    made_from = json.loads((out / tokens_stage.FOLDER / 'metrics.json').read_text(encoding='utf-8'))['start']
    same_mind = made_from == tokens_stage.start_of(out)
    if not same_mind or action.as_lists(generation_1.moments) != action.as_lists(moments):
        found = 'other statistics' if same_mind else f'{made_from}'
        raise VlaError(
            f'{out / tokens_stage.FOLDER}: expected to be made from the present {stages.system2_folder(out).name} and '
            f'action, found {found}; run `vla_ros train tokens` again, or remove it'
        )


def renew_graphs(
    folder: Path,
    flow_steps: int | None = None,
    precision: str | None = None,
    graphs_in_it: Sequence[str] = (),
) -> dict[str, dict[str, float]]:
    """Write a bundle's graphs anew from its checkpoints: the same weights, as this version runs them.

    ``flow_steps`` are Euler steps from noise to chunk; for ``precision`` and ``graphs_in_it`` see ``chosen``. What is
    not given is as the manifest says. Returns the differences from PyTorch, by metric: the largest ones of graphs in
    float32, relative ones of the others. All graphs are written before the first one is replaced.
    """
    manifest = load_bundle(folder).manifest
    kinds = manifest.precision if precision is None else chosen(manifest.precision, precision, graphs_in_it)
    flow = manifest.flow.model_copy(update={'steps': flow_steps or manifest.flow.steps})
    llava, (head, _) = stages.load_llava(folder), action_stage.load_action(folder)
    head.config = replace(head.config, steps=flow.steps)
    eyes: Any = llava.model.vision_tower
    with TemporaryDirectory(dir=folder) as work:
        graphs = {key: Path(work) / FILES[key] for key in ('vision', 'language', 'action')}
        parity = {
            'vision': export.export_vision(eyes, graphs['vision'], len(manifest.cameras), kinds.vision),
            'language': export.export_language(llava, graphs['language'], kinds.language),
            'action': export.export_action(
                head, graphs['action'], manifest.tokens.rows, manifest.thought.rows, kinds.action
            ),
        }
        for key, path in graphs.items():
            path.replace(folder / manifest.files[key].path)
    files = {
        key: FileSpec(path=spec.path, sha256=sha256(folder / spec.path))
        for key, spec in manifest.files.items()
    }
    found: dict[str, dict[str, float]] = {}
    for key, difference in parity.items():
        metric = DIFFERENCE if getattr(kinds, key) == 'fp32' else RELATIVE_DIFFERENCE
        found.setdefault(metric, {})[key] = difference
    before = {
        key: value for key, value in manifest.metrics.items() if key not in (DIFFERENCE, RELATIVE_DIFFERENCE)
    }
    metrics = {**before, **found}
    changed = {'files': files, 'metrics': metrics, 'flow': flow, 'precision': kinds}
    write_manifest(folder, manifest.model_copy(update=changed))
    return found


def _velocity(moments: Statistics) -> dict[str, list[float]] | None:
    """The statistics of velocities, if the head is told them."""
    if moments.velocity_mean is None or moments.velocity_std is None:
        return None
    return {'mean': moments.velocity_mean.tolist(), 'std': moments.velocity_std.tolist()}


def _copy(source: Path, target: Path) -> None:
    """The files of a stage, without its checkpoints on the way."""
    shutil.rmtree(target, ignore_errors=True)
    ignored = shutil.ignore_patterns('run*', 'log.json')
    shutil.copytree(source, target, ignore=ignored, copy_function=shutil.copyfile)


def summary(manifest: Manifest) -> dict[str, Any]:
    """What a person wants to know first."""
    return {'bundle': manifest.name, 'metrics': manifest.metrics}
