"""Demonstrations of the scripted expert: what the cameras see, where the joints are, what the expert does next.

Half of the episodes start near the rest pose and half anywhere over the table; each has two orders one after the
other, so that the arm also learns to leave one object for another. In most of them the joint targets are disturbed
now and then for a moment while the expert is asked what it would do undisturbed (DART, arXiv 1703.09327), so the data
shows recoveries. Disturbed all the time the expert, whose targets lead the arm by a step only, gets nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from vla_ros.reasoning.subtask import is_container
from vla_ros.reasoning.trace import Request, Sighting
from vla_ros.sim.cameras import Camera
from vla_ros.sim.expert import PERIOD, Expert
from vla_ros.sim.feasibility import is_feasible
from vla_ros.sim.foresight import Foresight
from vla_ros.sim.layouts import as_it_stands
from vla_ros.sim.orders import TIME_LIMITS, Task, pushed_place
from vla_ros.sim.poses import random_pose
from vla_ros.sim.sequence import fingers_are_free
from vla_ros.sim.tasks import Referee
from vla_ros.sim.world import World
from vla_ros.training.labels import in_image, truth_of
from vla_ros.training.lessons import Lessons, LessonWriter, collect, joined
from vla_ros.training.requests import draw_request, drawn_kind
from vla_ros.training.scenes import training_scene
from vla_ros.training.snapshots import CAMERAS, shrink
from vla_ros.types import DoubleArray, Subtask, VlaError

HORIZON = 16
"""Targets in a chunk."""
ORDERS = 2
"""Orders an episode."""
LOOK_EVERY = 5
HOLD_STEPS = 10
"""Steps recorded after the order was done: staying is a part of touching."""
DISTURBED = 0.7
"""Share of episodes with disturbances."""
DISTURBANCE, WHILE_PUSHING = 0.04, 0.015
"""Standard deviation in rad of the joint targets during a disturbance. What is pushed is easily knocked over."""
DISTURBANCE_STEPS, CALM_STEPS = 6, 30
"""Mean length of a disturbance and of the calm between two, in control steps."""
MEMORY = 0.85
"""Share of a disturbance that is left one step later."""
TRIES = 30
"""Orders that are drawn until one can be followed."""


def collect_demonstrations(
    path: Path, count: int, first_seed: int, size: int, workers: int, shares: Mapping[str, float]
) -> None:
    """Orders in each of ``count`` random scenes, the kinds of them in the given shares, written to ``path``."""
    seeds = range(first_seed, first_seed + count)
    with LessonWriter(path) as writer:
        for lessons in collect(partial(_episode, size=size, shares=shares), seeds, workers, 'demonstrations'):
            writer.add(lessons)


def task_of(step: Subtask) -> Task:
    """The simulator's word for a subtask."""
    return Task(step.kind, step.object or None, step.target or None)


def possible_request(rng: np.random.Generator, world: World, shares: Mapping[str, float]) -> Request | None:
    """An order that can be followed from here, or None if none was found.

    What the hand holds goes into a bowl or onto a plate; what lies there stays there.
    """
    scene, held = as_it_stands(world), sorted(world.held())
    seen = [s for s in _on_the_table(world) if not held or s.name in held or is_container(s.name)]
    for _ in range(TRIES):
        kind = 'put' if held else drawn_kind(rng, shares)
        try:
            request = draw_request(rng, kind, seen, possible=True)
            if all(is_feasible(scene, task_of(step)) for step in request.steps):
                return request
        except VlaError:
            continue  # it names what is not there
    return None


def _episode(seed: int, size: int, shares: Mapping[str, float]) -> Lessons:
    return played(seed, shares, partial(Notebook, size=size)).written()


def played(
    seed: int, shares: Mapping[str, float], watch: Callable[[World], AnyWitness], disturbed: float = DISTURBED
) -> AnyWitness:
    """Let the expert do the orders in the scene of a seed.

    Args:
        watch: makes the witness of what is done in a world.
        disturbed: share of episodes with disturbances.
    """
    rng = np.random.default_rng([seed, 3])
    first = drawn_kind(rng, shares)
    wanted = (('bowl',), ('plate',), ('bowl', 'plate'))[int(rng.integers(3))]
    scene = training_scene(seed, 2, wanted if first == 'put' or rng.random() < 0.2 else None)
    world = World(scene, rng)
    if rng.random() < 0.5:
        random_pose(rng, world)
    disturbance = Disturbance(rng, float(rng.random() < disturbed))
    witness, step = watch(world), 0
    for number in range(ORDERS):
        request = possible_request(rng, world, shares if number else {first: 1.0})
        if request is None:
            break
        step = _follow(world, request, witness, disturbance, step, seed * ORDERS + number)
    return witness


def _follow(
    world: World,
    request: Request,
    witness: Witness,
    disturbance: Disturbance,
    begin: int,
    order: int,
) -> int:
    """Do one order and stay for a while, or give up after some time; returns the step at its end."""
    step, done_all = begin, False
    for done, subtask in enumerate(request.steps):
        task = task_of(subtask)
        if not is_feasible(as_it_stands(world), task):
            break
        last = done == len(request.steps) - 1
        witness.begin(request, done)
        expert, referee, rest = Expert(world, task), None, HOLD_STEPS if last else 0
        spread = WHILE_PUSHING if task.kind == 'push' else DISTURBANCE
        for count in range(round(TIME_LIMITS[task.kind] / PERIOD)):
            if count % LOOK_EVERY == 0:
                witness.look(step, order)
            target = expert.action()
            target = target + spread * disturbance.next(len(target))
            witness.command(target)
            start = world.command
            for i in range(1, 11):
                world.step(start + (target - start) * i / 10)
                # The last order may have left the fingers on its object: the referee begins when they are free.
                if referee is None and fingers_are_free(world, task):
                    referee = Referee(world, task)
                if referee:
                    referee.update()
            step += 1
            succeeded = bool(referee and referee.success)
            if (succeeded and not rest) or (referee and referee.failure):
                break
            rest -= succeeded
        if not (referee and referee.success):
            break
        done_all = last
    witness.end(done_all)
    return step


class Witness(Protocol):
    """Looks on while orders are followed."""

    def begin(self, request: Request, done: int) -> None:
        """From now on this order is followed, of which ``done`` steps are done."""
        ...

    def look(self, step: int, order: int) -> None:
        """It is time for a look: every so many control steps of the scene."""
        ...

    def command(self, target: DoubleArray) -> None:
        """These joint targets (J,) rad are followed now, for one control step."""
        ...

    def end(self, done: bool) -> None:
        """The order is over, and ``done`` or given up."""
        ...


AnyWitness = TypeVar('AnyWitness', bound=Witness)


class Disturbance:
    """Pushes joint targets about for a moment now and then, smoothly."""

    def __init__(self, rng: np.random.Generator, spread: float = 1.0) -> None:
        """``spread`` is the standard deviation while it lasts; 0 never disturbs."""
        self._rng, self._spread, self._lasts = rng, spread, False
        self._value: DoubleArray = np.zeros(1)

    def next(self, joints: int) -> DoubleArray:
        """What to add to the next target (J,), in the unit of the spread."""
        ends = self._rng.random() < 1 / (DISTURBANCE_STEPS if self._lasts else CALM_STEPS)
        self._lasts = self._lasts != ends
        fresh = self._rng.normal(0, self._spread * np.sqrt(1 - MEMORY**2), joints)
        self._value = MEMORY * self._value + fresh if self._lasts else np.zeros(joints)
        return self._value


class Notebook:
    """Writes down looks at one world, each with the order that is followed and how far it has come."""

    def __init__(self, world: World, size: int) -> None:
        """``size`` is that of the images in pixels, as the model sees them."""
        self._world, self._size = world, size
        self._cameras = [
            Camera(world.model, name, *shape, scene=world.scene) for name, shape in CAMERAS.items()
        ]
        self._looks: list[Lessons] = []

    def begin(self, request: Request, done: int) -> None:
        """From now on this order is followed, of which ``done`` steps are done."""
        self._request, self._done, self._step = request, done, request.steps[done]
        self._foresight = Foresight(self._world, task_of(self._step))
        self._goal: DoubleArray | None = None
        if self._step.kind == 'push':
            position = self._world.object_position(self._step.object)
            self._goal = np.array([*pushed_place(position, self._step.target), position[2]])

    def look(self, step: int, order: int) -> None:
        """Add what the cameras see now and what the expert would do."""
        images = [shrink(camera.render(self._world.data), self._size) for camera in self._cameras]
        joints, chunk = self._world.joints(), self._foresight.targets(HORIZON)
        # The hand may cover the object that it was sent to: it is still there.
        names = {name for s in self._request.steps for name in (s.object, s.target)}
        front = self._cameras[0]
        goal = (
            np.full(2, np.nan) if self._goal is None else in_image(self._world, front, self._goal[None])[0][0]
        )
        self._looks.append(
            Lessons.one(
                images=np.stack(images),
                truth=truth_of(self._world, front, names),
                joints=joints.positions,
                velocities=joints.velocities,
                chunk=chunk,
                request=self._request,
                done=self._done,
                goal=goal,
                step=step,
                order=order,
            )
        )

    def command(self, target: DoubleArray) -> None:
        """What is followed is not written down, but what would be right."""

    def end(self, done: bool) -> None:
        """Looks are lessons whatever comes of the order."""

    def written(self) -> Lessons:
        """Everything so far."""
        return joined(self._looks)


def _on_the_table(world: World) -> list[Sighting]:
    """The objects that can be asked for, their places left open: all but those that lie in a bowl or on a plate."""
    containers = [thing.name for thing in world.scene.objects if thing.is_container]
    scene = as_it_stands(world)
    return [
        Sighting(thing.name, 0.5, 0.5, is_feasible(scene, Task('touch', thing.name)))
        for thing in scene.objects
        if thing.is_container or not any(world.inside(thing.name, container) for container in containers)
    ]
