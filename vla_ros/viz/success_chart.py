"""Success task by task, with its intervals, as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')  # no display; must come before pyplot

from matplotlib import pyplot

from vla_ros.viz.colours import ACCENT, BACKGROUND, EDGE, MUTED, PANEL, TEXT, shade
from vla_ros.viz.figure_file import save_figure

DPI = 110


def draw_success(results: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """A bar a task of the reports of ``vla_ros.evaluation.success``, 95 % intervals, what went wrong. A PNG.

    Raises:
        VlaError: the file cannot be written.
    """
    figure, axes = pyplot.subplots(
        figsize=(11, 0.5 * len(results) + 1.2), dpi=DPI, facecolor=shade(BACKGROUND), layout='constrained'
    )
    axes.set_facecolor(shade(PANEL))
    for row, result in enumerate(results.values()):
        rate = 100 * result['success_rate']
        low, high = (100 * share for share in result['ci95'])
        axes.barh(row, rate, height=0.62, color=shade(ACCENT), alpha=0.75)
        axes.plot([low, high], [row, row], color=shade(TEXT), linewidth=1.6)
        failures = ', '.join(f'{n} {name.replace("_", " ")}' for name, n in result['failures'].items())
        said = f'{result["successes"]} of {result["episodes"]}{"   " if failures else ""}{failures}'
        axes.text(102, row, said, color=shade(TEXT), va='center', fontsize=9)
    axes.set_yticks(range(len(results)), [name.replace('_', ' ') for name in results])
    axes.invert_yaxis()
    axes.set_xlim(0, 175)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel('success [%], 95 % intervals', color=shade(MUTED), loc='left')
    axes.tick_params(colors=shade(TEXT), length=0)
    axes.grid(axis='x', color=shade(EDGE), linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    save_figure(figure, path)
