"""DAgger (arXiv 1011.0686): the learner acts, and the expert says at each look what it would have done from there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from vla_ros.evaluation.brain import Brain, load_brain
from vla_ros.evaluation.closed_loop import ClosedLoop
from vla_ros.reasoning.trace import Request
from vla_ros.sim.expert import PERIOD
from vla_ros.sim.model import TIME_STEP
from vla_ros.sim.poses import random_pose
from vla_ros.sim.sequence import SequenceReferee
from vla_ros.sim.world import World
from vla_ros.training.demonstrations import (
    HOLD_STEPS,
    LOOK_EVERY,
    ORDERS,
    Notebook,
    possible_request,
    task_of,
)
from vla_ros.training.lessons import Lessons, LessonWriter, collect
from vla_ros.training.requests import drawn_kind
from vla_ros.training.scenes import training_scene
from vla_ros.training.wordings import sentence
from vla_ros.types import VlaError

STEPS = round(PERIOD / TIME_STEP)
"""Physics steps a control step."""
PATIENCE = 40
"""Control steps for which the arm may stand still, because it refused or is stuck, before the episode ends."""
ELSEWHERE = 0.3
"""Share of episodes that begin with the arm anywhere over the table."""

_brain: Brain | None = None  # of this worker process


def collect_rollouts(
    path: Path,
    bundle: Path,
    count: int,
    first_seed: int,
    size: int,
    workers: int,
    shares: Mapping[str, float],
) -> None:
    """One order in each of ``count`` random scenes, carried out by the model in ``bundle``, added to ``path``."""
    seeds = range(first_seed, first_seed + count)
    episode = partial(_episode, bundle=bundle, size=size, shares=shares)
    with LessonWriter(path, go_on=True) as writer:
        for lessons in collect(episode, seeds, workers, 'rollouts'):
            writer.add(lessons)


def scene_of(order: int) -> int:
    """The seed of the scene that an order was given in."""
    return order // ORDERS


def _episode(seed: int, bundle: Path, size: int, shares: Mapping[str, float]) -> Lessons:
    global _brain
    if _brain is None:
        _brain = load_brain(bundle)
    rng = np.random.default_rng([seed, 5])
    kind = drawn_kind(rng, shares)
    wanted = (('bowl',), ('plate',), ('bowl', 'plate'))[int(rng.integers(3))]
    scene = training_scene(seed, 2, wanted if kind == 'put' else None)
    world = World(scene, rng)
    if rng.random() < ELSEWHERE:
        random_pose(rng, world)
    request = possible_request(rng, world, {kind: 1.0}) or possible_request(rng, world, {'touch': 1.0})
    if request is None:
        raise VlaError(f'scene {seed}: expected something that can be asked for, found nothing')
    loop = ClosedLoop(world, _brain, sentence(rng, request, present=[thing.name for thing in scene.objects]))
    return _watch(world, loop, request, Notebook(world, size), order=ORDERS * seed)


def _watch(world: World, loop: ClosedLoop, request: Request, notebook: Notebook, order: int) -> Lessons:
    """Look on until the order is done or lost, the time is up, or nothing moves any more."""
    referee = SequenceReferee(world, [task_of(step) for step in request.steps])
    still, rest, step = 0, HOLD_STEPS, 0
    now = -1
    while not referee.failure and rest and still < PATIENCE:
        fresh = referee.step != now
        if fresh:
            now = referee.step
            notebook.begin(request, now)
        if fresh or step % LOOK_EVERY == 0:
            notebook.look(step, order)
        before = world.joints().positions
        for _ in range(STEPS):
            loop.step()
            referee.update()
        moved = float(np.abs(world.joints().positions - before).max())
        still = still + 1 if moved < 0.002 else 0
        rest -= referee.success
        step += 1
    return notebook.written()
