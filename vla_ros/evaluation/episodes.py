"""The list of trials: which scene, which words, what the right outcome is. One seed, one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.evaluation.chosen import (
    PAIRS,
    TWO_STEPS,
    far_object,
    missing_object,
    pair_name,
    possible_steps,
)
from vla_ros.evaluation.wordings import say, templates_of
from vla_ros.sim.layouts import CONTAINERS, FAR, OBJECTS, laid_out
from vla_ros.sim.orders import Task
from vla_ros.sim.scene import Scene
from vla_ros.types import Subtask, VlaError

TO_REFUSE: dict[str, tuple[str, ...]] = {
    'no_such_object': ('there is no',),
    'out_of_reach': ('out of reach',),
    'unsafe': ('not safe',),
    'nonsense': ('understand', 'no job', 'do not know'),
}
"""Tasks that must be refused, and what the reason must have in it to be the true one."""
TASKS = ('touch', 'point', 'pick', 'put', 'push', 'home', TWO_STEPS, *TO_REFUSE)
ALL = 'all'
FIRST_HELD_OUT_SEED = 1_000_000
LAYOUT_OF = {'put': CONTAINERS, TWO_STEPS: CONTAINERS, 'out_of_reach': FAR}


@dataclass(frozen=True)
class Episode:
    """One trial.

    Attributes:
        index: position in the list.
        seed: of the scene.
        task: one of TASKS.
        wanted: the object that the words name first, '' if they name none.
        instruction: the words.
        hard: for a missing object: its colour and its shape are both there, on other objects.
        steps: what has to be done; touching the wanted object if it is left out.
    """

    index: int
    seed: int
    task: str
    wanted: str
    instruction: str
    hard: bool = False
    steps: tuple[Subtask, ...] = ()

    @property
    def impossible(self) -> bool:
        """Whether the words must be refused."""
        return self.task in TO_REFUSE

    @property
    def layout(self) -> str:
        """What kinds of things stand on the table."""
        return LAYOUT_OF.get(self.task, OBJECTS)

    @property
    def away(self) -> bool:
        """Whether the arm begins away from its rest pose: an arm at home need not go there."""
        return self.task == 'home'

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What the referee judges; nothing where the words must be refused."""
        return tuple(Task(step.kind, step.object or None, step.target or None) for step in self.meant)

    @property
    def meant(self) -> tuple[Subtask, ...]:
        """What has to be done; nothing where the words must be refused."""
        if self.impossible:
            return ()
        return self.steps or (Subtask('touch', self.wanted),)

    def scene(self) -> Scene:
        """What stands on the table."""
        return laid_out(self.seed, self.layout)


def chosen_tasks(task: str) -> tuple[str, ...]:
    """The tasks that a name stands for: itself, or all of them.

    Raises:
        VlaError: an unknown task.
    """
    if task != ALL and task not in TASKS:
        raise VlaError(f'task: expected one of {[*TASKS, ALL]}, found {task!r}')
    return TASKS if task == ALL else (task,)


def list_episodes(task: str, count: int, seed: int, wordings: dict[str, tuple[str, ...]]) -> list[Episode]:
    """``count`` episodes of a task; episode i plays in the scene of seed ``seed + i``.

    Templates take turns, in an order drawn from the seed, so that every wording is asked equally often. Where a scene
    has no room for the task, another one is taken from behind the others.

    Raises:
        VlaError: an unknown task, no episodes, a negative seed, or no words for the task.
    """
    if task not in TASKS:
        raise VlaError(f'task: expected one of {list(TASKS)}, found {task!r}')
    if count < 1:
        raise VlaError(f'episodes: expected at least 1, found {count}')
    if seed < 0:
        raise VlaError(f'seed: expected at least 0, found {seed}')
    pairs = [pair for pair in PAIRS if pair_name(pair) in wordings] if task == TWO_STEPS else []
    if task == TWO_STEPS and not pairs:
        names = [pair_name(pair) for pair in PAIRS]
        raise VlaError(f'wordings: expected sentences for some of {names}, found only {sorted(wordings)}')
    episodes: list[Episode] = []
    spare = seed + count
    for index in range(count):
        pair = pairs[index % len(pairs)] if pairs else (task,)
        templates = templates_of(wordings, pair_name(pair) if pairs else task)
        turn = index // len(pairs) if pairs else index
        order = np.random.default_rng([seed, len(templates)]).permutation(len(templates))
        template = templates[order[turn % len(templates)]]
        # Half of the missing objects are hard: a scene that allows none is made up for by the next that does.
        hard = 2 * sum(episode.hard for episode in episodes) <= index
        scene = seed + index
        while (episode := _episode(task, pair, index, scene, template, hard)) is None:
            scene, spare = spare, spare + 1
        episodes.append(episode)
    return episodes


def _episode(
    task: str, pair: Sequence[str], index: int, seed: int, template: str, hard: bool
) -> Episode | None:
    """The episode, or None where the scene has no room for it."""
    rng = np.random.default_rng([seed, 7])
    scene = laid_out(seed, LAYOUT_OF.get(task, OBJECTS))
    names = [thing.name for thing in scene.objects]
    if task == 'no_such_object':
        wanted, hard = missing_object(names, rng, hard=hard)
        return Episode(index, seed, task, wanted, say(template, wanted), hard)
    if task == 'out_of_reach':
        wanted = far_object(scene)
        return Episode(index, seed, task, wanted, say(template, wanted))
    if task in TO_REFUSE:
        wanted = names[int(rng.integers(len(names)))]
        return Episode(index, seed, task, wanted, say(template, wanted))
    steps = possible_steps(pair, scene, rng)
    if steps is None:
        return None
    first, last = steps[0], steps[-1]
    target = first.target or last.target
    words = say(template, first.object, target, last.object)
    return Episode(index, seed, task, first.object, words, steps=steps)
