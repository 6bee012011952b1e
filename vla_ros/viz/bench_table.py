"""Figures of the bench as a table: what was measured, how often as fast, and how that is spread over runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

HEADS = ('figure', 'minimum', 'median', 'maximum')


def figures_of(report: dict[str, Any]) -> Iterator[tuple[str, dict[str, float]]]:
    """Name 'section.figure' and spread of every figure."""
    for name, section in report.items():
        if isinstance(section, dict) and 'spread' in section:
            yield from ((f'{name}.{key}', spread) for key, spread in section['spread'].items())


def bench_table(report: dict[str, Any]) -> Group:
    """Every figure, and a sentence for each that could not be measured."""
    table = Table(title=report['bundle'], title_justify='left', box=None)
    for index, name in enumerate(HEADS):
        table.add_column(name, justify='right' if index else 'left', no_wrap=True)
    for name, spread in figures_of(report):
        table.add_row(name, *(f'{spread[key]:.3g}' for key in HEADS[1:]))
    missing = [
        Text(f'not measured: {sentence}', style='yellow')
        for section in report.values()
        if isinstance(section, dict)
        for sentence in section.get('missing', ())
    ]
    return Group(table, *missing)
