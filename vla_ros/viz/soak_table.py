"""The endurance run in the terminal: a line now and then while it goes on, and tables in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text


@contextmanager
def soak_progress(console: Console, seconds: float) -> Iterator[Callable[[float, str], None]]:
    """A function to call with the seconds that are over and, where there is news, a line of state.

    A bar in a terminal, with the lines above it; elsewhere the lines alone.
    """
    if not console.is_terminal:

        def tell(_over: float, line: str = '') -> None:
            if line:
                console.print(line, highlight=False, soft_wrap=True)

        yield tell
        return
    columns = (TextColumn('soak'), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task('soak', total=seconds)

        def advance(over: float, line: str = '') -> None:
            progress.update(bar, completed=over)
            if line:
                progress.console.print(line, highlight=False, soft_wrap=True)

        yield advance


def state_line(report: Mapping[str, Any]) -> str:
    """How it stands, in one line."""
    memory = ', '.join(
        f'{name} {values["memory_mib"][1]:.0f} ({values["memory_growth"]:+.1%})'
        for name, values in report['processes'].items()
    )
    times = ', '.join(
        f'{name} {values["last"]["p50"]:.0f} / {values["last"]["p99"]:.0f}'
        for name, values in report['latencies'].items()
    )
    return (
        f'{report["seconds"] / 60:.1f} of {report["minutes"]:g} min: {sum(report["acts"].values())} acts, '
        f'{len(report["hangs"])} hang; MiB: {memory}; ms p50 / p99: {times}; '
        f'{report["real_time_factor"] or 0:.2f} simulated seconds a second'
    )


def summary(report: Mapping[str, Any]) -> str:
    """One line."""
    kept = 'every promise kept' if report['complete'] else 'no promise broken so far'
    promises = f'{len(report["broken"])} promises broken' if report['broken'] else kept
    length = f'{report["seconds"] / 60:.1f} min' + (
        '' if report['complete'] else f' of {report["minutes"]:g}'
    )
    return (
        f'{length}, {sum(report["acts"].values())} acts, {report["real_time_factor"] or 0:.2f} simulated seconds '
        f'a second: {promises}'
    )


def soak_table(report: Mapping[str, Any]) -> Group:
    """Processes, latencies, what happened, and every promise that was broken."""
    first, last = report['windows']['first_s'], report['windows']['last_s']
    title = f'{first[0]:.0f} to {first[1]:.0f} s, and {last[0]:.0f} to {last[1]:.0f} s'
    processes = _table(f'Processes, {title}', 'process', 'memory [MiB]', 'growth', 'threads', 'files')
    for name, values in report['processes'].items():
        processes.add_row(
            name,
            _pair(values['memory_mib'], '.1f'),
            f'{values["memory_growth"]:+.2%}',
            _pair(values['threads'], 'd'),
            _pair(values['files'], 'd'),
        )
    latencies = _table(
        f'Simulated ms from the stamp of the camera, {title}', 'to', 'p50', 'p99', 'growth of p99', 'samples'
    )
    for name, values in report['latencies'].items():
        pairs = [(values['first'][key], values['last'][key]) for key in ('p50', 'p99', 'count')]
        growth = f'{values["p99_growth"]:+.1%}'
        latencies.add_row(
            name, _pair(pairs[0], '.0f'), _pair(pairs[1], '.0f'), growth, _pair(pairs[2], '.0f')
        )
    if report['promises']['latency_p99_growth'] is None:
        latencies.caption, latencies.caption_justify = 'too short a run to judge latencies', 'left'
    what = _table('What happened', 'what', 'times')
    for kind in ('endings', 'refusals'):
        for name, count in report[kind].items():
            what.add_row(name if kind == 'endings' else f'counted by {name}', str(count))
    problems = [Text(sentence, style='red') for sentence in report['broken']]
    return Group(summary(report), processes, latencies, what, *problems)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify='left', box=None)
    for index, name in enumerate(columns):
        table.add_column(name, justify='right' if index else 'left')
    return table


def _pair(values: Any, form: str) -> str:
    return ' to '.join(format(int(value) if form == 'd' else value, form) for value in values)
