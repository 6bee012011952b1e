"""Colours, type and small shapes that every picture shares. Fonts are those that come with matplotlib."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vla_ros.types import ImageArray
from vla_ros.viz.colours import BACKGROUND, EDGE, MUTED, PANEL, TEXT, Colour

FONT_FILES = {
    'regular': 'DejaVuSans.ttf',
    'bold': 'DejaVuSans-Bold.ttf',
    'oblique': 'DejaVuSans-Oblique.ttf',
    'mono': 'DejaVuSansMono.ttf',
    'mono bold': 'DejaVuSansMono-Bold.ttf',
}

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of FONT_FILES, ``size`` in pixels."""
    return ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / 'fonts' / 'ttf' / FONT_FILES[name]), size
    )


def width_of(text: str, name: str, size: int) -> float:
    """Width of a line of text in pixels."""
    return float(font(name, size).getlength(text))


def write(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    *,
    name: str = 'regular',
    size: int = 16,
    colour: Colour = TEXT,
    anchor: str = 'la',
) -> None:
    """One line of text; ``anchor`` as in Pillow: 'la' is left and top, 'mm' the middle."""
    draw.text(place, text, font=font(name, size), fill=colour, anchor=anchor)


def shortened(text: str, name: str, size: int, width: float) -> str:
    """The text, cut with an ellipsis if it is wider than ``width`` pixels."""
    if width_of(text, name, size) <= width:
        return text
    while text and width_of(text + '…', name, size) > width:
        text = text[:-1]
    return text.rstrip() + '…'


def panel(draw: ImageDraw.ImageDraw, box: Box, title: str = '') -> None:
    """A framed area with a small title at the top left."""
    left, top, right, bottom = box
    draw.rounded_rectangle((left, top, right - 1, bottom - 1), radius=8, fill=PANEL, outline=EDGE)
    if title:
        write(draw, (left + 12, top + 9), title.upper(), name='bold', size=11, colour=MUTED)


def pill(
    draw: ImageDraw.ImageDraw, right: int, middle: int, text: str, colour: Colour, size: int = 18
) -> int:
    """A filled capsule with text, its right end at ``right``; returns its left end."""
    left = right - int(width_of(text, 'bold', size)) - 2 * size
    half = int(size * 0.95)
    draw.rounded_rectangle((left, middle - half, right, middle + half), radius=half, fill=colour)
    write(draw, ((left + right) / 2, middle), text, name='bold', size=size, colour=BACKGROUND, anchor='mm')
    return left


def paste(canvas: Image.Image, image: ImageArray, box: Box, radius: int = 8) -> None:
    """Put an image of the box's size on the canvas with rounded corners."""
    left, top, right, bottom = box
    canvas.paste(Image.fromarray(image), (left, top), _rounded_mask((right - left, bottom - top), radius))


@cache
def _rounded_mask(size: tuple[int, int], radius: int) -> Image.Image:
    # Drawn at four times the size, so that the corners are smooth.
    large = Image.new('L', (size[0] * 4, size[1] * 4), 0)
    ImageDraw.Draw(large).rounded_rectangle(
        (0, 0, size[0] * 4 - 1, size[1] * 4 - 1), radius=radius * 4, fill=255
    )
    return large.resize(size, Image.Resampling.LANCZOS)


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """``share`` of the second colour in the first."""
    red, green, blue = np.rint((1 - share) * np.array(first) + share * np.array(second)).astype(int).tolist()
    return red, green, blue
