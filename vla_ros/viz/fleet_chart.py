"""One brain and many robots: thoughts a second and their ages by the size of the fleet, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')  # no display; must come before pyplot

from matplotlib import pyplot
from rich.table import Table

from vla_ros.viz.colours import ACCENT, AMBER, BACKGROUND, EDGE, MUTED, PANEL, TEXT, Colour, shade
from vla_ros.viz.figure_file import save_figure

DPI = 110
COLUMNS = {
    'robots': 'robots',
    'thoughts_per_second': 'thoughts/s',
    'slowest_robot_per_second': 'slowest robot',
    'p50_ms': 'p50 [ms]',
    'p99_ms': 'p99 [ms]',
    'answers_per_step': 'at once',
    'others': 'no go',
}


def fleet_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row a fleet, of ``vla_ros.evaluation.fleet.fleet_row``."""
    table = Table(title='one brain, many robots: from pictures to thought', title_justify='left')
    for heading in COLUMNS.values():
        table.add_column(heading, justify='right')
    for row in rows:
        table.add_row(*('' if row[key] is None else str(row[key]) for key in COLUMNS))
    return table


def draw_fleet(rows: Sequence[Mapping[str, Any]], rate: float, path: Path) -> None:
    """Throughput beside what the robots ask for (``rate`` thoughts a second each), and ages. A PNG.

    Raises:
        VlaError: the file cannot be written.
    """
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(11, 4), dpi=DPI, facecolor=shade(BACKGROUND), layout='constrained'
    )
    robots = [row['robots'] for row in rows]
    _line(left, robots, [rate * count for count in robots], MUTED, 'asked for', dashed=True)
    _line(left, robots, [row['thoughts_per_second'] for row in rows], ACCENT, 'thought')
    left.set_ylabel('thoughts a second, all robots', color=shade(MUTED))
    for key, colour in (('p50_ms', ACCENT), ('p99_ms', AMBER)):
        known = [(row['robots'], row[key]) for row in rows if row[key] is not None]
        _line(
            right, [count for count, _ in known], [age for _, age in known], colour, key.removesuffix('_ms')
        )
    right.set_ylabel('from pictures to thought [ms]', color=shade(MUTED))
    for axes in (left, right):
        _dress(axes, robots)
    save_figure(figure, path)


def _line(
    axes: Any, x: Sequence[float], y: Sequence[float], colour: Colour, name: str, *, dashed: bool = False
) -> None:
    style = '--' if dashed else '-'
    axes.plot(x, y, style, marker='' if dashed else 'o', color=shade(colour), linewidth=1.8, label=name)


def _dress(axes: Any, robots: Sequence[int]) -> None:
    axes.set_facecolor(shade(PANEL))
    axes.set_xticks(robots)
    axes.set_xlabel('robots', color=shade(MUTED))
    axes.set_ylim(bottom=0)
    axes.tick_params(colors=shade(TEXT), length=0)
    axes.grid(color=shade(EDGE), linewidth=0.6)
    axes.legend(facecolor=shade(PANEL), edgecolor=shade(EDGE), labelcolor=shade(TEXT))
    for spine in axes.spines.values():
        spine.set_visible(False)
