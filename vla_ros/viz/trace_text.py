"""The chain of thought as people like to read it: wrapped, tags dimmed, the verdict in colour."""

from __future__ import annotations

from dataclasses import replace

from PIL import ImageDraw

from vla_ros.viz.colours import ACCENT, PANEL, TEXT
from vla_ros.viz.style import Box, mixed, width_of, write
from vla_ros.viz.trace_spans import Span, spans

CURSOR = '▌'


def wrap(pieces: list[Span], width: float, size: int) -> list[list[Span]]:
    """Lines of at most ``width`` pixels; a piece that is wider than a line is broken anywhere."""
    lines: list[list[Span]] = [[]]
    used = 0.0
    longest = max(1, int(width // span_width(Span('i', TEXT), size)))  # characters; all are equally wide
    broken = [
        replace(piece, text=piece.text[start : start + longest])
        for piece in pieces
        for start in range(0, len(piece.text), longest)
    ]
    for piece in broken:
        wide = span_width(piece, size)
        if used + wide > width and lines[-1]:
            lines.append([])
            used = 0.0
        if not lines[-1] and piece.text == ' ':
            continue
        lines[-1].append(piece)
        used += wide
    return lines


def span_width(piece: Span, size: int) -> float:
    """Width of a piece in pixels."""
    return width_of(piece.text, 'mono bold' if piece.bold else 'mono', size)


def draw_trace(
    draw: ImageDraw.ImageDraw,
    box: Box,
    trace: str,
    *,
    size: int = 17,
    writing: bool = False,
    before: str = '',
) -> None:
    """The trace inside the box, from the top; when it does not fit, its last lines.

    Args:
        writing: show a cursor behind it.
        before: older text that it has not overwritten yet, shown dimmed behind the cursor.
    """
    left, top, right, bottom = box
    cursor = [Span(CURSOR, ACCENT)] if writing else []
    faded = [replace(piece, colour=mixed(PANEL, piece.colour, 0.45)) for piece in spans(before)]
    lines = wrap(spans(trace) + cursor + faded, right - left, size)
    pitch = round(size * 1.45)
    fitting = max(1, (bottom - top) // pitch)
    for row, line in enumerate(lines[-fitting:]):
        x = float(left)
        for piece in line:
            name = 'mono bold' if piece.bold else 'mono'
            write(draw, (x, top + row * pitch), piece.text, name=name, size=size, colour=piece.colour)
            x += span_width(piece, size)
