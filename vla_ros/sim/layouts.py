"""What kinds of things stand on the table, by name: so that a seed and a word say the whole scene, everywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from vla_ros.sim.scene import Scene, sample_scene
from vla_ros.sim.world import World
from vla_ros.types import VlaError


@dataclass(frozen=True)
class Layout:
    """How many small objects are within reach, which bowls and plates there are, and how much is out of reach."""

    count: tuple[int, int] = (2, 4)
    containers: tuple[str, ...] = ()
    beyond: int = 0


OBJECTS, CONTAINERS, FAR = 'objects', 'containers', 'far'
LAYOUTS = {
    OBJECTS: Layout(),
    CONTAINERS: Layout((2, 3), ('bowl', 'plate')),
    FAR: Layout((2, 3), beyond=1),
}
"""Cubes and cylinders; those with a bowl and a plate; those with one that the arm does not get to."""


def laid_out(seed: int, layout: str = OBJECTS) -> Scene:
    """The scene of a seed in a layout.

    Raises:
        VlaError: no such layout.
    """
    if layout not in LAYOUTS:
        raise VlaError(f'layout: expected one of {list(LAYOUTS)}, found {layout!r}')
    chosen = LAYOUTS[layout]
    return sample_scene(seed, count=chosen.count, containers=chosen.containers, beyond=chosen.beyond)


def as_it_stands(world: World) -> Scene:
    """The scene with its objects where they are now, so that what can be done now can be asked of it."""
    objects = []
    for thing in world.scene.objects:
        x, y, z = world.object_position(thing.name).tolist()
        rotation = world.object_rotation(thing.name)
        yaw = float(np.arctan2(rotation[1, 0], rotation[0, 0]))
        objects.append(replace(thing, position=(x, y, z), yaw=yaw))
    return replace(world.scene, objects=tuple(objects))
