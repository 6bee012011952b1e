"""What Isaac-GR00T wrote and exported, imported: both make the same chunk (scripts/compare_groot.sh)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('onnx')

from groot_policy import groot_policy

from vla_ros.action.groot.link import GrootOnnxLink
from vla_ros.action.remote.link import Asked
from vla_ros.training.import_groot import import_groot

ANSWERS = os.environ.get('VLA_ROS_GROOT_ANSWERS', '')
pytestmark = pytest.mark.skipif(not ANSWERS, reason='scripts/compare_groot.sh runs Isaac-GR00T before')
CAMERAS, WIDTHS, HORIZON = ('front', 'wrist'), {'arm': 2, 'gripper': 1, 'turn': 1}, 6
JOINTS = {key: [f'{key}{n}' for n in range(width)] for key, width in WIDTHS.items()}
TOLERANCE = {'export_single': 1e-4, 'export': 0.02}
"""Of numbers up to 100. In bfloat16 the export rounds more than weights: constants, such as the scale of attention."""


@pytest.mark.parametrize('export', TOLERANCE)
def test_both_make_the_same_chunk(tmp_path: Path, export: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(ANSWERS)
    vlm = folder / 'nvidia' / 'Cosmos-Reason2-2B'
    import_groot(folder / export, folder / 'checkpoint', vlm, tmp_path / 'model')
    link = GrootOnnxLink(groot_policy(JOINTS, CAMERAS, HORIZON), tmp_path / 'model')
    link.connect()
    said = np.load(folder / 'answers.npz')
    started = np.load(folder / 'noise.npy')
    monkeypatch.setattr('vla_ros.action.groot.link.noise', lambda *_: started)

    differences: dict[str, float] = {}
    largest: dict[str, float] = {}
    questions = sorted({name.split('/')[0] for name in said.files})
    for number in questions:
        pictures = {key: said[f'{number}/video/{key}'] for key in CAMERAS}
        state = {key: said[f'{number}/state/{key}'] for key in WIDTHS}
        found = link.ask(Asked(pictures, state, str(said[f'{number}/order']), 0))
        for key in WIDTHS:
            wanted = said[f'{number}/action/{key}']
            differences[key] = max(differences.get(key, 0.0), float(np.abs(found[key] - wanted).max()))
            largest[key] = max(largest.get(key, 0.0), float(np.abs(wanted).max()))

    print(f'\n{export}: {len(questions)} questions; largest difference, of numbers up to')
    for key in WIDTHS:
        print(f'  {key}: {differences[key]:.2g} of {largest[key]:.3g}')
    assert len(questions) == 6
    assert max(differences.values()) < TOLERANCE[export]
