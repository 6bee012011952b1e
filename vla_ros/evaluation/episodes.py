"""The list of trials: which scene, which words, what the right outcome is. One seed, one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.evaluation.wordings import say, templates_of
from vla_ros.sim.scene import COLOURS, Scene, sample_scene
from vla_ros.types import VlaError

TASKS = ('touch', 'no_such_object')
FIRST_HELD_OUT_SEED = 1_000_000

SMALL_SHAPES = ('cube', 'cylinder')


@dataclass(frozen=True)
class Episode:
    """One trial.

    Attributes:
        index: position in the list.
        seed: of the scene.
        task: 'touch' or 'no_such_object'.
        wanted: the object that the words name.
        instruction: the words.
        hard: for a missing object: its colour and its shape are both there, on other objects.
    """

    index: int
    seed: int
    task: str
    wanted: str
    instruction: str
    hard: bool = False

    def scene(self) -> Scene:
        """What stands on the table."""
        return sample_scene(self.seed)


def list_episodes(task: str, count: int, seed: int, wordings: dict[str, tuple[str, ...]]) -> list[Episode]:
    """``count`` episodes of a task; episode i plays in the scene of seed ``seed + i``.

    Templates take turns, in an order drawn from the seed, so that every wording is asked equally often.

    Raises:
        VlaError: an unknown task, no episodes, or a negative seed.
    """
    if task not in TASKS:
        raise VlaError(f'task: expected one of {list(TASKS)}, found {task!r}')
    if count < 1:
        raise VlaError(f'episodes: expected at least 1, found {count}')
    if seed < 0:
        raise VlaError(f'seed: expected at least 0, found {seed}')
    templates = templates_of(wordings, task)
    order = np.random.default_rng([seed, len(templates)]).permutation(len(templates))
    episodes: list[Episode] = []
    for index in range(count):
        # Half of the missing objects are hard: a scene that allows none is made up for by the next that does.
        hard = 2 * sum(episode.hard for episode in episodes) <= index
        template = templates[order[index % len(templates)]]
        episodes.append(_episode(task, index, seed + index, template, hard))
    return episodes


def _episode(task: str, index: int, seed: int, template: str, hard: bool) -> Episode:
    rng = np.random.default_rng([seed, 7])
    names = [thing.name for thing in sample_scene(seed).objects]
    if task == 'touch':
        wanted = names[int(rng.integers(len(names)))]
        return Episode(index, seed, task, wanted, say(template, wanted))
    wanted, hard = missing_object(names, rng, hard=hard)
    return Episode(index, seed, task, wanted, say(template, wanted), hard)


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
