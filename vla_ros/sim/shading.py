"""Colours of surface points: the table's pattern, and Lambert's law under the scene's lights."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from vla_ros.sim.looks import Tabletop
from vla_ros.sim.scene import Scene

Array = npt.NDArray[np.float32]


def tabletop_colour(table: Tabletop, points: Array) -> Array:
    """Colours (N, 3) of the table top at ``points`` (N, 2): world x and y in metres."""
    first = np.asarray(table.tones[0], dtype=np.float32)
    second = np.asarray(table.tones[1], dtype=np.float32)
    if table.pattern == 'plain':
        return np.broadcast_to(first, (len(points), 3))
    cosine, sine = np.float32(math.cos(table.angle)), np.float32(math.sin(table.angle))
    scale, offset = np.float32(table.scale), (np.float32(table.offset[0]), np.float32(table.offset[1]))
    along = (cosine * points[:, 0] + sine * points[:, 1] + offset[0]) / scale
    across = (cosine * points[:, 1] - sine * points[:, 0] + offset[1]) / scale
    blend = _PATTERNS[table.pattern](along, across)
    return first + blend[:, None] * (second - first)


def shade(scene: Scene, colours: Array, normals: Array, lit: Array | None = None) -> Array:
    """What a camera sees of surfaces with ``colours`` (N, 3) and unit ``normals`` (N, 3).

    Args:
        lit: (N,) share of the first light that reaches each point; None means all of it.

    Returns:
        (N, 3) float32; 1 is white, more is overexposed.
    """
    # A hemisphere of ambient light: full from above, three quarters from below.
    light = np.array(scene.ambient, np.float32) * (0.875 + 0.125 * normals[:, 2:3])
    for index, source in enumerate(scene.lights):
        x, y, z = (np.float32(v) for v in source.direction)
        # Element by element, not a matrix product: the same bits however many points there are.
        cosine = np.maximum(normals[:, 0] * x + normals[:, 1] * y + normals[:, 2] * z, np.float32(0.0))
        if index == 0 and lit is not None:
            cosine = cosine * lit
        light = light + cosine[:, None] * np.array(source.colour, np.float32)
    return colours * light


def to_pixels(colours: Array) -> npt.NDArray[np.uint8]:
    """(N, 3) colours, 1 is white, as bytes."""
    return np.minimum(colours * np.float32(255.0) + np.float32(0.5), np.float32(255.0)).astype(np.uint8)


def _planks(along: Array, across: Array) -> Array:
    """Boards along one direction, each of its own tone, with a dark gap between them."""
    board = np.floor(across)
    tone = (board * np.float32(0.618034)) % 1
    gap = np.abs(across - board - np.float32(0.5)) > np.float32(0.485)
    grain = np.float32(0.15) * np.sin(
        (across + np.float32(0.05) * np.sin(along * np.float32(2.0))) * np.float32(37.0)
    )
    return np.where(gap, np.float32(2.6), tone + grain)


def _checker(along: Array, across: Array) -> Array:
    return (np.floor(along) + np.floor(across)) % 2


def _cloth(along: Array, across: Array) -> Array:
    """A grid of thin lines."""
    lines = np.minimum(np.abs(along - np.rint(along)), np.abs(across - np.rint(across))) < np.float32(0.06)
    return np.where(lines, np.float32(1.5), np.float32(0.0))


_PATTERNS: dict[str, Callable[[Array, Array], Array]] = {
    'planks': _planks,
    'checker': _checker,
    'cloth': _cloth,
}
