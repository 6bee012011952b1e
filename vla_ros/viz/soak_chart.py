"""The endurance run as a picture: memory of each process and latencies over the minutes.

``python -m vla_ros.viz.soak_chart FILE.json FILE.png`` draws what ``vla_ros eval soak --json`` has written.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')  # no display; must come before pyplot

from matplotlib import pyplot
from matplotlib.axes import Axes

from vla_ros.types import VlaError
from vla_ros.viz.colours import ACCENT, BACKGROUND, EDGE, JOINT_COLOURS, MUTED, PANEL, TEXT, shade
from vla_ros.viz.figure_file import save_figure

DPI = 100


def draw_soak(report: Mapping[str, Any], path: Path) -> None:
    """Write a PNG: memory, latencies and simulated seconds a second over the minutes of the wall.

    Raises:
        VlaError: the report has nothing to draw, or the file cannot be written.
    """
    pieces = report['slices']
    if not pieces:
        raise VlaError('slices: expected a run of some seconds at least, found none')
    minutes = [piece['until_s'] / 60 for piece in pieces]
    figure, axes = pyplot.subplots(
        3, 1, figsize=(12, 8), dpi=DPI, sharex=True, layout='constrained', height_ratios=[3, 3, 1.2]
    )
    figure.set_facecolor(shade(BACKGROUND))
    memory, latencies, factor = axes
    for index, name in enumerate(report['processes']):
        sizes = [_number(piece['memory_mib'][name]) for piece in pieces]
        memory.plot(minutes, sizes, color=shade(JOINT_COLOURS[index]), label=name)
    _dress(memory, 'Memory of each process', 'MiB')
    memory.set_ylim(bottom=0)
    for index, name in enumerate(report['latencies']):
        for key, style in (('p50', '-'), ('p99', '--')):
            seen = [(m, p['latencies_ms'][name]) for m, p in zip(minutes, pieces, strict=True)]
            times = [(m, values[key]) for m, values in seen if values['count']]
            latencies.plot(
                *zip(*times, strict=True) if times else ([], []),
                linestyle=style,
                color=shade(JOINT_COLOURS[index]),
                label=f'{name}, {key}',
            )
    _dress(latencies, 'Simulated time from the stamp of the camera', 'ms')
    latencies.set_ylim(bottom=0)
    factor.plot(minutes, [_number(piece['real_time_factor']) for piece in pieces], color=shade(ACCENT))
    _dress(factor, 'Simulated seconds a second', '')
    factor.set_ylim(0, 1.1)
    factor.set_xlabel('minutes', color=shade(MUTED))
    for one in axes:
        for begins, ends in report['windows'].values():
            one.axvspan(begins / 60, ends / 60, color=shade(EDGE), alpha=0.5, linewidth=0)
    for one in (memory, latencies):
        one.legend(loc='lower right', ncols=4, frameon=False, labelcolor=shade(TEXT), fontsize=8)
    save_figure(figure, path)


def _number(value: float | None) -> float:
    """NaN, which leaves a gap, where nobody looked."""
    return math.nan if value is None else value


def _dress(axes: Axes, title: str, unit: str) -> None:
    axes.set_facecolor(shade(PANEL))
    axes.set_title(title, color=shade(TEXT), loc='left', fontsize=11)
    axes.set_ylabel(unit, color=shade(MUTED))
    axes.tick_params(colors=shade(MUTED))
    axes.grid(color=shade(EDGE), linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color(shade(EDGE))


if __name__ == '__main__':
    draw_soak(json.loads(Path(sys.argv[1]).read_text(encoding='utf-8')), Path(sys.argv[2]))
