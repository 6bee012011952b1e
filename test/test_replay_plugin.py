"""The fixture ``replay_bag``: a user's test of a model on a bag, in three lines."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from replay_bags import ros_messages, write_bag

pytest_plugins = ['pytester']

TEST = """
from replay_bags import Swing, make_model

def test_the_kitchen(replay_bag):
    replay = replay_bag('kitchen', model=make_model(Swing({speed})))
    replay.assert_golden('kitchen.json')

def test_that_it_rests(replay_bag):
    replay = replay_bag('kitchen', model=make_model(), faults=['joints_gap@1.5+0.9'])
    (fault,) = replay.report()['faults']
    assert fault['seconds_to_rest'] < 0.6

def test_nothing(replay_bag):
    replay_bag('no_such_bag', model=make_model())
"""


def run_pytest(pytester: pytest.Pytester, *arguments: str, speed: float = 0.4) -> pytest.RunResult:
    """What pytest says of the user's tests."""
    pytester.makepyfile(test_mine=TEST.format(speed=speed))
    plugin = [] if _is_installed() else ['-p', 'vla_ros.pytest_plugin']
    return pytester.runpytest_inprocess('-p', 'no:cacheprovider', *plugin, *arguments)


def _is_installed() -> bool:
    return any(point.value == 'vla_ros.pytest_plugin' for point in entry_points(group='pytest11'))


def test_a_golden_result_is_written_with_a_reason_kept_and_missed_when_the_model_changes(
    pytester: pytest.Pytester,
) -> None:
    write_bag(pytester.path / 'kitchen', ros_messages(2.5))

    run_pytest(pytester, '--replay-update', 'first result').assert_outcomes(passed=2, failed=1)
    again = run_pytest(pytester)
    changed = run_pytest(pytester, speed=0.41)

    again.assert_outcomes(passed=2, failed=1)
    again.stdout.fnmatch_lines(['*no_such_bag: expected a bag*'])
    again.stdout.no_fnmatch_line('*Traceback*')
    changed.assert_outcomes(passed=1, failed=2)
    changed.stdout.fnmatch_lines(['*the replay differs from kitchen.json*', '*joint error [[]rad[]]*'])


def test_the_plugin_is_an_entry_point_and_imports_nothing_but_pytest() -> None:
    root = Path(__file__).resolve().parents[1]
    assert "'pytest11': ['vla_ros = vla_ros.pytest_plugin']" in (root / 'setup.py').read_text()
    program = (
        'import sys, pytest; before = set(sys.modules); import vla_ros.pytest_plugin; '
        'print(*sorted({m.split(".")[0] for m in set(sys.modules) - before} - sys.stdlib_module_names))'
    )
    said = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, check=True, cwd=root
    )

    assert said.stdout.split() == ['vla_ros']
