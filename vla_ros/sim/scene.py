"""A scene: what stands on the table, and how it all looks; sampled from a seed, then frozen.

World frame: x forward from the robot's base, y left, z up, origin on the table under the base. Metres and radians.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.sim.looks import (
    CameraOffset,
    Light,
    Tabletop,
    Vector3,
    draw_floor,
    draw_lights,
    draw_offset,
    draw_table,
)
from vla_ros.types import VlaError

PAN_AXIS_X = 0.0388353
"""The vertical axis of shoulder_pan stands here on the x axis; reach is measured from it."""

COLOURS: dict[str, Vector3] = {
    'red': (0.86, 0.10, 0.09),
    'green': (0.11, 0.62, 0.20),
    'blue': (0.10, 0.30, 0.86),
    'yellow': (0.96, 0.84, 0.10),
    'orange': (0.98, 0.48, 0.05),
    'purple': (0.52, 0.16, 0.72),
}
SHAPES = ('cube', 'cylinder', 'bowl', 'plate')
CONTAINERS = ('bowl', 'plate')

NOMINAL_SIZE: dict[str, tuple[float, float]] = {
    'cube': (0.014, 0.028),
    'cylinder': (0.0135, 0.040),
    'bowl': (0.045, 0.022),
    'plate': (0.050, 0.008),
}
"""Radius (half the edge of a cube) and height of each shape in metres."""

REACH = (0.16, 0.255)
CONTAINER_REACH = (0.17, 0.25)
AZIMUTH = math.radians(46.0)
BEYOND = ((-0.30, -0.10), (0.10, 0.25))
"""Metres, x and |y|, within which objects stand that nobody gets to: beside and behind the arm, in the front camera's
view. Everything in front that the camera sees is within reach."""
SPACING = 0.065
"""Least distance between the centres of two small objects; a container needs more, as it is wider."""


@dataclass(frozen=True)
class SceneObject:
    """One thing on the table.

    Attributes:
        name: unique, '<colour> <shape>'.
        colour, shape: words of COLOURS and SHAPES.
        position: centre at the start.
        yaw: rotation about z.
        radius: radius, or half the edge of a cube.
        height: full height.
        rgba: colour as drawn.
    """

    name: str
    colour: str
    shape: str
    position: Vector3
    yaw: float
    radius: float
    height: float
    rgba: tuple[float, float, float, float]

    @property
    def is_container(self) -> bool:
        """Bowls and plates stand still; everything else can be moved."""
        return self.shape in CONTAINERS


@dataclass(frozen=True)
class Scene:
    """Everything that differs from one episode to the next. The first light is the brightest and casts the shadows."""

    seed: int
    objects: tuple[SceneObject, ...]
    lights: tuple[Light, ...]
    ambient: Vector3
    table: Tabletop
    floor: Vector3
    front_camera: CameraOffset
    wrist_camera: CameraOffset

    def object(self, name: str) -> SceneObject:
        """The object of this name; VlaError if there is none."""
        for candidate in self.objects:
            if candidate.name == name:
                return candidate
        raise VlaError(f'object: expected one of {[o.name for o in self.objects]}, found {name!r}')


def sample_scene(
    seed: int,
    *,
    kinds: Sequence[str] = ('cube', 'cylinder'),
    count: tuple[int, int] = (2, 4),
    containers: Sequence[str] = (),
    beyond: int = 0,
    randomise: float = 1.0,
) -> Scene:
    """A random scene; the same arguments give the same scene on every machine.

    No two objects have the same colour and shape. In half of the scenes two objects share their colour and differ in
    shape, so that a colour alone does not name a thing.

    Args:
        seed: any integer >= 0.
        kinds: shapes to draw the small objects from.
        count: smallest and largest number of small objects.
        containers: shapes of the bowls and plates to add, one entry each.
        beyond: number of small objects to add where the arm does not get to.
        randomise: strength of what varies in looks (light, table, colours, sizes, cameras); 0 is the nominal look.

    Raises:
        VlaError: an unknown shape, or a count that is not 1 <= smallest <= largest <= what can be told apart.
    """
    _check(kinds, (count[0], count[1] + beyond), containers)
    rng = np.random.default_rng(seed)
    near = int(rng.integers(count[0], count[1] + 1))
    small = _draw_names(rng, kinds, near + beyond)
    names = small[:near] + _draw_containers(rng, containers)
    places = _draw_places(rng, names) + _draw_places_beyond(rng, beyond)
    names += small[near:]
    yaws = rng.uniform(-math.pi, math.pi, len(names))
    looks = np.random.default_rng([seed, 1])
    objects = tuple(
        _make_object(looks, colour, shape, place, float(yaw), randomise)
        for (colour, shape), place, yaw in zip(names, places, yaws)
    )
    lights, ambient = draw_lights(looks, randomise)
    return Scene(
        seed=seed,
        objects=objects,
        lights=lights,
        ambient=ambient,
        table=draw_table(looks, randomise),
        floor=draw_floor(looks, randomise),
        front_camera=draw_offset(looks, 0.010 * randomise, math.radians(1.0) * randomise),
        wrist_camera=draw_offset(looks, 0.002 * randomise, math.radians(1.0) * randomise),
    )


def _check(kinds: Sequence[str], count: tuple[int, int], containers: Sequence[str]) -> None:
    for shape in (*kinds, *containers):
        if shape not in SHAPES:
            raise VlaError(f'shape: expected one of {list(SHAPES)}, found {shape!r}')
    most = min(6, len(COLOURS) * len(set(kinds)))
    if not 1 <= count[0] <= count[1] <= most:
        raise VlaError(f'count: expected 1 <= smallest <= largest <= {most}, found {tuple(count)}')


def _draw_names(rng: np.random.Generator, kinds: Sequence[str], count: int) -> list[tuple[str, str]]:
    """Distinct (colour, shape) pairs: all colours distinct, or exactly two objects of one colour."""
    colours = [str(c) for c in rng.permutation(list(COLOURS))]
    shapes = [str(s) for s in rng.choice(list(kinds), count)]
    several = sorted(set(kinds))
    if count >= 2 and len(several) >= 2 and rng.random() < 0.5:
        colours[1] = colours[0]
        shapes[0], shapes[1] = (str(s) for s in rng.permutation(several)[:2])
    pairs = list(zip(colours[:count], shapes))
    return [pairs[i] for i in rng.permutation(count)]


def _draw_containers(rng: np.random.Generator, containers: Sequence[str]) -> list[tuple[str, str]]:
    colours = rng.permutation(list(COLOURS))[: len(containers)]
    return [(str(colour), shape) for colour, shape in zip(colours, containers)]


def _draw_places(rng: np.random.Generator, names: Sequence[tuple[str, str]]) -> list[tuple[float, float]]:
    """Places (x, y) within reach and clear of each other; starts over when the table fills up badly."""
    order = sorted(range(len(names)), key=lambda i: names[i][1] not in CONTAINERS)
    for _ in range(1000):
        places: list[tuple[float, float, float]] = []
        for _, shape in (names[i] for i in order):
            extra = NOMINAL_SIZE[shape][0] - 0.02 if shape in CONTAINERS else 0.0
            reach = CONTAINER_REACH if shape in CONTAINERS else REACH
            for _ in range(30):
                radius, azimuth = rng.uniform(*reach), rng.uniform(-AZIMUTH, AZIMUTH)
                x, y = PAN_AXIS_X + radius * math.cos(azimuth), radius * math.sin(azimuth)
                if all(math.hypot(x - p[0], y - p[1]) > SPACING + extra + p[2] for p in places):
                    places.append((x, y, extra))
                    break
        if len(places) == len(names):
            found = dict(zip(order, places))
            return [found[i][:2] for i in range(len(names))]
    raise VlaError(f'objects: {len(names)} of them do not fit on the table; ask for fewer')


def _draw_places_beyond(rng: np.random.Generator, count: int) -> list[tuple[float, float]]:
    """Places (x, y) out of reach, a few centimetres apart."""
    places: list[tuple[float, float]] = []
    while len(places) < count:
        x, y = rng.uniform(*BEYOND[0]), rng.uniform(*BEYOND[1]) * rng.choice((-1.0, 1.0))
        if all(math.hypot(x - p[0], y - p[1]) > SPACING for p in places):
            places.append((float(x), float(y)))
    return places


def _make_object(
    rng: np.random.Generator,
    colour: str,
    shape: str,
    place: tuple[float, float],
    yaw: float,
    randomise: float,
) -> SceneObject:
    size = 1.0 + 0.10 * randomise * rng.uniform(-1, 1)
    radius, height = (float(size * length) for length in NOMINAL_SIZE[shape])
    hue, saturation, value = colorsys.rgb_to_hsv(*COLOURS[colour])
    hue += math.radians(4.0) / (2 * math.pi) * randomise * rng.uniform(-1, 1)
    saturation *= 1 - 0.15 * randomise * rng.random()
    value = min(1.0, value * (1 + 0.12 * randomise * rng.uniform(-1, 1)))
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    position = (place[0], place[1], height / 2)
    return SceneObject(
        f'{colour} {shape}', colour, shape, position, yaw, radius, height, (red, green, blue, 1.0)
    )
