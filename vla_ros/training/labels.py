"""What is true of the table at a moment, as far as System 2 is to know it: where things are and what the hand holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import mujoco
import numpy as np
import numpy.typing as npt

from vla_ros.reasoning.subtask import DIRECTIONS
from vla_ros.reasoning.trace import Sighting
from vla_ros.sim.cameras import Camera
from vla_ros.sim.feasibility import is_feasible
from vla_ros.sim.layouts import as_it_stands
from vla_ros.sim.orders import Task, pushed_place
from vla_ros.sim.scene import COLOURS, CONTAINERS
from vla_ros.sim.world import World
from vla_ros.types import DoubleArray, FloatArray, IndexArray, Place

SMALL = [f'{colour} {shape}' for colour in COLOURS for shape in ('cube', 'cylinder')]
KINDS = [*SMALL, *(f'{colour} {shape}' for colour in COLOURS for shape in CONTAINERS)]
"""What the eyes and System 2 tell apart; the order is that of all labels."""
LEAST_VISIBLE = 0.2
EDGE = 0.004
"""How near to the edge of the image, as a share of it, what is outside counts as being."""
GRIPPER = 5
"""Index of the joint that opens the hand."""


@dataclass(frozen=True)
class Truth:
    """Of N moments.

    Attributes:
        centres: (N, kinds, 2) float32 centres in the front image, 0..1 from the top left, NaN where not seen.
        reach: (N, kinds) bool: the arm gets to it.
        goals: (N, kinds, directions, 2) float32: where a push in each direction would bring it, in the front image;
            NaN where the object is not on the table.
        hand: (N,) float32 position of the gripper's joint, rad.
        held: (N,) index of the kind that both jaws hold, -1 for none.
    """

    centres: FloatArray
    reach: npt.NDArray[np.bool_]
    goals: FloatArray
    hand: FloatArray
    held: IndexArray

    def __len__(self) -> int:
        return len(self.hand)

    def __getitem__(self, chosen: slice | IndexArray) -> Truth:
        return Truth(*(getattr(self, field.name)[chosen] for field in fields(Truth)))

    def arrays(self, prefix: str) -> dict[str, Any]:
        """By name, to be saved."""
        return {f'{prefix}{field.name}': getattr(self, field.name) for field in fields(Truth)}

    def sightings(self, index: int, shift: FloatArray | None = None) -> list[Sighting]:
        """What is seen at one moment; ``shift`` (kinds, 2) moves the places."""
        places = self.centres[index] if shift is None else np.clip(self.centres[index] + shift, 0, 1)
        return [
            Sighting(name, float(x), float(y), bool(near))
            for name, (x, y), near in zip(KINDS, places, self.reach[index])
            if not np.isnan(x)
        ]

    def goal(self, index: int, name: str, direction: str) -> Place:
        """Where a push would bring an object."""
        x, y = self.goals[index, KINDS.index(name), DIRECTIONS.index(direction)].tolist()
        return x, y

    def holding(self, index: int) -> str:
        """The name of what the hand holds, '' for nothing."""
        held = int(self.held[index])
        return KINDS[held] if held >= 0 else ''


def truth_from(arrays: Mapping[str, Any], prefix: str) -> Truth:
    """What ``Truth.arrays`` gave."""
    return Truth(*(arrays[f'{prefix}{field.name}'] for field in fields(Truth)))


def joined_truth(parts: Iterable[Truth]) -> Truth:
    """Several as one."""
    parts = list(parts)
    return Truth(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Truth)))


def truth_of(world: World, camera: Camera, known: Collection[str] = (), holding: str = '') -> Truth:
    """What is true now; ``camera`` is the front one.

    Args:
        known: objects that count as seen wherever they are in the image, hidden or not.
        holding: what the hand holds, where physics has not been asked; by default what both jaws touch.
    """
    held = holding or next(iter(sorted(name for name in world.held() if name in SMALL)), '')
    scene = as_it_stands(world)
    reach = np.zeros(len(KINDS), bool)
    goals = np.full((len(KINDS), len(DIRECTIONS), 2), np.nan, np.float32)
    for thing in scene.objects:
        kind = KINDS.index(thing.name)
        reach[kind] = is_feasible(scene, Task('touch', thing.name))
        position = np.array(thing.position)
        ends = [[*pushed_place(position, direction), position[2]] for direction in DIRECTIONS]
        goals[kind] = in_image(world, camera, np.array(ends))[0]
    return Truth(
        object_centres(world, camera, {*known, held})[None],
        reach[None],
        goals[None],
        world.joints().positions[GRIPPER : GRIPPER + 1].astype(np.float32),
        np.array([KINDS.index(held) if held else -1]),
    )


def in_image(world: World, camera: Camera, points: DoubleArray) -> tuple[DoubleArray, npt.NDArray[np.bool_]]:
    """Places (N, 2) of points (N, 3) in 0..1 of the image, and which of them are in it."""
    pixels, depth = camera.project(world.data, points)
    # Pixel centres are at integers: the image spans -0.5 .. size - 0.5.
    places = (pixels + 0.5) / (camera.model.width, camera.model.height)
    return places, (depth > 0) & ((places > 0) & (places < 1)).all(-1)


def object_centres(world: World, camera: Camera, known: Collection[str] = ()) -> FloatArray:
    """(kinds, 2) centres in 0..1 of the image, NaN for what is not there or too hidden to be told.

    The objects named in ``known`` count as seen even if they are hidden, and at its edge if they are outside of it: the
    hand may carry them there.
    """
    centres = np.full((len(KINDS), 2), np.nan, np.float32)
    for thing in world.scene.objects:
        if thing.name not in KINDS:
            continue
        (place,), (inside,) = in_image(world, camera, world.object_position(thing.name)[None])
        if thing.name in known:
            centres[KINDS.index(thing.name)] = np.clip(place, EDGE, 1 - EDGE)
        elif inside and _visible(world, camera, thing.name) >= LEAST_VISIBLE:
            centres[KINDS.index(thing.name)] = place
    return centres


def _visible(world: World, camera: Camera, name: str) -> float:
    """Share of rays to points within an object that meet this object first."""
    thing = world.scene.object(name)
    body = world.model.body(name).id
    grid = np.array([[x, y, z] for x in (-0.6, 0.6) for y in (-0.6, 0.6) for z in (-0.35, 0.0, 0.35)])
    points = world.object_position(name) + grid * (thing.radius, thing.radius, thing.height)
    origin, _ = camera.pose(world.data)
    rays = points - origin
    geoms, distances = np.full(len(rays), -1, np.int32), np.zeros(len(rays))
    mujoco.mj_multiRay(
        world.model, world.data, origin, rays.ravel(), None, 1, -1, geoms, distances, None, len(rays), 100.0
    )
    return float(np.mean((geoms >= 0) & (world.model.geom_bodyid[geoms] == body)))
