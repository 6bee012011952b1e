"""The colours of every picture, on paper and in the terminal."""

from __future__ import annotations

Colour = tuple[int, int, int]

BACKGROUND: Colour = (13, 17, 23)
PANEL: Colour = (22, 27, 34)
EDGE: Colour = (48, 54, 61)
TEXT: Colour = (230, 237, 243)
MUTED: Colour = (125, 133, 144)
FAINT: Colour = (80, 88, 98)
ACCENT: Colour = (88, 166, 255)
GREEN: Colour = (63, 185, 80)
RED: Colour = (248, 81, 73)
AMBER: Colour = (210, 153, 34)
JOINT_COLOURS: tuple[Colour, ...] = (
    (88, 166, 255),
    (255, 166, 87),
    (126, 231, 135),
    (255, 123, 114),
    (210, 168, 255),
    (121, 218, 219),
)


def shade(colour: Colour) -> tuple[float, float, float]:
    """The colour as matplotlib wants it: red, green and blue in 0..1."""
    red, green, blue = (value / 255 for value in colour)
    return red, green, blue
