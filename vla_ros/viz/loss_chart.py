"""The loss of every stage of a training, a panel each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use('Agg')  # no display; must come before pyplot

import numpy as np
from matplotlib import pyplot

from vla_ros.viz.colours import ACCENT, BACKGROUND, EDGE, MUTED, PANEL, TEXT, shade
from vla_ros.viz.figure_file import save_figure

DPI = 110
COLUMNS = 3


def draw_losses(losses: Mapping[str, Sequence[tuple[int, float]]], path: Path) -> None:
    """A PNG with a panel for each stage: the loss over the optimiser steps, as (step, loss).

    Raises:
        VlaError: the file cannot be written.
    """
    rows = -(-len(losses) // COLUMNS)
    figure, grid = pyplot.subplots(
        rows,
        COLUMNS,
        figsize=(12, 2.8 * rows),
        dpi=DPI,
        facecolor=shade(BACKGROUND),
        squeeze=False,
        layout='constrained',
    )
    for axes in grid.flat[len(losses) :]:
        axes.set_axis_off()
    for axes, (stage, curve) in zip(grid.flat, losses.items()):
        steps, values = np.array(curve, float).T
        axes.plot(steps, values, color=shade(ACCENT), linewidth=1.4)
        axes.set_title(f'{stage}: {values[-1]:.3g}', loc='left', color=shade(TEXT), fontsize=11)
        axes.set_facecolor(shade(PANEL))
        axes.tick_params(colors=shade(MUTED), labelsize=8)
        axes.grid(color=shade(EDGE), linewidth=0.6)
        for spine in axes.spines.values():
            spine.set_color(shade(EDGE))
    save_figure(figure, path)
