"""The rows of ``vla_ros eval ablations`` as a table for the terminal, or for a page in Markdown.

``python -m vla_ros.viz.ablation_table FILE.json`` prints the latter.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from vla_ros.viz.markdown import markdown_table

COLUMNS = ('changed', 'success', '95 %', 'seconds', 'failures')


def ablation_table(report: Mapping[str, Any]) -> Table:
    """One row a variant; seconds until it was done, of those that succeeded."""
    table = Table(title=f'{report["task"]}, one thing changed at a time', title_justify='left', box=None)
    for name in COLUMNS:
        table.add_column(name, no_wrap=name != COLUMNS[-1])
    for before, row in zip([None, *report['rows']], report['rows']):
        if before is not None and before['group'] != row['group']:
            table.add_section()
        table.add_row(*cells_of(row))
    return table


def cells_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What the columns say of a row."""
    if not row['episodes']:
        return row['variant'], 'none could be played', '', '', ''
    low, high = row['ci95']
    failures = ', '.join(f'{count} {name.replace("_", " ")}' for name, count in row['failures'].items())
    return (
        row['variant'],
        f'{row["successes"]} of {row["episodes"]}',
        f'{100 * low:.0f} to {100 * high:.0f} %',
        '' if row['seconds'] is None else f'{row["seconds"]:.1f}',
        failures,
    )


if __name__ == '__main__':
    shown = json.loads(Path(sys.argv[1]).read_text(encoding='utf-8'))
    print(markdown_table(COLUMNS, (cells_of(row) for row in shown['rows'])))
