"""Figures of the bench and what grows with what, as a chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')  # no display; must come before pyplot

from matplotlib import pyplot
from matplotlib.axes import Axes

from vla_ros.viz.bench_table import figures_of
from vla_ros.viz.figure_file import save_figure

DPI, COLUMNS = 110, 3
UNITS = ('_seconds', '_mib')  # what is no ratio
BACKGROUND, INK, GRID, OURS, MODEL = '#0d1117', '#e6edf3', '#30363d', '#58a6ff', '#d29922'


def draw_bench(report: dict[str, Any], path: Path) -> None:
    """Bars of all ratios from minimum to maximum, and a panel a sweep with the roofline's prediction. A PNG.

    Raises:
        VlaError: the file cannot be written.
    """
    sweeps = {
        name: points
        for name, points in report.get('growth', {}).get('sweeps', {}).items()
        if all(value.isdigit() for value in points)
    }
    rows = 1 + -(-len(sweeps) // COLUMNS)
    figure = pyplot.figure(figsize=(15, 4.2 * rows), dpi=DPI, facecolor=BACKGROUND)
    grid = figure.add_gridspec(rows, COLUMNS)
    _bars(figure.add_subplot(grid[0, :]), report)
    for index, (name, points) in enumerate(sweeps.items()):
        _sweep(figure.add_subplot(grid[1 + index // COLUMNS, index % COLUMNS]), name, points)
    figure.tight_layout()
    save_figure(figure, path)


def _bars(axes: Axes, report: dict[str, Any]) -> None:
    found = {name: spread for name, spread in figures_of(report) if not name.endswith(UNITS)}
    names = list(found)
    medians = [found[name]['median'] for name in names]
    below = [found[name]['median'] - found[name]['minimum'] for name in names]
    above = [found[name]['maximum'] - found[name]['median'] for name in names]
    axes.barh(range(len(names)), medians, xerr=[below, above], color=OURS, ecolor=INK, height=0.6)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale('log')
    _plain(axes.xaxis)
    axes.axvline(1.0, color=GRID)
    _dress(axes, 'Ratios: median, from minimum to maximum over runs', '')


def _sweep(axes: Axes, name: str, points: dict[str, Any]) -> None:
    values = [int(value) for value in points]
    axes.plot(values, [point['ms'] for point in points.values()], 'o-', color=OURS, label='measured')
    predicted = [point.get('predicted_ms') for point in points.values()]
    if None not in predicted:
        axes.plot(values, predicted, 's--', color=MODEL, label='roofline')
    axes.set_xscale('log', base=2)
    axes.set_yscale('log')
    _plain(axes.yaxis)
    axes.set_xticks(values, [str(value) for value in values])
    _dress(axes, f'ms by {name.replace("_", " ")}', name.replace('_', ' '))
    axes.legend(facecolor=BACKGROUND, edgecolor=GRID, labelcolor=INK, fontsize=8)


def _plain(axis: Any) -> None:
    """Numbers instead of powers of ten."""
    axis.set_major_formatter('{x:g}')
    axis.set_minor_formatter('{x:g}')


def _dress(axes: Axes, title: str, x: str) -> None:
    axes.set_facecolor(BACKGROUND)
    axes.set_title(title, color=INK, loc='left', fontsize=11)
    axes.set_xlabel(x, color=INK)
    axes.tick_params(colors=INK, which='both')
    axes.grid(color=GRID, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color(GRID)
