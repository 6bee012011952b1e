"""Generation 1 against generation 2: a table for the terminal and a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')  # no display; must come before pyplot

import numpy as np
from matplotlib import pyplot
from rich.table import Table

from vla_ros.types import ActionChunk
from vla_ros.viz.figure_file import save_figure
from vla_ros.viz.smoothness_chart import BACKGROUND, DPI, colour_of, dress

COLUMNS = (
    ('error', 'error', 1e3, '.2f'),
    ('2nd diff.', 'second_difference', 1e3, '.2f'),
    ('jerk', 'peak_jerk', 1.0, ',.0f'),
    ('largest', 'largest_jerk', 1.0, ',.0f'),
    ('jump', 'boundary_jump', 1e3, '.2f'),
    ('largest', 'largest_jump', 1e3, '.2f'),
)
BARS = (
    ('second_difference', 'Mean |second difference|', 1e3, 'mrad'),
    ('boundary_jump', 'Jump from chunk to chunk', 1e3, 'mrad'),
)


def generations_table(report: Mapping[str, Any]) -> Table:
    """One row a way to make chunks."""
    title = (
        f'{report["looks"]} looks, {report["steps"]} steps of {report["dt"]:g} s; mrad, rad/s³, ms a chunk; '
        f'{report["expert_clipped"]:.1%} of the expert outside of the bins'
    )
    table = Table(title=title, title_justify='left', box=None)
    for name in ('', *(name for name, *_ in COLUMNS), 'p50', 'p99'):
        table.add_column(name, no_wrap=True, justify='right' if name else 'left')
    for row in report['rows']:
        numbers = [
            '-' if row[key] is None else format(scale * row[key], form) for _, key, scale, form in COLUMNS
        ]
        latency = row['latency_ms']
        times = [f'{latency[key]:.1f}' if latency else '-' for key in ('p50', 'p99')]
        table.add_row(row['name'], *numbers, *times)
    return table


def draw_generations(
    report: Mapping[str, Any], chunks: Mapping[str, Sequence[ActionChunk]], path: Path
) -> None:
    """Bars of what is jittery, and the joint that moves most in the look where it does. A PNG.

    Raises:
        VlaError: the file cannot be written.
    """
    names = [row['name'] for row in report['rows']]
    colours = [colour_of(index) for index in range(len(names))]
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.6), dpi=DPI, facecolor=BACKGROUND)
    for axis, (key, title, scale, unit) in zip(axes, BARS):
        heights = [scale * (row[key] or 0.0) for row in report['rows']]
        axis.bar(range(len(names)), heights, color=colours)
        dress(axis, title, '', unit, legend=False)
        axis.set_axisbelow(True)
        axis.set_xticks(range(len(names)), [name.replace(', ', ',\n') for name in names], rotation=30)
    moved = np.stack([np.ptp(chunk.positions, axis=0) for chunk in chunks['expert']])
    look, joint = np.unravel_index(moved.argmax(), moved.shape)
    for name, colour in zip(names, colours):
        if ', ' not in name:
            chunk = chunks[name][int(look)]
            times = chunk.dt * np.arange(1, len(chunk.positions) + 1)
            axes[2].plot(times, chunk.positions[:, int(joint)], 'o-', color=colour, label=name)
    dress(axes[2], f'Joint {int(joint) + 1} in one look', 's', 'rad')
    figure.tight_layout()
    save_figure(figure, path)
