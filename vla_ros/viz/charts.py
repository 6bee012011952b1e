"""The two charts under a poster: all joints over the whole run, and how latencies are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use('Agg')  # no display; must come before pyplot

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vla_ros.evaluation.recording import Recording, commanded, measured
from vla_ros.evaluation.segments import Ending, Segment
from vla_ros.types import ImageArray
from vla_ros.viz.colours import (
    ACCENT,
    AMBER,
    EDGE,
    GREEN,
    JOINT_COLOURS,
    MUTED,
    PANEL,
    RED,
    TEXT,
    Colour,
    shade,
)

DPI = 100
BANDS = {Ending.DONE: GREEN, Ending.REFUSED: RED, Ending.FAILED: RED, Ending.UNFINISHED: AMBER}
LATENCY_COLOURS: tuple[Colour, ...] = (ACCENT, AMBER, GREEN)
STEP = 0.02  # seconds between two points of a curve


def joint_overview(recording: Recording, cut: Sequence[Segment], width: int, height: int) -> ImageArray:
    """Measured (colour) and commanded (white) positions over the run, the instructions as bands; (height, width, 3)."""
    figure, axes = _figure(width, height)
    begins = cut[0].begins if cut else recording.begins
    times = np.arange(begins - 0.5, min(recording.ends, cut[-1].ended + 2.0 if cut else recording.ends), STEP)
    targets = commanded(recording, times.tolist())
    positions = measured(recording, times.tolist())
    for joint, name in enumerate(recording.joint_names):
        colour = shade(JOINT_COLOURS[joint % len(JOINT_COLOURS)])
        axes.plot(times - begins, positions[:, joint], color=colour, linewidth=2.0, label=name)
        axes.plot(times - begins, targets[:, joint], color=shade(TEXT), linewidth=0.7)
    low, high = axes.get_ylim()
    high += 0.12 * (high - low)  # room for the numbers
    for segment in cut:
        colour = shade(BANDS[segment.ending])
        axes.axvspan(segment.begins - begins, segment.ended - begins, color=colour, alpha=0.10, linewidth=0)
        axes.axvline(segment.begins - begins, color=shade(MUTED), linewidth=1, linestyle=(0, (2, 3)))
        axes.text(
            segment.begins - begins + 0.15,
            high,
            str(segment.number),
            color=shade(MUTED),
            va='top',
            fontsize=13,
            weight='bold',
        )
    axes.set_ylim(low, high)
    axes.set_xlim(times[0] - begins, times[-1] - begins)
    axes.set_xlabel('s')
    axes.set_ylabel('rad')
    in_a_row = 6 if width > 900 else 3
    axes.legend(
        loc='lower center',
        bbox_to_anchor=(0.5, 1.0),
        ncols=in_a_row,
        frameon=False,
        labelcolor=shade(TEXT),
        fontsize=13 if in_a_row == 6 else 10,
    )
    return _pixels(figure)


def latency_chart(
    samples: Mapping[str, Sequence[float]], known: Mapping[str, tuple[float, float]], width: int, height: int
) -> ImageArray:
    """Latencies in ms, a row each: every sample as a dot, p50 and p99 as lines with their numbers.

    Args:
        samples: what was measured one by one.
        known: (p50, p99) of what is known only so; wins over the samples of the same name.
    """
    figure, axes = _figure(width, height)
    names = [*known, *(name for name in samples if name not in known)][::-1]
    rng = np.random.default_rng(0)
    largest = 1.0
    for row, (name, colour) in enumerate(zip(names, LATENCY_COLOURS * len(names), strict=False)):
        values = np.asarray(samples.get(name, ()), float)
        if not len(values) and name not in known:
            continue
        p50, p99 = known[name] if name in known else (float(v) for v in np.percentile(values, [50, 99]))
        scatter = row + rng.uniform(-0.22, 0.22, len(values))
        axes.plot(values, scatter, '.', color=shade(colour), alpha=0.5, markersize=5, markeredgewidth=0)
        axes.plot([0, p50], [row, row], color=shade(colour), linewidth=3)
        axes.plot([p50, p99], [row, row], color=shade(colour), linewidth=1.5)
        axes.plot([p50, p50], [row - 0.3, row + 0.3], color=shade(TEXT), linewidth=2)
        axes.plot([p99, p99], [row - 0.2, row + 0.2], color=shade(colour), linewidth=2)
        axes.text(
            0, row + 0.36, f'{name}: p50 {p50:.0f} ms, p99 {p99:.0f} ms', color=shade(TEXT), fontsize=12
        )
        largest = max(largest, p99)
    axes.set_ylim(-0.5, len(names) - 0.1)
    axes.set_xlim(0, 1.08 * largest)
    axes.set_yticks([])
    axes.set_xlabel('ms')
    return _pixels(figure)


def _figure(width: int, height: int) -> tuple[Figure, Axes]:
    pyplot.rcParams.update({'font.size': 13, 'font.family': 'DejaVu Sans'})
    figure, axes = pyplot.subplots(figsize=(width / DPI, height / DPI), dpi=DPI, layout='constrained')
    figure.set_facecolor(shade(PANEL))
    axes.set_facecolor(shade(PANEL))
    axes.tick_params(colors=shade(MUTED))
    axes.xaxis.label.set_color(shade(MUTED))
    axes.yaxis.label.set_color(shade(MUTED))
    for spine in axes.spines.values():
        spine.set_color(shade(EDGE))
    axes.grid(color=shade(EDGE), linewidth=0.6)
    return figure, axes


def _pixels(figure: Figure) -> ImageArray:
    figure.canvas.draw()
    image = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]
    pyplot.close(figure)
    return image
