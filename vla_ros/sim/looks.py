"""How a scene looks beside its objects: light, table, floor, and how far its cameras are from where they should be.

Each is drawn at random; ``randomise`` is the strength, and 0 the nominal look.
"""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass

import numpy as np

from vla_ros.types import DoubleArray

Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """Directional light: unit ``direction`` towards the light, linear ``colour`` (strength included)."""

    direction: Vector3
    colour: Vector3


@dataclass(frozen=True)
class Tabletop:
    """The table's two tones and how they alternate.

    Attributes:
        pattern: 'plain', 'planks' (stripes with an offset), 'checker' or 'cloth' (a grid of thin lines).
        tones: the two colours.
        scale: width of a stripe or of a square in metres.
        angle: rotation of the pattern about z.
        offset: shift of the pattern in metres.
    """

    pattern: str
    tones: tuple[Vector3, Vector3]
    scale: float
    angle: float
    offset: tuple[float, float]


@dataclass(frozen=True)
class CameraOffset:
    """How far a camera is from where it should be: translation in metres and rotation vector, both in its own frame."""

    translation: Vector3 = (0.0, 0.0, 0.0)
    rotation: Vector3 = (0.0, 0.0, 0.0)


def draw_lights(rng: np.random.Generator, randomise: float) -> tuple[tuple[Light, ...], Vector3]:
    """A key light from above, a weak fill light from the other side and an ambient term, of one colour temperature."""
    warmth = 0.07 * randomise * rng.uniform(-1, 1)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    azimuth = math.radians(-60.0) + math.pi * randomise * rng.uniform(-1, 1)
    elevation = math.radians(58.0 + 17.0 * randomise * rng.uniform(-1, 1))
    key = 0.52 * (1 + 0.25 * randomise * rng.uniform(-1, 1))
    fill = 0.16 * (1 + 0.5 * randomise * rng.uniform(-1, 1))
    ambient = 0.42 * (1 + 0.15 * randomise * rng.uniform(-1, 1))
    directions = (_direction(azimuth, elevation), _direction(azimuth + 2.5, math.radians(30.0)))
    lights = tuple(Light(d, _vector(tint * s)) for d, s in zip(directions, (key, fill)))
    return lights, _vector(tint * ambient)


def draw_table(rng: np.random.Generator, randomise: float) -> Tabletop:
    """A low-saturation tone, never as vivid as an object, and a second one near it."""
    nominal = (0.085, 0.28, 0.72)
    hue = nominal[0] + randomise * (rng.uniform(0.0, 1.0) if rng.random() < 0.3 else rng.uniform(-0.03, 0.05))
    saturation = nominal[1] * (1 + randomise * rng.uniform(-1.0, 0.15))
    value = nominal[2] + 0.18 * randomise * rng.uniform(-1.6, 1)
    contrast = 0.06 + 0.05 * randomise * rng.uniform(-1, 1)
    first = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    second = colorsys.hsv_to_rgb((hue + 0.01) % 1.0, saturation, value * (1 - contrast))
    patterns = ('plain', 'planks', 'checker', 'cloth')
    pattern = patterns[int(rng.integers(4))] if rng.random() < randomise else 'planks'
    scale = 0.075 * float(np.exp(0.7 * randomise * rng.uniform(-1, 1)))
    offset = rng.uniform(-0.1, 0.1, 2) * randomise
    angle = math.pi / 2 * randomise * float(rng.uniform(-1, 1))
    return Tabletop(pattern, (first, second), scale, angle, (float(offset[0]), float(offset[1])))


def draw_floor(rng: np.random.Generator, randomise: float) -> Vector3:
    """The grey of the floor, a little warmer or colder."""
    tint = rng.uniform(-1, 1, 3)
    return _vector(np.array([0.34, 0.36, 0.40]) * (1 + randomise * (0.35 * tint[0] + 0.06 * tint)))


def draw_offset(rng: np.random.Generator, translation: float, rotation: float) -> CameraOffset:
    """Up to ``translation`` metres and ``rotation`` radians along and about each axis."""
    moved, turned = rng.uniform(-1, 1, 3), rng.uniform(-1, 1, 3)
    return CameraOffset(_vector(moved * translation), _vector(turned * rotation))


def _direction(azimuth: float, elevation: float) -> Vector3:
    level = math.cos(elevation)
    return (level * math.cos(azimuth), level * math.sin(azimuth), math.sin(elevation))


def _vector(values: DoubleArray) -> Vector3:
    x, y, z = (float(v) for v in values)
    return (x, y, z)
