"""Pictures that show nothing: a covered lens, a room without light, a driver that sends zeros."""

from __future__ import annotations

from vla_ros.types import ImageArray, VlaError

EVERY = 4  # pixels a row and column that are looked at; a picture that shows something does so coarsely
LEAST_CONTRAST = 3.0
"""Levels of 255: more than the noise of a sensor in the dark, less than a picture of anything."""


def contrast(image: ImageArray) -> float:
    """How much the pixels of (height, width, 3) differ from each other, in the channel where they do so most.

    A standard deviation in levels of 0 to 255.
    """
    return float(image[::EVERY, ::EVERY].std(axis=(0, 1)).max(initial=0.0))


def require_contrast(image: ImageArray, least: float) -> None:
    """Raise VlaError if a picture shows nothing: less contrast than ``least``."""
    found = contrast(image) if least > 0 else least
    if found < least:
        raise VlaError(f'the picture shows nothing: its contrast is {found:.1f}, the least is {least:g}')
