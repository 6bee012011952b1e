"""DAgger (arXiv 1011.0686): the learner acts, and the expert says at each look what it would have done from there."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from vla_ros.evaluation.brain import Brain, load_brain
from vla_ros.evaluation.closed_loop import ClosedLoop
from vla_ros.sim.expert import PERIOD
from vla_ros.sim.foresight import Foresight
from vla_ros.sim.model import TIME_STEP
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Referee, Task
from vla_ros.sim.world import World
from vla_ros.training.demonstrations import HOLD_STEPS, LOOK_EVERY, Demonstrations, Notebook, collect
from vla_ros.training.snapshots import random_pose
from vla_ros.training.wordings import sentence

STEPS = round(PERIOD / TIME_STEP)
"""Physics steps a control step."""
PATIENCE = 40
"""Control steps for which the arm may stand still, because it refused or is stuck, before the episode ends."""
ELSEWHERE = 0.3
"""Share of episodes that begin with the arm anywhere over the table."""

ORDERS = 2
"""Numbers of orders that each scene has, as in the demonstrations."""

_brain: Brain | None = None  # of this worker process


def collect_rollouts(bundle: Path, count: int, first_seed: int, size: int, workers: int) -> Demonstrations:
    """One order in each of ``count`` random scenes, carried out by the model in ``bundle``."""
    seeds = range(first_seed, first_seed + count)
    return collect(partial(_episode, bundle=bundle, size=size), seeds, workers, 'rollouts')


def scene_of(order: int) -> int:
    """The seed of the scene that an order was given in."""
    return order // ORDERS


def _episode(seed: int, bundle: Path, size: int) -> Demonstrations:
    global _brain
    if _brain is None:
        _brain = load_brain(bundle)
    scene = sample_scene(seed)
    rng = np.random.default_rng([seed, 5])
    world = World(scene, rng)
    if rng.random() < ELSEWHERE:
        world.set_joints(random_pose(rng, world))
    task = Task('touch', scene.objects[int(rng.integers(len(scene.objects)))].name)
    assert task.object is not None
    loop = ClosedLoop(world, _brain, sentence(rng, 'touch', task.object))
    return _watch(world, loop, task, Notebook(world, size), order=ORDERS * seed)


def _watch(world: World, loop: ClosedLoop, task: Task, notebook: Notebook, order: int) -> Demonstrations:
    """Look on until the order is done or lost, the time is up, or nothing moves any more."""
    foresight, referee = Foresight(world, task), Referee(world, task)
    still, rest, step = 0, HOLD_STEPS, 0
    while not referee.failure and rest and still < PATIENCE:
        if step % LOOK_EVERY == 0:
            notebook.look(task, foresight, step, order)
        before = world.joints().positions
        for _ in range(STEPS):
            loop.step()
            referee.update()
        moved = float(np.abs(world.joints().positions - before).max())
        still = still + 1 if moved < 0.002 else 0
        rest -= referee.success
        step += 1
    return notebook.written()
