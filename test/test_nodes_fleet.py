"""Two reasoning nodes as processes in namespaces of their own, against one server that batches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')
pytest.importorskip('tokenizers')
pytest.importorskip('matplotlib')

from command_line import run


@pytest.mark.usefixtures('ros_domain')
def test_given_two_robots_when_both_ask_one_server_then_both_think_and_it_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'ROS_AUTOMATIC_DISCOVERY_RANGE', 'OMP_NUM_THREADS'):
        monkeypatch.setenv(name, '')  # what the command sets is taken back
        monkeypatch.delenv(name)
    report, picture = tmp_path / 'fleet.json', tmp_path / 'fleet.png'
    options = [
        '--seconds',
        4,
        '--rate',
        2,
        '--tokens',
        10,
        '--step-seconds',
        0.005,
        '--logs',
        tmp_path / 'logs',
    ]

    code = run(monkeypatch, 'eval', 'fleet', '--robots', 2, *options, '--plot', picture, '--json', report)

    assert code == 0
    (row,) = json.loads(report.read_text())['rows']
    assert row['robots'] == 2
    assert row['thoughts'] >= 2
    assert row['p50_ms'] >= 50.0  # no thought is younger than an answer takes
    assert row['p99_ms'] >= row['p50_ms']
    assert row['answers_per_step'] >= 1.0
    assert picture.read_bytes().startswith(b'\x89PNG')


def test_a_server_without_a_model_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, 'eval', 'fleet', '--url', 'http://localhost:1/v1') == 1
    assert '--url and --model together' in capsys.readouterr().err
