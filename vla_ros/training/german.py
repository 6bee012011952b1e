"""The same orders in German: what adapters learn as an example, from the words of a trace."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

COLOURS = {
    'red': 'rot',
    'green': 'grün',
    'blue': 'blau',
    'yellow': 'gelb',
    'orange': 'orangefarben',
    'purple': 'lila',
}
SHAPES = {'cube': 'Würfel', 'cylinder': 'Zylinder', 'bowl': 'Schüssel', 'plate': 'Teller'}
FEMININE = ('bowl',)
DIRECTIONS = {'left': 'nach links', 'right': 'nach rechts', 'forward': 'nach vorne', 'back': 'nach hinten'}

# Each form of a step in the words of a trace, and German sentences for it.
FORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r'touch (?P<object>\w+ \w+)', ('berühre {object}', 'fass {object} an', 'tippe {object} an')),
    (r'point at (?P<object>\w+ \w+)', ('zeige auf {object}', 'deute auf {object}')),
    (r'pick up (?P<object>\w+ \w+)', ('hebe {object} hoch', 'nimm {object}')),
    (
        r'put (?P<object>\w+ \w+) in (?P<target>\w+ \w+)',
        ('lege {object} in {target}', 'tu {object} in {target}'),
    ),
    (
        r'put (?P<object>\w+ \w+) on (?P<target>\w+ \w+)',
        ('lege {object} auf {target}', 'stell {object} auf {target}'),
    ),
    (r'push (?P<object>\w+ \w+) (?P<way>\w+)', ('schiebe {object} {way}', 'schieb mal {object} {way}')),
    (r'go home', ('fahr in die ruhestellung', 'geh nach hause')),
)
AROUND = ('{0}', '{0}', 'bitte {0}', '{0} bitte', 'jetzt {0}', 'hallo roboter, {0}')


def in_german(rng: np.random.Generator, trace: str) -> str | None:
    """A German sentence for what a trace says was asked; None where it was nothing that has a form here."""
    asked = re.search(r' asked: ([a-z, ]+)\.', trace)
    steps = [_step(rng, step) for step in asked[1].split(', then ')] if asked else [None]
    known = [step for step in steps if step is not None]
    if len(known) < len(steps):
        return None
    return _pick(rng, AROUND).format(', dann '.join(known))


def _step(rng: np.random.Generator, words: str) -> str | None:
    for form, sentences in FORMS:
        match = re.fullmatch(form, words)
        if match is not None:
            found = {
                key: DIRECTIONS[value] if key == 'way' else thing(value)
                for key, value in match.groupdict().items()
            }
            return _pick(rng, sentences).format(**found)
    return None


def thing(name: str) -> str:
    """'den roten Würfel' of 'red cube', in the accusative."""
    colour, shape = name.split()
    feminine = shape in FEMININE
    ending = '' if colour == 'purple' else 'e' if feminine else 'en'
    return f'{"die" if feminine else "den"} {COLOURS[colour]}{ending} {SHAPES[shape]}'


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]
