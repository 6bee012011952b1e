"""The table of faults: what a reader of the terminal and of the page gets to see."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from vla_ros.evaluation.faults import FAULTS
from vla_ros.viz.fault_table import fault_table, markdown

ROOT = Path(__file__).resolve().parents[1]
PASSED: dict[str, Any] = {
    'fault': 'cameras_silent',
    'what': 'no camera sends',
    'expected': 'brakes',
    'passed': True,
    'reason': 'The observation is 0.510 s old.',
    'refusals': ['action: stale_observation'],
    'seconds_to_detect': 0.4567,
    'wall_seconds_to_detect': 0.9,
    'seconds_to_rest': 0.12,
    'recovered': True,
    'revival': 'by itself',
    'problems': [],
}
FAILED = {
    **PASSED,
    'fault': 'gremlins',
    'passed': False,
    'reason': '',
    'seconds_to_rest': None,
    'recovered': False,
    'problems': ['the arm did not come to rest'],
}
REPORT = {'faults': 2, 'passed': 1, 'rows': [PASSED, FAILED]}


def test_the_terminal_shows_each_fault_and_each_problem() -> None:
    console = Console(width=200, record=True, file=open('/dev/null', 'w'))  # noqa: SIM115
    console.print(fault_table(REPORT))
    text = console.export_text()

    assert '1 of 2 faults as they must be' in text
    assert re.search(
        r'cameras_silent +brakes +The observation is 0.510 s old +0.46 s +0.12 s +by itself', text
    )
    assert 'gremlins: the arm did not come to rest' in text


def test_what_is_held_to_the_wall_is_told_by_the_wall() -> None:
    assert '0.90 s (wall)' in markdown({**REPORT, 'rows': [{**PASSED, 'fault': 'reasoning_killed'}]})


def test_the_page_has_a_row_a_fault_with_as_many_cells_as_columns(tmp_path: Path) -> None:
    file = tmp_path / 'report.json'
    file.write_text(json.dumps(REPORT))
    command = [sys.executable, '-m', 'vla_ros.viz.fault_table', str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout

    lines = said.strip().splitlines()
    assert lines == markdown(REPORT).splitlines()
    assert len({line.count('|') for line in lines}) == 1
    assert lines[2].startswith('| `cameras_silent` | no camera sends | brakes |')
    assert 'fails' in lines[3]


def test_the_page_of_faults_has_every_fault_in_the_order_of_the_table() -> None:
    page = (ROOT / 'docs' / 'faults.md').read_text(encoding='utf-8')
    table = page.split('## Faults')[1].split('\n## ')[0]
    rows = re.findall(r'^\| `(\w+)` \| (.*?) \|', table, re.MULTILINE)

    assert rows == [(fault.name, fault.what) for fault in FAULTS]
