"""What can be changed of a scene, to see what the model stands: light, camera, colours, company, a push."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np

from vla_ros.sim.layouts import as_it_stands
from vla_ros.sim.scene import (
    AZIMUTH,
    PAN_AXIS_X,
    REACH,
    SPACING,
    CameraOffset,
    Light,
    Scene,
    SceneObject,
    Vector3,
    sample_scene,
)
from vla_ros.sim.world import World

MOST_SCENES = 50
"""Other scenes in which a thing is looked for that fits into this one."""

SceneChange = Callable[[Scene, np.random.Generator, Collection[str]], Scene]
"""Makes another scene, given random numbers and the names that the order speaks of."""


def as_it_is(scene: Scene, _: np.random.Generator, needed: Collection[str]) -> Scene:
    """Nothing changed."""
    return scene


def lit(strength: float) -> SceneChange:
    """All light times ``strength``."""

    def change(scene: Scene, _: np.random.Generator, needed: Collection[str]) -> Scene:
        lights = tuple(Light(one.direction, _scaled(one.colour, strength)) for one in scene.lights)
        return replace(scene, lights=lights, ambient=_scaled(scene.ambient, strength))

    return change


def shifted(distance: float) -> SceneChange:
    """The front camera ``distance`` metres further from where it should be, in any direction."""

    def change(scene: Scene, rng: np.random.Generator, needed: Collection[str]) -> Scene:
        way = rng.normal(size=3)
        x, y, z = np.array(scene.front_camera.translation) + distance * way / np.linalg.norm(way)
        offset = CameraOffset((float(x), float(y), float(z)), scene.front_camera.rotation)
        return replace(scene, front_camera=offset)

    return change


def tinted(share: float) -> SceneChange:
    """Colours faded by ``share`` towards grey: paler than any in training."""

    def change(scene: Scene, _: np.random.Generator, needed: Collection[str]) -> Scene:
        return replace(scene, objects=tuple(_faded(thing, share) for thing in scene.objects))

    return change


def among(count: int) -> SceneChange:
    """``count`` other things beside those that the order speaks of, as far as there is room for them."""

    def change(scene: Scene, rng: np.random.Generator, needed: Collection[str]) -> Scene:
        kept = [thing for thing in scene.objects if thing.name in needed]
        others = [thing for thing in scene.objects if thing.name not in needed]
        objects = kept + others[:count]
        for _ in range(MOST_SCENES):
            if len(objects) == len(kept) + count:
                break
            for thing in sample_scene(int(rng.integers(2**31)), count=(4, 4)).objects:
                if len(objects) < len(kept) + count and _fits(thing, objects):
                    objects.append(thing)
        return replace(scene, objects=tuple(objects))

    return change


def pushed(world: World, name: str, distance: float, rng: np.random.Generator) -> None:
    """Somebody pushes a thing ``distance`` metres over the table, to where there is room and the arm can reach."""
    scene = as_it_stands(world)
    thing, rest = scene.object(name), [other for other in scene.objects if other.name != name]
    x, y, z = thing.position
    for angle in rng.permutation(16) * math.pi / 8:
        there = (x + distance * math.cos(angle), y + distance * math.sin(angle), z)
        if _within_reach(there) and _fits(replace(thing, position=there), rest):
            world.displace(name, (there[0] - x, there[1] - y))
            return


def _fits(thing: SceneObject, others: Collection[SceneObject]) -> bool:
    """Whether its name is not taken, nor its place."""
    return all(
        thing.name != other.name
        and math.dist(thing.position[:2], other.position[:2]) >= SPACING + other.is_container * other.radius
        for other in others
    )


def _within_reach(place: Vector3) -> bool:
    x, y = place[0] - PAN_AXIS_X, place[1]
    return REACH[0] <= math.hypot(x, y) <= REACH[1] and abs(math.atan2(y, x)) <= AZIMUTH


def _scaled(colour: Vector3, strength: float) -> Vector3:
    red, green, blue = (strength * part for part in colour)
    return red, green, blue


def _faded(thing: SceneObject, share: float) -> SceneObject:
    red, green, blue, opacity = thing.rgba
    grey = (red + green + blue) / 3
    red, green, blue = (part + share * (grey - part) for part in (red, green, blue))
    return replace(thing, rgba=(red, green, blue, opacity))
