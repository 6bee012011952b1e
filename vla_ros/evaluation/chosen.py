"""What a trial is about: objects, targets and directions drawn from a scene, so that the task can be done or cannot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vla_ros.reasoning.subtask import DIRECTIONS
from vla_ros.sim.feasibility import is_feasible
from vla_ros.sim.orders import Task
from vla_ros.sim.scene import COLOURS, Scene
from vla_ros.types import Subtask

TWO_STEPS = 'two_step'
PAIRS = (
    ('put', 'home'),
    ('touch', 'home'),
    ('pick', 'put'),
    ('touch', 'touch'),
    ('push', 'home'),
    ('put', 'touch'),
    ('point', 'pick'),
    ('touch', 'put'),
)
"""Kinds of the steps of orders that have two; what is picked up first is put somewhere then."""
SMALL_SHAPES = ('cube', 'cylinder')


def pair_name(kinds: Sequence[str]) -> str:
    """Under which name the sentences for such an order stand: 'put then home'."""
    return ' then '.join(kinds)


def possible_steps(
    kinds: Sequence[str], scene: Scene, rng: np.random.Generator
) -> tuple[Subtask, ...] | None:
    """Steps of these kinds that can be done in the scene as it stands, each with an object of its own; None without."""
    small = [thing.name for thing in scene.objects if not thing.is_container]
    begin = int(rng.integers(len(small)))
    objects = small[begin:] + small[:begin]
    for first in objects:
        steps: list[Subtask] = []
        for kind in kinds:
            name = (
                first if not steps or tuple(kinds) == ('pick', 'put') else objects[objects.index(first) - 1]
            )
            step = _possible_step(kind, name, scene, rng)
            if step is not None:
                steps.append(step)
        if len(steps) == len(kinds):
            return tuple(steps)
    return None


def _possible_step(kind: str, name: str, scene: Scene, rng: np.random.Generator) -> Subtask | None:
    if kind == 'home':
        return Subtask('home')
    containers = [thing.name for thing in scene.objects if thing.is_container]
    targets = {'put': containers, 'push': list(DIRECTIONS)}.get(kind, [''])
    steps = (Subtask(kind, name, targets[i]) for i in rng.permutation(len(targets)))
    return next((s for s in steps if is_feasible(scene, Task(s.kind, s.object, s.target or None))), None)


def far_object(scene: Scene) -> str:
    """The object that the arm does not get to."""
    return next(o.name for o in scene.objects if not is_feasible(scene, Task('touch', o.name)))


def missing_object(names: Sequence[str], rng: np.random.Generator, *, hard: bool) -> tuple[str, bool]:
    """The name of an object that is not among ``names``, and whether it is a hard one.

    Args:
        names: what is there, each '<colour> <shape>'.
        hard: prefer a colour and a shape that are both there, on different objects.
    """
    colours = {name.split()[0] for name in names}
    shapes = {name.split()[1] for name in names}
    absent = [f'{c} {s}' for c in COLOURS for s in SMALL_SHAPES if f'{c} {s}' not in names]
    near = [name for name in absent if name.split()[0] in colours and name.split()[1] in shapes]
    far = [name for name in absent if name not in near]
    pool = (near or far) if hard else (far or near)
    chosen = pool[int(rng.integers(len(pool)))]
    return chosen, chosen in near
