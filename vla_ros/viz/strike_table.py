"""The rows of ``vla_ros eval replay`` as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

COLUMNS = (
    'fault',
    'times',
    'to rest [s]',
    'allowed [s]',
    'moves again after [s]',
    'decisions agree',
    'counted',
)


def strike_table(report: Mapping[str, Any]) -> Table:
    """One row a kind of fault."""
    table = Table(title=f'{report["bag"]}, {report["seconds"]} s', title_justify='left', box=None)
    for name in COLUMNS:
        table.add_column(name, overflow='fold')
    for row in report['kinds']:
        table.add_row(*cells_of(row), style='red' if row['passed'] is False else '')
    return table


def cells_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What the columns say of a row."""
    if row['passed'] is None:
        return (row['kind'], '0', '', f'{row["seconds_allowed"]:g}', 'no motion is long enough', '', '')
    return (
        row['kind'],
        str(len(row['strikes'])),
        _seconds(row['seconds_to_rest']),
        f'{row["seconds_allowed"]:g}',
        _seconds(row['seconds_to_motion']),
        f'{row["decision_agreement"]:.0%}',
        ', '.join(f'{reason} {count}' for reason, count in row['counted'].items()),
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


def _seconds(spread: Mapping[str, float]) -> str:
    parts = []
    if 'median' in spread:
        parts.append(f'{spread["median"]:.2f}, at most {spread["largest"]:.2f}')
    if spread['never']:
        parts.append(f'never: {spread["never"]}')
    return '; '.join(parts)
