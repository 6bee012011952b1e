"""What the demonstration asks for: one scene, four orders, one of them impossible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_ros.evaluation.chosen import missing_object
from vla_ros.evaluation.segments import Ending
from vla_ros.evaluation.wordings import say
from vla_ros.sim.scene import Scene, sample_scene
from vla_ros.types import VlaError

STORY_SEED = 1_000_000
TEMPLATES = (
    'touch the {object}',
    'could you tap the {object} for me',
    'please put a finger on the {object}',
    'reach over and touch the {object}',
)
IMPOSSIBLE = 2
"""Which of the four orders names an object that is not there."""


@dataclass(frozen=True)
class Order:
    """One order: the words, the object they name, and how it should end."""

    words: str
    wanted: str
    expected: Ending


@dataclass(frozen=True)
class Story:
    """A scene and the orders that are given in it."""

    seed: int
    orders: tuple[Order, ...]

    def scene(self) -> Scene:
        """What stands on the table."""
        return sample_scene(self.seed)


def make_story(seed: int = STORY_SEED) -> Story:
    """Three orders for objects of the scene and one for an object whose colour and shape are there, but apart.

    Raises:
        VlaError: a negative seed.
    """
    if seed < 0:
        raise VlaError(f'seed: expected at least 0, found {seed}')
    names = [thing.name for thing in sample_scene(seed).objects]
    rng = np.random.default_rng([seed, 3])
    missing, _ = missing_object(names, rng, hard=True)
    present = [names[i % len(names)] for i in rng.permutation(max(len(names), len(TEMPLATES) - 1))]
    orders = []
    for index, template in enumerate(TEMPLATES):
        if index == IMPOSSIBLE:
            orders.append(Order(say(template, missing), missing, Ending.REFUSED))
        else:
            wanted = present.pop(0)
            orders.append(Order(say(template, wanted), wanted, Ending.DONE))
    return Story(seed, tuple(orders))
