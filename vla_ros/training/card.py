"""The model card of a bundle: data, stages with their losses, what was measured, limits, licence.

Written from what the stages left behind (``metrics.json``, ``log.json``) and from results of ``vla_ros eval``, so that
no number in it is typed by hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vla_ros.bundle import load_bundle
from vla_ros.manifest import Manifest
from vla_ros.types import VlaError
from vla_ros.viz.loss_chart import draw_losses
from vla_ros.viz.markdown import markdown_table

CARD, LOSSES = 'README.md', 'losses.png'
STAGES = {
    'pretrain': 'English, next token',
    'cpt': 'text of the domain and English, next token',
    'vision': 'pictures and captions, sigmoid contrastive loss and a dense loss',
    'language': 'traces about pictures, next token of answers',
    'dpo': 'pairs of a true and a false answer, preference',
    'action': "the expert's chunks, flow matching",
}
"""In the order of the road: what each one learns from, and how."""
HISTORY = ('start', 'schedule', 'final_loss')
"""Keys of a stage's metrics that have a column of their own, or tell of an earlier run."""
REASONING = (
    'well_formed',
    'subtask_accuracy',
    'verdict_accuracy',
    'refusal_recall',
    'false_refusals',
    'location_error_mm',
    'objects',
)
"""What is shown of ``vla_ros eval reasoning``."""
LIMITS = """\
* Everything was learned in one simulator, on one table, with one arm and its two cameras. It has never seen a real
  picture; expect to train it on your own (`docs/training.md`).
* It knows the objects named above and English. Other words for them, other things and other languages it may
  misunderstand; it may refuse what can be done, and go about what cannot.
* It does not make the arm safe. Limits, workspace and stops are held by the guard, which never asks the model."""


def write_card(out: Path, folder: Path, results: Sequence[Path] = ()) -> Path:
    """Write ``README.md`` and ``losses.png`` into a bundle's folder.

    Args:
        out: where the stages keep their work.
        results: JSON files of ``vla_ros eval success`` or ``reasoning``, in the order in which they are shown.

    Raises:
        VlaError: no bundle, no stage in ``out``, or a result of another bundle.
    """
    manifest = load_bundle(folder).manifest
    losses = {stage: curve for stage in STAGES if (curve := _curve(out / stage))}
    if not losses:
        raise VlaError(f'{out}: expected the logs of the stages (vision/run/log.json), found none')
    draw_losses(losses, folder / LOSSES)
    measured = list(_results(results, manifest.name))
    (folder / CARD).write_text(_card(manifest, losses, measured), encoding='utf-8')
    return folder / CARD


def _card(manifest: Manifest, losses: Mapping[str, Any], measured: Sequence[tuple[str, ...]]) -> str:
    provenance = manifest.provenance
    stages = [_stage(stage, manifest.metrics[stage]) for stage in STAGES if stage in manifest.metrics]
    parts = [
        f'---\nlicense: {manifest.licence.lower()}\npipeline_tag: robotics\nlibrary_name: vla_ros\n---',
        f'# {manifest.name}',
        f'A dual-system Vision-Language-Action model for {manifest.robot.name}: cameras '
        f'({", ".join(camera.name for camera in manifest.cameras)}) and a sentence in, chunks of '
        f'{manifest.chunk.horizon} joint targets out. Written by `vla_ros train card`.',
        f'Tasks: {", ".join(map(str, provenance.get("tasks", []))) or "not stated"}.',
        '## Data',
        f'{provenance.get("data", "Not stated.")}',
        '## Stages',
        markdown_table(('stage', 'learns from', 'steps', 'batch', 'loss', 'on held-out data'), stages),
        f'![The loss of {", ".join(losses)}]({LOSSES})',
        'What a stage began with, where that is not the stage before, stands under `start` in `manifest.yaml`.',
    ]
    if measured:
        parts += ['## Measured', markdown_table(('what', 'result', 'where'), measured)]
    parts += ['## Limits', LIMITS, f'## Licence\n\n{manifest.licence}']
    return '\n\n'.join(parts) + '\n'


def _stage(stage: str, metrics: Mapping[str, Any]) -> tuple[str, ...]:
    schedule, loss = metrics.get('schedule', {}), metrics.get('final_loss')
    found = '; '.join(_flat({key: value for key, value in metrics.items() if key not in HISTORY}))
    return (
        stage,
        STAGES[stage],
        f'{schedule.get("steps", "")}',
        f'{schedule.get("batch", "")}',
        '' if loss is None else f'{loss:.3g}',
        found,
    )


def _flat(content: Mapping[str, Any], before: str = '') -> Iterator[str]:
    """'front recall 0.97' for each number of nested metrics."""
    for key, value in content.items():
        name = f'{before} {key}'.strip().replace('_', ' ')
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        elif isinstance(value, float):
            yield f'{name} {value:.3g}'
        else:
            yield f'{name} {value}'


def _curve(folder: Path) -> list[tuple[int, float]]:
    """(step, loss) of the newest run of a stage; [] if it has none."""
    logs = sorted(folder.glob('run*/log.json'), key=lambda path: path.stat().st_mtime)
    if not logs:
        return []
    entries = json.loads(logs[-1].read_text(encoding='utf-8'))
    return [(int(entry['step']), float(entry['loss'])) for entry in entries if 'step' in entry]


def _results(paths: Sequence[Path], name: str) -> Iterator[tuple[str, ...]]:
    for path in paths:
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
            found = list(content['tasks'].values()) if 'tasks' in content else [content]
            names = {one['bundle']['name'] for one in found}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VlaError(
                f'{path}: expected the JSON of vla_ros eval success or reasoning ({error})'
            ) from error
        if names != {name}:
            raise VlaError(f'{path}: expected results of bundle {name}, found those of {sorted(names)}')
        yield from map(_result, found)


def _result(content: Mapping[str, Any]) -> tuple[str, ...]:
    words = ', '.join(Path(file).name for file in str(content['wordings']).split(', '))
    where = f'seed {content["seed"]}, {words}; {content["machine"]["processor"]}'
    if 'success_rate' not in content:
        numbers = '; '.join(_flat({key: content[key] for key in REASONING if content.get(key) is not None}))
        return f'thoughts about {content["orders"]} orders', numbers, where
    low, high = content['ci95']
    failures = ', '.join(f'{count} {kind}' for kind, count in content['failures'].items())
    said = f'{content["successes"]} of {content["episodes"]} (95 % interval {100 * low:.0f} to {100 * high:.0f} %)'
    return f'{content["task"]}, {content["road"]}', f'{said}{"; " if failures else ""}{failures}', where
