"""The rows of ``vla_ros eval replay`` as a table for the terminal, or for a page in Markdown.

``python -m vla_ros.viz.strike_table FILE.json`` prints what docs/replay.md holds.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from vla_ros.viz.markdown import code_first, markdown_table

COLUMNS = ('fault', 'times', 'to rest', 'at most', 'allowed', 'again', 'counted')


def strike_table(report: Mapping[str, Any]) -> Table:
    """One row a kind of fault; seconds from the fault to rest, median and largest, and from its end to motion."""
    table = Table(title=f'{report["bag"]}, {report["seconds"]} s', title_justify='left', box=None)
    for name in COLUMNS:
        table.add_column(name, no_wrap=name != COLUMNS[-1])
    for row in report['kinds']:
        table.add_row(*cells_of(row), style='red' if row['passed'] is False else '')
    return table


def markdown(report: Mapping[str, Any]) -> str:
    """The same for a page."""
    return markdown_table(COLUMNS, (code_first(cells_of(row)) for row in report['kinds']))


def cells_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What the columns say of a row."""
    allowed = f'{row["seconds_allowed"]:.1f} s'
    if row['passed'] is None:
        return (row['kind'], '0', '', '', allowed, '', 'no motion of this bag is long enough')
    rest, motion = row['seconds_to_rest'], row['seconds_to_motion']
    return (
        row['kind'],
        str(len(row['strikes'])),
        _seconds(rest.get('median')),
        'never' if rest['never'] else _seconds(rest.get('largest')),
        allowed,
        _seconds(motion.get('median')),
        ', '.join(sorted({reason.split()[-1] for reason in row['counted']})),
    )


def summary(report: Mapping[str, Any]) -> dict[str, Any]:
    """How it goes without faults, in a few lines."""
    clean = report['without_faults']
    shown: dict[str, Any] = {'without faults, compared with': clean['against']}
    if clean['false_holds'] is not None:
        holds = clean['false_holds']
        shown['false holds'] = f'{holds["count"]}, {holds["share_of_motion"]:.1%} of the motion'
        shown['decisions agree'] = f'{clean["decision_agreement"]:.1%} of the time'
    for number, sentence in enumerate(clean['differences'], start=1):
        shown[f'differs ({number})'] = sentence
    return shown


def _seconds(value: float | None) -> str:
    return 'never' if value is None else f'{value:.2f} s'


if __name__ == '__main__':
    print(markdown(json.loads(Path(sys.argv[1]).read_text(encoding='utf-8'))))
