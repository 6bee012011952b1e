"""``vla_ros replay``: exit codes for CI, numbers for people and programs, and no traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import command_line
import pytest
from replay_bags import GO, NO, Swing, make_model, ros_messages, write_bag


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bag(tmp_path_factory.mktemp('bags') / 'kitchen', ros_messages(3.0))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command with a model without weights, of that speed; its exit code."""

    def run(*arguments: object, speed: float = 0.4) -> int:
        monkeypatch.setattr('vla_ros.evaluation.replay.model.load_model', lambda *_: make_model(Swing(speed)))
        return command_line.run(monkeypatch, 'replay', *arguments)

    return run


def test_a_golden_file_is_made_with_a_reason_and_then_passes_and_fails(
    run: Any, bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = tmp_path / 'golden' / 'kitchen.json'

    assert run(bag, '--golden', golden, '--update', '--reason', 'first result') == 0
    assert run(bag, '--golden', golden, '--json', tmp_path / 'same.json') == 0
    assert 'the same' in capsys.readouterr().out
    assert run(bag, '--golden', golden, '--json', tmp_path / 'other.json', speed=0.41) == 1
    assert 'it differs' in capsys.readouterr().out
    assert run(bag, '--golden', golden, '--tolerance', '0.05', speed=0.41) == 0

    same, other = (json.loads((tmp_path / name).read_text()) for name in ('same.json', 'other.json'))
    assert same['trajectories_sha256'] == json.loads(golden.read_text())['trajectories_sha256']
    assert other['trajectories_sha256'] != same['trajectories_sha256']
    assert (same['same'], other['same']) == (True, False)
    assert other['joint_error']['largest'] > 0
    assert other['golden']['history'][0]['reason'] == 'first result'


def test_a_bag_without_results_and_golden_file_is_replayed_and_compared_with_nothing(
    run: Any, bag: Path, tmp_path: Path
) -> None:
    assert run(bag, '--json', tmp_path / 'r.json') == 0

    result = json.loads((tmp_path / 'r.json').read_text())
    assert (result['against'], result['same'], result['joint_error']) == ('nothing', None, None)
    assert result['plans'] > 5
    assert result['latencies_ms']['planning']['count'] == result['plans']


def test_a_fault_is_told_in_seconds_to_rest(run: Any, bag: Path, tmp_path: Path) -> None:
    assert run(bag, '--fault', 'camera_gap@1.5+1', '--json', tmp_path / 'r.json') == 0

    result = json.loads((tmp_path / 'r.json').read_text())
    (fault,) = result['faults']
    assert fault['moved'] is True
    assert 0.2 < fault['seconds_to_rest'] < 1.0
    assert result['refusals']['action']['stale_observation'] == 1
    assert len(result['brakes']) == 1


def test_other_words_change_the_decision_and_are_told(run: Any, bag: Path, tmp_path: Path) -> None:
    golden = tmp_path / 'g.json'
    assert run(bag, '--golden', golden, '--instruction', GO, '--update', '--reason', 'first') == 0

    assert run(bag, '--golden', golden, '--instruction', NO, '--json', tmp_path / 'r.json') == 1

    (changed,) = json.loads((tmp_path / 'r.json').read_text())['decision_changes']
    assert changed['reference'] == f'go {GO}'
    assert changed['replayed'] == f'refused {NO}'


def test_the_report_is_a_page_that_stands_alone_with_a_picture(run: Any, bag: Path, tmp_path: Path) -> None:
    golden = tmp_path / 'g.json'
    words = 'touch <b>it</b>'
    run(bag, '--golden', golden, '--update', '--reason', '<first>', '--instruction', words)
    assert run(bag, '--golden', golden, '--instruction', words, '--out', tmp_path / 'out', speed=0.5) == 1

    page = (tmp_path / 'out' / 'report.html').read_text()
    assert (tmp_path / 'out' / 'replay.png').read_bytes().startswith(b'\x89PNG')
    assert 'it differs' in page and 'data:image/png;base64,' in page and '&lt;first&gt;' in page
    assert '<b>it</b>' not in page and 'http' not in page


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (('/no/such/bag',), '/no/such/bag: expected a bag'),
        (('BAG', '--golden', '/no/such/golden.json'), 'golden.json is missing'),
        (('BAG', '--update', '--golden', 'x.json'), '--update takes'),
        (('BAG', '--update', '--reason', 'why'), '--update takes'),
        (('BAG', '--fault', 'flood@1+1'), 'fault: expected'),
        (('BAG', '--clock', 'sundial'), 'clock: expected'),
        (('BAG', '--clock', 'clock'), 'expected messages on /clock'),
        (('BAG', '--remap', 'joint_states'), 'remap: expected'),
        (('BAG', '--namespace', 'left'), '/left/camera/front/image_raw'),
        (('BAG', '--start', '99'), 'start: expected'),
        (('BAG', '--loops', '0'), '--loops'),
    ],
)
def test_what_cannot_be_done_is_exit_code_2_and_one_sentence(
    arguments: tuple[str, ...], says: str, run: Any, bag: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*(bag if argument == 'BAG' else argument for argument in arguments)) == 2

    error = capsys.readouterr().err
    assert says in error
    assert 'Traceback' not in error
