"""The rows of ``vla_ros eval faults`` as a table for the terminal, or for a page in Markdown.

``python -m vla_ros.viz.fault_table FILE.json`` prints what docs/faults.md holds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from vla_ros.evaluation.faults import FAULTS, Expected
from vla_ros.viz.markdown import code_first, markdown_table

COLUMNS = ('fault', 'what happens', 'the arm', 'because', 'found out after', 'at rest after', 'obeys again')
ON_THE_WALL = {fault.name for fault in FAULTS if fault.on_the_wall}


def fault_table(report: Mapping[str, Any]) -> Group:
    """One row a fault, and a line for each problem."""
    table = Table(title=summary(report), title_justify='left', box=None)
    for name in (*COLUMNS[:1], *COLUMNS[2:]):
        table.add_column(name, overflow='fold')
    problems = []
    for row in report['rows']:
        cells = cells_of(row)
        table.add_row(*cells[:1], *cells[2:], style='' if row['passed'] else 'red')
        problems += [Text(f'{row["fault"]}: {problem}', style='red') for problem in row['problems']]
    return Group(table, *problems)


def markdown(report: Mapping[str, Any]) -> str:
    """The same for a page."""
    return markdown_table(COLUMNS, (code_first(cells_of(row)) for row in report['rows']))


def summary(report: Mapping[str, Any]) -> str:
    """One line."""
    return f'{report["passed"]} of {report["faults"]} faults as they must be'


def cells_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What the columns say of a row."""
    wall = row['fault'] in ON_THE_WALL
    return (
        row['fault'],
        row['what'],
        row['expected'] if row['passed'] else f'fails: not {row["expected"]}',
        _reason(row),
        _seconds(row['wall_seconds_to_detect' if wall else 'seconds_to_detect'], ' (wall)' if wall else ''),
        _seconds(row['seconds_to_rest']),
        {True: row['revival'], False: 'no', None: ''}[row['recovered']],
    )


def _reason(row: Mapping[str, Any]) -> str:
    """Why it braked, or what nodes counted meanwhile; of an arm that went on, what there is to remark."""
    if row['expected'] == Expected.GOES_ON.value:
        return str(row.get('remark', ''))
    return str(row['reason'] or ', '.join(row['refusals'])).rstrip('.')


def _seconds(value: float | None, clock: str = '') -> str:
    return '' if value is None else f'{value:.2f} s{clock}'


if __name__ == '__main__':
    print(markdown(json.loads(Path(sys.argv[1]).read_text(encoding='utf-8'))))
