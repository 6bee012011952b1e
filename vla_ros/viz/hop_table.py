"""The hops from camera to controller as a table: what each took, and who timed it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from vla_ros.evaluation.hop_times import HopTime, missing
from vla_ros.hops import Kind


def hop_table(times: Sequence[HopTime], title: str) -> RenderableType:
    """In the order of the way; ages, which are sums, stand out. What nobody timed is named below."""
    table = Table(title=title, title_justify='left', box=None, pad_edge=False)
    for index, name in enumerate(('hop', 'timed by', '', 'p50 [ms]', 'p99 [ms]', 'count')):
        table.add_column(name, header_style='dim', justify='right' if index > 2 else 'left', overflow='fold')
    for time in times:
        latency, kind = time.latency, time.hop.kind
        table.add_row(
            Text(time.hop.name, 'bold' if kind is Kind.AGE else ''),
            Text(time.node, 'dim'),
            Text(kind.value, 'dim'),
            *(Text(value) for value in (f'{latency.p50:.1f}', f'{latency.p99:.1f}', str(latency.count))),
        )
    absent = missing(times)
    return Group(table, Text(f'not told by any node: {", ".join(absent)}', 'yellow')) if absent else table
