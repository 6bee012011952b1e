"""Pictures that show nothing: a covered lens, a room without light, a driver that sends zeros."""

from __future__ import annotations

from vla_ros.types import ImageArray

EVERY = 4  # pixels a row and column that are looked at; a picture that shows something does so coarsely


def contrast(image: ImageArray) -> float:
    """How much the pixels of (height, width, 3) differ from each other, in the channel where they do so most.

    A standard deviation in levels of 0 to 255.
    """
    return float(image[::EVERY, ::EVERY].std(axis=(0, 1)).max(initial=0.0))
