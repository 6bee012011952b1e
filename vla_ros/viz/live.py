"""The demonstration in the terminal, while it runs: a live panel on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from vla_ros.viz.colours import ACCENT, AMBER, FAINT, GREEN, RED, TEXT, Colour
from vla_ros.viz.trace_spans import spans

PERIOD = 0.1  # seconds between two drawings
VERDICT_COLOURS = {'go': GREEN, 'done': GREEN, 'refused': RED, 'failed': RED}

# Node and key on /diagnostics, and what they are called here.
FIGURES = (
    ('perception', 'camera front rate [Hz]', 'front camera'),
    ('perception', 'tokens rate [Hz]', 'visual tokens'),
    ('reasoning', 'thoughts rate [Hz]', 'thoughts'),
    ('action', 'trajectories rate [Hz]', 'trajectories'),
    ('reasoning', 'thinking p50 [ms]', 'thinking p50'),
    ('simulator', 'real-time factor', 'real-time factor'),
    ('action', 'camera to trajectory p50 [ms]', 'camera to trajectory p50'),
    ('action', 'camera to trajectory p99 [ms]', 'camera to trajectory p99'),
)


@dataclass(frozen=True)
class View:
    """What there is to show.

    Attributes:
        heading: 'order 2 of 4'.
        words: the instruction.
        trace: the chain of thought so far.
        verdict: 'thinking', 'go', 'refused', 'unsure', 'done' or 'failed'.
        subtask: of the decision.
        reports: values on /diagnostics by node.
    """

    heading: str = ''
    words: str = ''
    trace: str = ''
    verdict: str = ''
    subtask: str = ''
    reports: Mapping[str, Mapping[str, str]] | None = None


class LiveDisplay:
    """Shows views; use it as a context manager. ``say`` leaves a line that stays."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._drawn = 0.0
        self._told = ''

    def __enter__(self) -> LiveDisplay:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update('', refresh=True)
            self._live.stop()

    def say(self, line: str) -> None:
        """A line that stays; rich markup allowed."""
        self._console.print(line, highlight=False)

    def show(self, view: View) -> None:
        """Draw the view, not more often than the eye needs; without a terminal, tell each verdict once."""
        if self._live is None:
            told = f'{view.heading}: {view.verdict}: {view.subtask}'
            if view.subtask and told != self._told:
                self._told = told
                self._console.print(escape(told), highlight=False)
            return
        now = time.monotonic()
        if now - self._drawn >= PERIOD:
            self._drawn = now
            self._live.update(picture(view), refresh=True)


def picture(view: View) -> RenderableType:
    """The live panel."""
    colour = VERDICT_COLOURS.get(view.verdict, AMBER)
    title = Text.assemble((f'{view.heading}  ', _style(FAINT)), (f'“{view.words}”', 'bold'))
    verdict = Text.assemble(
        (f' {view.verdict.upper() or "..."} ', f'bold reverse {_style(colour)}'), f'  {view.subtask}'
    )
    thought = Text()
    for piece in spans(view.trace):
        thought.append(piece.text, f'{"bold " if piece.bold else ""}{_style(piece.colour)}')
    table = Table.grid(padding=(0, 2))
    rows = [
        (label, (view.reports or {}).get(node, {}).get(key, '-') + _unit(key)) for node, key, label in FIGURES
    ]
    for left, right in zip(rows[0::2], rows[1::2], strict=True):
        table.add_row(
            Text(left[0], _style(FAINT)),
            Text(left[1], _style(TEXT)),
            Text(right[0], _style(FAINT)),
            Text(right[1], _style(TEXT)),
        )
    thinking = Panel(
        thought, title='chain of thought', title_align='left', border_style=_style(FAINT), height=7
    )
    return Panel(
        Group(title, verdict, thinking, table),
        border_style=_style(ACCENT),
        title='vla_ros',
        title_align='left',
    )


def _unit(key: str) -> str:
    """The unit that a key on /diagnostics ends with: ' ms' of 'planning p50 [ms]'."""
    return f' {key[key.index("[") + 1 : -1]}' if key.endswith(']') else ''


def _style(colour: Colour) -> str:
    return f'rgb({colour[0]},{colour[1]},{colour[2]})'
