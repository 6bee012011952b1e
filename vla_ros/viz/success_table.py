"""Success task by task, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def success_table(results: Mapping[str, Mapping[str, Any]]) -> Table:
    """A row a task, of the reports of ``vla_ros.evaluation.success``."""
    table = Table(title='success by task', title_justify='left')
    for heading in ('task', 'success', 'of', 'rate', '95 %', 'refused', 'failures'):
        table.add_column(heading, justify='left' if heading in ('task', 'failures') else 'right')
    for task, result in results.items():
        low, high = result['ci95']
        failures = ', '.join(f'{count} {name}' for name, count in result['failures'].items())
        table.add_row(
            task,
            str(result['successes']),
            str(result['episodes']),
            f'{result["success_rate"]:.1%}',
            f'{low:.1%} to {high:.1%}',
            str(result['refusals']),
            failures,
        )
    return table
