"""A running graph in the terminal: what it was told, what it thinks, what moves, what is slow and what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vla_ros.diagnostics import Level
from vla_ros.types import Verdict
from vla_ros.viz.colours import ACCENT, AMBER, FAINT, GREEN, RED, Colour
from vla_ros.viz.status_view import (
    Row,
    StatusView,
    Told,
    complaints,
    latencies,
    others,
    refusals,
    streams,
    switches,
)
from vla_ros.viz.trace_spans import spans

GAP = 4  # columns between two tables
LEVEL_COLOURS = {Level.OK: GREEN, Level.WARN: AMBER, Level.ERROR: RED, Level.STALE: RED}
VERDICT_COLOURS = {Verdict.GO: GREEN, Verdict.UNSURE: AMBER, Verdict.REFUSED: RED}


def status_panel(view: StatusView) -> RenderableType:
    """The dashboard. What a node says that fits nowhere else comes last."""
    if not view.told:
        waiting = Text('no node of vla_ros is heard yet', _style(AMBER))
        return Panel(waiting, title=_title(view), title_align='left', border_style=_style(ACCENT))
    parts = [
        _decision(view),
        _nodes(view),
        _complaints(view),
        _Beside(
            _stacked(
                _table('arm', switches(view), ('value',)),
                _table('inputs and outputs', streams(view), ('rate [Hz]', 'age [s]')),
            ),
            _stacked(
                _table('latencies', latencies(view), ('p50 [ms]', 'p99 [ms]', 'count')),
                _table('refused', refusals(view), ('count',)),
            ),
        ),
        _table('more', others(view), ('value',)),
    ]
    return Panel(_stacked(*parts), title=_title(view), title_align='left', border_style=_style(ACCENT))


def _title(view: StatusView) -> str:
    return f'vla_ros  {view.where}'.rstrip()


def _decision(view: StatusView) -> RenderableType | None:
    if view.decision is None:
        return None
    decision, age = view.decision
    colour = VERDICT_COLOURS[decision.verdict]
    words = Text(f'“{decision.instruction}”' if decision.instruction else 'no instruction', 'bold')
    verdict = Text.assemble(
        (f' {decision.verdict.value.upper()} ', f'bold reverse {_style(colour)}'),
        f'  {decision.subtask}',
        (f'   {age:.1f} s ago', _style(FAINT)),
    )
    return Group(words, verdict, *_thought(view.trace or decision.trace))


def _thought(trace: str) -> list[Text]:
    thought = Text()
    for piece in spans(trace):
        thought.append(piece.text, f'{"bold " if piece.bold else ""}{_style(piece.colour)}')
    return [thought] if trace else []


def _nodes(view: StatusView) -> Table:
    table = _grid('nodes', ('node', 'lifecycle', 'level', 'says', 'computes on', 'heard'))
    for node, told in view.nodes().items():
        values = told.report.values
        table.add_row(
            Text(node, 'bold'),
            values.get('lifecycle', ''),
            _level(told),
            Text(told.report.summary),
            Text(_providers(values), _style(RED) if 'execution provider missing' in values else ''),
            Text(f'{told.age:.1f} s ago', _style(FAINT)),
        )
    return table


def _providers(values: dict[str, str]) -> str:
    missing = values.get('execution provider missing')
    used = values.get('execution providers', '')
    return f'{used} (not {missing})' if missing else used


def _complaints(view: StatusView) -> RenderableType | None:
    wrong = complaints(view)
    if not wrong:
        return None
    table = _grid('not well', ('level', 'task', 'says'))
    for name, told in wrong:
        table.add_row(_level(told), Text(name), Text(told.report.summary))
    return table


@dataclass(frozen=True)
class _Beside:
    """Two parts next to each other where there is room for both, else one below the other."""

    left: RenderableType
    right: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        parts = (self.left, self.right)
        widths = [Measurement.get(console, options, part).maximum for part in parts]
        if sum(widths) + GAP > options.max_width:
            yield from parts
            return
        grid = Table.grid(padding=(0, GAP))
        grid.add_row(*parts)
        yield grid


def _stacked(*parts: RenderableType | None) -> Group:
    return Group(*(part for part in parts if part is not None))


def _table(title: str, rows: Sequence[Row], columns: Sequence[str]) -> Table | None:
    if not rows:
        return None
    table = _grid(title, ('node', '', *columns))
    for row in rows:
        table.add_row(
            Text(row.node, _style(FAINT)),
            Text(row.about),
            *(Text(row.columns.get(column, ''), justify='left') for column in columns),
        )
    return table


def _grid(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify='left', title_style=_style(ACCENT), box=None, pad_edge=False)
    for column in columns:
        table.add_column(Text(column), header_style=_style(FAINT), overflow='fold')
    return table


def _level(told: Told) -> Text:
    return Text(told.level.name, f'bold {_style(LEVEL_COLOURS[told.level])}')


def _style(colour: Colour) -> str:
    return f'rgb({colour[0]},{colour[1]},{colour[2]})'
