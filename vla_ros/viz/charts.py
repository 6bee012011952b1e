"""The two charts under a poster: all joints over the whole run, and how latencies are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use('Agg')  # no display; must come before pyplot

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vla_ros.evaluation.recording import Recording, commanded
from vla_ros.evaluation.segments import Ending, Segment
from vla_ros.types import ImageArray
from vla_ros.viz.style import ACCENT, AMBER, EDGE, GREEN, JOINT_COLOURS, MUTED, PANEL, RED, TEXT, Colour

DPI = 100
BANDS = {Ending.DONE: GREEN, Ending.REFUSED: RED, Ending.FAILED: RED, Ending.UNFINISHED: AMBER}
STEP = 0.02  # seconds between two points of a curve


def joint_overview(recording: Recording, cut: Sequence[Segment], width: int, height: int) -> ImageArray:
    """Measured (colour) and commanded (white) positions over the run, the instructions as bands; (height, width, 3)."""
    figure, axes = _figure(width, height)
    begins = cut[0].begins if cut else recording.begins
    times = np.arange(begins - 0.5, min(recording.ends, cut[-1].ended + 2.0 if cut else recording.ends), STEP)
    targets = commanded(recording, times.tolist())
    columns = np.stack(recording.joints.values).T
    for joint, (name, column) in enumerate(zip(recording.joint_names, columns, strict=True)):
        measured = np.interp(times, recording.joints.times, column)
        colour = _shade(JOINT_COLOURS[joint % len(JOINT_COLOURS)])
        axes.plot(times - begins, measured, color=colour, linewidth=2.0, label=name)
        axes.plot(times - begins, targets[:, joint], color=_shade(TEXT), linewidth=0.7)
    low, high = axes.get_ylim()
    high += 0.12 * (high - low)  # room for the numbers
    for segment in cut:
        colour = _shade(BANDS[segment.ending])
        axes.axvspan(segment.begins - begins, segment.ended - begins, color=colour, alpha=0.10, linewidth=0)
        axes.axvline(segment.begins - begins, color=_shade(MUTED), linewidth=1, linestyle=(0, (2, 3)))
        axes.text(
            segment.begins - begins + 0.15,
            high,
            str(segment.number),
            color=_shade(MUTED),
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
        labelcolor=_shade(TEXT),
        fontsize=13 if in_a_row == 6 else 10,
    )
    return _pixels(figure)


def latency_chart(
    samples: Mapping[str, Sequence[float]], known: Mapping[str, tuple[float, float]], width: int, height: int
) -> ImageArray:
    """Histograms of latencies in ms, and lines at the (p50, p99) of those known only by their percentiles."""
    figure, axes = _figure(width, height)
    everything = [value for values in samples.values() for value in values] + [
        v for pair in known.values() for v in pair
    ]
    largest = max(float(np.percentile(everything, 99.5)) * 1.1, 1.0) if everything else 1.0
    bins = np.linspace(0.0, largest, 60).tolist()
    for (name, values), colour in zip(samples.items(), (ACCENT, AMBER), strict=False):
        weights = np.full(len(values), 100.0 / max(1, len(values)))
        axes.hist(values, bins=bins, weights=weights, color=_shade(colour), alpha=0.75, label=name)
    for name, (p50, p99) in known.items():
        axes.axvline(p50, color=_shade(GREEN), linewidth=2, label=f'{name} p50, p99')
        axes.axvline(p99, color=_shade(GREEN), linewidth=2, linestyle='--')
    axes.set_xlim(bins[0], bins[-1])
    axes.set_xlabel('ms')
    axes.set_ylabel('% of samples')
    axes.legend(frameon=False, labelcolor=_shade(TEXT), loc='upper right')
    return _pixels(figure)


def _figure(width: int, height: int) -> tuple[Figure, Axes]:
    pyplot.rcParams.update({'font.size': 13, 'font.family': 'DejaVu Sans'})
    figure, axes = pyplot.subplots(figsize=(width / DPI, height / DPI), dpi=DPI, layout='constrained')
    figure.set_facecolor(_shade(PANEL))
    axes.set_facecolor(_shade(PANEL))
    axes.tick_params(colors=_shade(MUTED))
    axes.xaxis.label.set_color(_shade(MUTED))
    axes.yaxis.label.set_color(_shade(MUTED))
    for spine in axes.spines.values():
        spine.set_color(_shade(EDGE))
    axes.grid(color=_shade(EDGE), linewidth=0.6)
    return figure, axes


def _pixels(figure: Figure) -> ImageArray:
    figure.canvas.draw()
    image = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()  # type: ignore[attr-defined]
    pyplot.close(figure)
    return image


def _shade(colour: Colour) -> tuple[float, float, float]:
    red, green, blue = (value / 255 for value in colour)
    return red, green, blue
