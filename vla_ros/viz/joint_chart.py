"""Small multiples of the joints over time: measured, commanded, and what is planned ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from vla_ros.types import DoubleArray, ImageArray
from vla_ros.viz.colours import BACKGROUND, EDGE, FAINT, JOINT_COLOURS, MUTED, PANEL, TEXT, Colour
from vla_ros.viz.style import Box, mixed, write

LEAST_RANGE = 0.5
"""A chart spans at least this many rad, so that a joint at rest looks at rest."""
COLUMNS = 2
LABEL = 16  # pixels above each chart


@dataclass(frozen=True)
class JointWindow:
    """What one picture of the chart shows.

    Attributes:
        names: J names.
        times: (N,) seconds relative to now, increasing; 0 is now.
        measured, commanded: (N, J) rad; NaN where there is nothing to show.
        ranges: (J, 2) lowest and highest rad of each chart.
    """

    names: Sequence[str]
    times: DoubleArray
    measured: DoubleArray
    commanded: DoubleArray
    ranges: DoubleArray


def ranges_of(*positions: DoubleArray) -> DoubleArray:
    """(J, 2) what the charts must span to show all of ``positions``, (N, J) each."""
    together = np.concatenate(positions)
    low, high = np.nanmin(together, axis=0), np.nanmax(together, axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2 * 1.1, LEAST_RANGE / 2)
    return np.stack([middle - half, middle + half], axis=1)


def draw_joints(canvas: Image.Image, box: Box, window: JointWindow) -> None:
    """One chart a joint in the box: measured in colour, commanded in white, what is ahead dimmed."""
    rows = -(-len(window.names) // COLUMNS)
    left, top, right, bottom = box
    gap = 14
    width = (right - left - gap * (COLUMNS - 1)) // COLUMNS
    height = (bottom - top) // rows
    draw = ImageDraw.Draw(canvas)
    for joint, name in enumerate(window.names):
        x = left + (joint // rows) * (width + gap)
        y = top + (joint % rows) * height
        colour = JOINT_COLOURS[joint % len(JOINT_COLOURS)]
        lines = [
            (np.where(window.times <= 0, window.measured[:, joint], np.nan), colour),
            (window.commanded[:, joint], TEXT),
        ]
        area = _plot(window.times, lines, tuple(window.ranges[joint]), width, height - LABEL - 4)
        canvas.paste(Image.fromarray(area), (x, y + LABEL))
        write(draw, (x, y), name, size=11, colour=colour)
        present = window.measured[window.times <= 0, joint]
        if len(present) and np.isfinite(present[-1]):
            write(
                draw,
                (x + width, y),
                f'{present[-1]:+.2f} rad',
                name='mono',
                size=11,
                colour=MUTED,
                anchor='ra',
            )


def _plot(
    times: DoubleArray,
    lines: Sequence[tuple[DoubleArray, Colour]],
    span: tuple[float, ...],
    width: int,
    height: int,
) -> ImageArray:
    area = np.empty((height, width, 3), np.uint8)
    area[:] = BACKGROUND
    now = round((0.0 - times[0]) / (times[-1] - times[0]) * (width - 1))
    area[:, now:] = mixed(BACKGROUND, PANEL, 0.8)
    cv2.line(area, (now, 0), (now, height), FAINT, 1)
    cv2.rectangle(area, (0, 0), (width - 1, height - 1), EDGE, 1)
    x = (times - times[0]) / (times[-1] - times[0]) * (width - 1)
    for values, colour in lines:
        y = height - 3 - (values - span[0]) / (span[1] - span[0]) * (height - 6)
        for run in _finite_runs(y):
            # Fixed point with 4 bits behind the point: lines that move smoothly from frame to frame.
            points = np.stack([x[run], np.clip(y[run], 1, height - 2)], axis=1)
            fixed = np.rint(points * 16).astype(np.int32)[:, None]
            past = np.flatnonzero(times[run] <= 0)
            split = int(past[-1]) + 1 if len(past) else 0
            for part, shade in (
                (fixed[:split], colour),
                (fixed[max(split - 1, 0) :], mixed(PANEL, colour, 0.6)),
            ):
                if len(part) > 1:
                    cv2.polylines(area, [part], False, shade, 1 if colour == TEXT else 2, cv2.LINE_AA, 4)
    return area


def _finite_runs(values: DoubleArray) -> list[slice]:
    """The stretches without NaN."""
    finite = np.isfinite(values)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], finite, [False]]).astype(int)))
    return [slice(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
