"""What the model says of an image, drawn into the image: the objects it sees and the target it goes for."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from vla_ros.reasoning.trace import Sighting
from vla_ros.types import ImageArray
from vla_ros.viz.colours import ACCENT, GREEN, TEXT, Colour
from vla_ros.viz.style import font, width_of

TARGET_HALF_SIZE = 0.075
"""Half the edge of the target's box, as a share of the image's height."""


def enlarge(image: ImageArray, width: int, height: int) -> ImageArray:
    """The image (H, W, 3) at another size: smooth when larger, by area when smaller."""
    larger = width > image.shape[1]
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC if larger else cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)


def draw_target(image: ImageArray, target: tuple[float, float], colour: Colour = GREEN) -> None:
    """Draw a box with corners and a cross-hair around ``target``, (x, y) in 0..1, into the image itself."""
    height, width = image.shape[:2]
    x, y = round(target[0] * width), round(target[1] * height)
    half = max(6, round(TARGET_HALF_SIZE * height))
    corner, gap = half // 2, max(4, half // 3)
    for shade, thickness in (((0, 0, 0), 4), (colour, 2)):
        for sx in (-1, 1):
            for sy in (-1, 1):
                at = (x + sx * half, y + sy * half)
                cv2.line(image, at, (at[0] - sx * corner, at[1]), shade, thickness, cv2.LINE_AA)
                cv2.line(image, at, (at[0], at[1] - sy * corner), shade, thickness, cv2.LINE_AA)
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            near, far = (x + dx * gap, y + dy * gap), (x + dx * 2 * gap, y + dy * 2 * gap)
            cv2.line(image, near, far, shade, thickness, cv2.LINE_AA)


def draw_sightings(image: ImageArray, sightings: Sequence[Sighting], colour: Colour = ACCENT) -> None:
    """Mark each object that the chain of thought names with a ring and its name, into the image itself."""
    height, width = image.shape[:2]
    size = max(9, height // 32)
    places = []
    for seen in sightings:
        at = (round(seen.x * width), round(seen.y * height))
        cv2.circle(image, at, 5, (0, 0, 0), 4, cv2.LINE_AA)
        cv2.circle(image, at, 5, colour, 2, cv2.LINE_AA)
        half = width_of(seen.name, 'bold', size) / 2
        middle = min(max(at[0], half + 4), width - half - 4)
        places.append((middle, max(size, at[1] - round(TARGET_HALF_SIZE * height) - size)))
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    for seen, place in zip(sightings, places, strict=True):
        draw.text(
            place,
            seen.name,
            font=font('bold', size),
            fill=TEXT,
            anchor='mm',
            stroke_width=2,
            stroke_fill=(0, 0, 0),
        )
    image[:] = np.asarray(canvas)
