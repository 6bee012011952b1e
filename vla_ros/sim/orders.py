"""What can be asked of the arm on its table, in the words of the simulator.

Directions are the robot's own: it sits at the origin and looks along x, so 'forward' is away from its base and 'left'
is its own left hand, which a person who faces it sees on their right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.sim.scene import CONTAINERS, Scene
from vla_ros.types import DoubleArray, VlaError

TIME_LIMITS: dict[str, float] = {
    'touch': 8.0,
    'home': 6.0,
    'point': 8.0,
    'pick': 12.0,
    'put': 20.0,
    'push': 12.0,
}
"""Seconds of simulated time for each kind of task: room for one more try, by the scripted expert's measure."""

DIRECTIONS: dict[str, tuple[float, float]] = {
    'forward': (1.0, 0.0),
    'back': (-1.0, 0.0),
    'left': (0.0, 1.0),
    'right': (0.0, -1.0),
}
"""Unit vectors (x, y) of the words that a push may name, in the robot's frame."""
PUSH_DISTANCE = 0.06
"""Metres that a push moves an object from where it stood when it was asked for."""


@dataclass(frozen=True)
class Task:
    """What is asked.

    Attributes:
        kind: 'touch' (hold the fingertips against the object), 'point' (hold the closed fingertips above it), 'pick'
            (lift it), 'put' (lay it in or on the target), 'push' (move it 6 cm in the target's direction), 'home'.
        object: name of the object; a bowl or a plate can only be touched or pointed at.
        target: for 'put' the name of a bowl or a plate, for 'push' one of DIRECTIONS.
    """

    kind: str
    object: str | None = None
    target: str | None = None


def written(tasks: Sequence[Task]) -> str:
    """Tasks as the simulator's parameter takes them: 'put:red cube:blue bowl; home'."""
    return '; '.join(':'.join(p for p in (t.kind, t.object, t.target) if p) for t in tasks)


def parse_tasks(text: str) -> tuple[Task, ...]:
    """What ``written`` wrote: each 'kind', 'kind:object' or 'kind:object:target'; none for ''.

    Raises:
        VlaError: a kind, an object or a target is empty, or there are too many of them.
    """
    return tuple(_parse_task(part) for part in text.split(';')) if text.strip() else ()


def _parse_task(text: str) -> Task:
    parts = [part.strip() for part in text.split(':')]
    if len(parts) > 3 or not all(parts):
        raise VlaError(f"task: expected 'kind', 'kind:object' or 'kind:object:target', found {text!r}")
    kind, thing, target = (*parts, None, None)[:3]
    return Task(str(kind), thing, target)


def check_task(task: Task, scene: Scene) -> None:
    """Refuse what cannot be asked in a scene; whether it can be done is ``feasibility``'s question.

    Raises:
        VlaError: an unknown kind, object, target or direction, or an object that cannot be moved.
    """
    if task.kind not in TIME_LIMITS:
        raise VlaError(f'task: expected a kind of {sorted(TIME_LIMITS)}, found {task.kind!r}')
    if task.object is None:
        if task.kind != 'home':
            raise VlaError(f'task: expected the name of an object for {task.kind!r}, found none')
        return
    thing = scene.object(task.object)
    if task.kind in ('pick', 'put', 'push') and thing.is_container:
        raise VlaError(f'task: expected an object that can be moved for {task.kind!r}, found {thing.name!r}')
    if task.kind == 'put' and (task.target is None or not scene.object(task.target).is_container):
        raise VlaError(f"task: expected a target of {list(CONTAINERS)} for 'put', found {task.target!r}")
    if task.kind == 'push' and task.target not in DIRECTIONS:
        raise VlaError(f"task: expected a direction of {list(DIRECTIONS)} for 'push', found {task.target!r}")


def pushed_place(position: DoubleArray, direction: str) -> DoubleArray:
    """Where (2,) an object belongs after a push that finds it at ``position`` (3,)."""
    return np.asarray(position[:2] + PUSH_DISTANCE * np.array(DIRECTIONS[direction]))
