"""The model card: what the stages left behind and what was measured, in one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip('torch')

from vla_ros.bundle import load_bundle, write_manifest
from vla_ros.training.card import write_card
from vla_ros.types import VlaError

VISION = {
    'start': {'final_loss': 77.0},
    'schedule': {'steps': 40, 'batch': 8},
    'final_loss': 0.5,
    'front': {'recall': 0.875},
}
SUCCESS: dict[str, Any] = {
    'task': 'touch',
    'episodes': 4,
    'successes': 3,
    'success_rate': 0.75,
    'ci95': [0.3, 0.95],
    'failures': {'missed': 1},
    'road': 'offline',
    'seed': 7,
    'wordings': 'words.yaml',
    'machine': {'processor': 'a processor'},
    'bundle': {'name': 'tiny'},
}
REASONING = {
    **{key: SUCCESS[key] for key in ('seed', 'wordings', 'machine', 'bundle')},
    'orders': 9,
    'well_formed': 1.0,
    'location_error_mm': {'median': 2.5, 'p95': 7.0},
}


@pytest.fixture
def trained(tmp_path: Path, bundle: str) -> tuple[Path, Path]:
    """The folder of stages of which one was trained twice, and the bundle made of it."""
    out = tmp_path / 'train'
    for run, loss in (('run', 9.0), ('run_ab', 0.5)):
        folder = out / 'vision' / run
        folder.mkdir(parents=True)
        log = [{'step': 20, 'loss': loss + 1}, {'step': 40, 'loss': loss}, {'train_runtime': 3.0}]
        (folder / 'log.json').write_text(json.dumps(log), encoding='utf-8')
    manifest = load_bundle(Path(bundle)).manifest
    write_manifest(Path(bundle), manifest.model_copy(update={'metrics': {'vision': VISION}}))
    return out, Path(bundle)


def test_given_stages_and_results_when_written_then_the_card_has_their_numbers_and_a_plot(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    results = [tmp_path / 'success.json', tmp_path / 'reasoning.json']
    results[0].write_text(json.dumps({'tasks': {'touch': SUCCESS}}), encoding='utf-8')
    results[1].write_text(json.dumps(REASONING), encoding='utf-8')

    card = write_card(*trained, results).read_text(encoding='utf-8')

    assert card.startswith('---\nlicense: apache-2.0\n')
    assert '| vision | ' in card and '| 40 | 8 | 0.5 | front recall 0.875 |' in card
    assert '77' not in card  # of an earlier training
    assert '| touch, offline | 3 of 4 (95 % interval 30 to 95 %); 1 missed | seed 7' in card
    assert 'well formed 1; location error mm median 2.5; location error mm p95 7' in card
    assert '## Limits' in card
    assert Image.open(trained[1] / 'losses.png').width > 500
    load_bundle(trained[1])  # a card does no harm to a bundle


def test_given_results_of_another_bundle_when_written_then_they_are_refused(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / 'other.json').write_text(
        json.dumps({**SUCCESS, 'bundle': {'name': 'other'}}), encoding='utf-8'
    )

    with pytest.raises(VlaError, match=r"expected results of bundle tiny, found those of \['other'\]"):
        write_card(*trained, [tmp_path / 'other.json'])


def test_given_no_stages_when_written_then_it_says_what_is_missing(tmp_path: Path, bundle: str) -> None:
    with pytest.raises(VlaError, match='expected the logs of the stages'):
        write_card(tmp_path / 'nothing', Path(bundle))
