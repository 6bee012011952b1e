"""What a restless person does to a robot for an hour: an endless, seeded stream of orders and switches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np

from vla_ros.evaluation.episodes import missing_object
from vla_ros.evaluation.story import TEMPLATES
from vla_ros.evaluation.wordings import say
from vla_ros.reasoning.orders import Order, ReasoningSettings, order_of
from vla_ros.sim.scene import sample_scene

NONSENSE = (
    'sing me a song',
    'touch',
    'what time is it',
    'do the opposite of what i said before',
    'asdf jkl; 123',
    'red red red red',
    'fass den roten würfel an',
    '请触摸红色方块',
    'go: touch red cube',
)
LETTERS = [chr(code) for code in (*range(0x20, 0x7F), *range(0xC0, 0x100), *range(0x3B1, 0x3CA))]


class Kind(Enum):
    """What the person does."""

    SCENE = 'sets another scene'
    TOUCH = 'asks for an object that is there'
    HURRIED = 'asks, and does not wait for the answer'
    MISSING = 'asks for an object that is not there'
    NONSENSE = 'says something that means nothing'
    LONG = 'says more than is listened to'
    STOP = 'says nothing, which means stop'
    SWITCHES = 'calls stop, reset and enable'
    ENABLE = 'disables and enables'


DECK = {
    Kind.TOUCH: 7,
    Kind.HURRIED: 3,
    Kind.MISSING: 2,
    Kind.NONSENSE: 2,
    Kind.LONG: 1,
    Kind.STOP: 2,
    Kind.SWITCHES: 1,
    Kind.ENABLE: 1,
}
"""How often each kind comes in a scene; shuffled, so that a short run has them all, too."""
FOLLOW = {Kind.TOUCH: (2.0, 6.0), Kind.HURRIED: (0.02, 0.8)}
AFTER = (0.2, 1.0)
"""Simulated seconds, least and most, for which the person watches afterwards; AFTER is that of all other kinds."""


@dataclass(frozen=True)
class Act:
    """One thing that the person does.

    Attributes:
        words: of an order; '' means stop, and for switches there are none.
        follow: simulated seconds until the next act, after the outcome; when hurried, without waiting for one.
        seed: of the scene in which it happens.
    """

    kind: Kind
    words: str
    follow: float
    seed: int

    @property
    def heard(self) -> str:
        """The words as a decision about them repeats them."""
        order = order_of(self.words, ReasoningSettings.max_instruction_length)
        return order.words if isinstance(order, Order) else order.instruction


def acts(seed: int) -> Iterator[Act]:
    """What the person does, without end; the same for the same seed. Scenes are those of ``seed``, ``seed`` + 1 ..."""
    kinds = [kind for kind, count in DECK.items() for _ in range(count)]
    while True:
        rng = np.random.default_rng([seed, 17])
        names = [thing.name for thing in sample_scene(seed).objects]
        yield Act(Kind.SCENE, '', 0.0, seed)
        for index in rng.permutation(len(kinds)):
            kind = kinds[index]
            follow = rng.uniform(*FOLLOW.get(kind, AFTER))
            yield Act(kind, _words(kind, names, rng), float(follow), seed)
        seed += 1


def _words(kind: Kind, names: list[str], rng: np.random.Generator) -> str:
    template = TEMPLATES[rng.integers(len(TEMPLATES))]
    if kind in (Kind.TOUCH, Kind.HURRIED):
        return say(template, names[rng.integers(len(names))])
    if kind is Kind.MISSING:
        return say(template, missing_object(names, rng, hard=bool(rng.integers(2)))[0])
    if kind is Kind.NONSENSE:
        letters = ''.join(rng.choice(LETTERS, 12)).strip() or '?'
        return str(rng.choice([*NONSENSE, letters]))
    if kind is Kind.LONG:
        sentence = f'{say(template, names[0])} and '
        return sentence * (1 + ReasoningSettings.max_instruction_length // len(sentence))
    return ''
