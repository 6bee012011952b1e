"""The command line: what a person gets to see when something is wrong, and what files hold when it is right."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from command_line import run

from vla_ros import cli
from vla_ros.bundle import load_bundle, sha256, write_manifest
from vla_ros.evaluation.episodes import Episode
from vla_ros.evaluation.success import report
from vla_ros.evaluation.trial import Outcome

MANIFEST: dict[str, Any] = {
    'format': 1,
    'name': 'toy',
    'licence': 'Apache-2.0',
    'cameras': [
        {'name': 'front', 'width': 8, 'height': 8, 'mean': [0.5] * 3, 'std': [0.5] * 3, 'tokens': 4},
    ],
    'tokens': {'rows': 4, 'width': 8},
    'thought': {'rows': 4, 'width': 8},
    'reasoning': {
        'cameras': ['front'],
        'layers': 1,
        'heads': 1,
        'head_width': 8,
        'max_new_tokens': 8,
        'context': 64,
        'location_bins': 8,
        'location_camera': 'front',
    },
    'robot': {'name': 'toy', 'joints': ['a'], 'units': 'rad', 'rest': [0.0]},
    'chunk': {'horizon': 4, 'dt': 0.05, 'representation': 'relative', 'prefix': 1},
    'normalisation': {
        'method': 'mean_std',
        'state': {'mean': [0.0], 'std': [1.0]},
        'action': {'mean': [0.0], 'std': [1.0]},
    },
    'flow': {'convention': 'groot', 'steps': 4},
    'files': {},
    'provenance': {'command': 'a test'},
    'metrics': {},
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    import yaml

    folder = tmp_path / 'toy'
    folder.mkdir()
    (folder / 'words.json').write_text('{}')
    content = {
        **MANIFEST,
        'files': {'tokenizer': {'path': 'words.json', 'sha256': sha256(folder / 'words.json')}},
    }
    (folder / 'manifest.yaml').write_text(yaml.safe_dump(content))
    return folder


def assert_one_sentence(error: str, says: str) -> None:
    assert error.startswith('error: ') and says in error
    assert error.count('\n') == 1 and 'Traceback' not in error


def test_a_sound_bundle_is_shown_and_its_manifest_written(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, 'inspect', bundle, '--json', tmp_path / 'a' / 'x.json') == 0

    shown = capsys.readouterr().out
    assert 'toy' in shown and 'words.json' in shown and '1 files, all as their checksums say' in shown
    assert json.loads((tmp_path / 'a' / 'x.json').read_text())['name'] == 'toy'


def test_an_altered_file_is_one_sentence_and_exit_code_1(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / 'words.json').write_text('{"a": 1}')

    assert run(monkeypatch, 'inspect', bundle) == 1
    assert_one_sentence(capsys.readouterr().err, 'was altered')


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (('inspect', 'no-such-bundle'), "found 'no-such-bundle'"),
        (('eval', 'success', '--task', 'juggle'), "found 'juggle'"),
        (('eval', 'success', '--wordings', '/no/such/file.yaml'), '/no/such/file.yaml is missing'),
        (('eval', 'success', '--episodes', '1', '--bundle', '/no/such/bundle'), '/no/such/bundle'),
        (('demo', '--from-bag', '--out', '/no/such/run'), '/no/such/run/report.json'),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_1(
    arguments: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 1
    assert_one_sentence(capsys.readouterr().err, says)


def test_a_wrong_option_is_a_matter_of_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, 'eval', 'success', '--episodes', 'many') == 2
    assert '--episodes' in capsys.readouterr().err


def run_without(absent: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own in which some packages cannot be imported."""
    program = (
        f'import sys\nsys.modules.update(dict.fromkeys({[*absent]!r}))\n'
        f'sys.argv = {["vla_ros", *arguments]!r}\n'
        'from vla_ros.cli import main\nsys.exit(main())\n'
    )
    return subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, cwd=Path(cli.__file__).parents[2]
    )


@pytest.mark.parametrize('command', ['train', 'export'])
def test_without_torch_training_says_what_to_install(command: str) -> None:
    ended = run_without(['torch'], command, *(['vision'] if command == 'train' else []))

    assert ended.returncode == 1
    assert_one_sentence(ended.stderr, "pip install 'vla_ros[train]'")


@pytest.mark.parametrize('command', [('demo',), ('run',), ('status',), ('eval', 'success', '--ros')])
def test_without_ros_a_command_that_needs_it_says_what_to_do(command: tuple[str, ...]) -> None:
    ended = run_without(['rclpy'], *command)

    assert ended.returncode == 1
    assert_one_sentence(ended.stderr.splitlines(keepends=True)[-1], 'ROS 2 is not there')


def test_help_needs_neither_ros_nor_torch_nor_the_simulator() -> None:
    ended = run_without(['torch', 'rclpy', 'mujoco', 'av', 'matplotlib', 'rosbags'], '--help')

    assert ended.returncode == 0, ended.stderr
    for command in ('demo', 'eval', 'replay', 'train', 'export', 'inspect', 'run', 'status'):
        assert command in ended.stdout


def test_help_of_training_is_that_of_its_stages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip('torch')

    assert run(monkeypatch, 'train', '--help') == 0
    shown = capsys.readouterr().out
    assert 'vision' in shown and 'language' in shown and 'vla_ros train' in shown


def test_a_file_that_cannot_be_written_is_one_sentence(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / 'file').write_text('')

    assert run(monkeypatch, 'inspect', bundle, '--json', tmp_path / 'file' / 'x.json') == 1
    assert_one_sentence(capsys.readouterr().err, 'could not be written')


def outcome(success: bool, failure: str = '', refused: bool = False) -> Outcome:
    episode = Episode(0, 1_000_000, 'touch', 'red cube', 'touch the red cube')
    return Outcome(episode, success, failure, refused, 'x', 3.0, 0.5, {'start_jump': 1}, 0.5)


def test_the_report_of_an_evaluation_counts_what_it_says(bundle: Path) -> None:
    outcomes = (
        [outcome(True)] * 7 + [outcome(False, 'missed')] * 2 + [outcome(False, 'refused', refused=True)]
    )

    found = report(
        outcomes,
        task='touch',
        seed=1_000_000,
        wordings=[Path('w.yaml')],
        bundle=bundle,
        road='offline',
        begun=0.0,
    )

    assert (found['episodes'], found['successes'], found['success_rate']) == (10, 7, 0.7)
    assert found['failures'] == {'missed': 2, 'refused': 1}
    assert (found['refusals'], found['false_refusals']) == (1, 1)
    assert found['refused_plans'] == {'start_jump': 10}
    assert found['ci95'] == [0.3968, 0.8922]
    assert found['bundle'] == {'name': 'toy', 'manifest_sha256': sha256(bundle / 'manifest.yaml')}
    assert json.loads(json.dumps(found)) == found


def test_the_toy_bundle_of_these_tests_is_valid(bundle: Path) -> None:
    opened = load_bundle(bundle)
    shutil.rmtree(bundle)
    bundle.mkdir()
    write_manifest(bundle, opened.manifest)

    assert load_bundle(bundle).manifest == opened.manifest
