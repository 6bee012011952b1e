"""How smooth each way to send chunks is: a table for the terminal and a chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')  # no display; must come before pyplot

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from rich.table import Table

from vla_ros.action.limits import load_limits
from vla_ros.evaluation.senders import OURS_EARLY
from vla_ros.evaluation.smoothness import run
from vla_ros.paths import config_file
from vla_ros.sim.model import JOINT_NAMES, TIME_STEP
from vla_ros.viz.colours import JOINT_COLOURS
from vla_ros.viz.figure_file import save_figure

DPI = 110
DELAY = 0.2  # seconds, of the runs that are drawn
COMPARED = ('one point, early', OURS_EARLY)
JOINT = 1  # the one that is drawn
BACKGROUND, INK, GRID = '#0d1117', '#e6edf3', '#30363d'


def smoothness_table(report: dict[str, Any]) -> Table:
    """One row a delay and road."""
    title = f'{report["episodes"]} tasks a row; ms, mrad, rad/s³ and s, until the first contact'
    table = Table(title=title, title_justify='left', box=None)
    columns = (
        ('delay', 'delay_ms'),
        ('sent as', 'road'),
        ('jump', 'boundary_jump'),
        ('largest', 'largest_jump'),
        ('cosine', 'boundary_cosine'),
        ('2nd diff.', 'second_difference'),
        ('peak jerk', 'peak_jerk'),
        ('commanded', 'peak_command_jerk'),
        ('done', 'successes'),
        ('in', 'seconds'),
    )
    for name, _ in columns:
        table.add_column(name, no_wrap=True, justify='left' if name == 'sent as' else 'right')
    for row in report['rows']:
        table.add_row(
            *(_cell(key, row[key]) for _, key in columns), end_section=row['road'].endswith('ensemble')
        )
    return table


def _cell(key: str, value: Any) -> str:
    if value is None:
        return '-'
    if key in ('boundary_jump', 'largest_jump', 'second_difference'):
        return f'{1e3 * value:.3g}'
    if key in ('peak_jerk', 'peak_command_jerk'):
        return f'{value:,.0f}'
    return f'{value:.2f}' if isinstance(value, float) else str(value)


def draw_report(report: dict[str, Any], seed: int, path: Path) -> None:
    """Peak jerk over the delay; velocity and jerk of a naive road and ours in the scene of a seed. A PNG.

    Raises:
        VlaError: the file cannot be written.
    """
    limits = load_limits(config_file('joint_limits.yaml'), JOINT_NAMES)
    runs = {road: run(road, seed, DELAY, limits) for road in COMPARED}
    figure, (left, upper, lower) = pyplot.subplots(1, 3, figsize=(15, 4.6), dpi=DPI, facecolor=BACKGROUND)
    for index, road in enumerate(dict.fromkeys(row['road'] for row in report['rows'])):
        rows = [row for row in report['rows'] if row['road'] == road]
        left.plot(
            [row['delay_ms'] for row in rows],
            [row['peak_jerk'] for row in rows],
            'o-' if index < len(JOINT_COLOURS) else 's--',
            color=colour_of(index),
            label=road,
        )
    left.set_yscale('log')
    dress(left, 'Peak jerk of the arm', 'delay of the policy [ms]', 'rad/s³')
    for index, (road, one) in enumerate(runs.items()):
        seconds = TIME_STEP * np.arange(len(one.positions))
        column = one.positions[:, JOINT]
        upper.plot(
            seconds[1:],
            np.diff(column) / TIME_STEP,
            color=colour_of(3 if road != OURS_EARLY else 0),
            label=road,
        )
        lower.plot(
            seconds[3:],
            np.diff(column, 3) / TIME_STEP**3,
            color=colour_of(3 if road != OURS_EARLY else 0),
            label=road,
            linewidth=0.9,
            zorder=2 + index,
        )
    dress(upper, f'Velocity of {JOINT_NAMES[JOINT]} at {1e3 * DELAY:.0f} ms', 's', 'rad/s')
    dress(lower, 'Its jerk', 's', 'rad/s³')
    figure.tight_layout()
    save_figure(figure, path)


def colour_of(index: int) -> tuple[float, float, float]:
    """The colour of the row of this number, 0..1."""
    red, green, blue = JOINT_COLOURS[index % len(JOINT_COLOURS)]
    return red / 255, green / 255, blue / 255


def dress(axes: Axes, title: str, x: str, y: str, *, legend: bool = True) -> None:
    """Axes as those of every chart: dark, with a grid."""
    axes.set_facecolor(BACKGROUND)
    axes.set_title(title, color=INK, loc='left', fontsize=11)
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.tick_params(colors=INK)
    axes.grid(color=GRID, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color(GRID)
    if legend:
        axes.legend(facecolor=BACKGROUND, edgecolor=GRID, labelcolor=INK, fontsize=8)
