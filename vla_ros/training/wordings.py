"""Sentences for training: drawn from the parts in ``wordings.yaml``, with the noise that typed orders have."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_ros.types import VlaError

AROUND = 0.35
"""Share of sentences with words before, and with words after, what is ordered."""
CHATTY = 0.4
NONSENSE = 0.3
"""Share of sentences of no known task that have no verb of ours at all."""
CONSONANTS = [
    'b',
    'c',
    'ch',
    'd',
    'f',
    'g',
    'h',
    'k',
    'l',
    'm',
    'n',
    'p',
    'r',
    's',
    'sh',
    'st',
    't',
    'th',
    'v',
    'w',
]
VOWELS = ['a', 'e', 'i', 'o', 'u', 'ai', 'ea', 'ee', 'ie', 'oo', 'ou']


@cache
def parts() -> dict[str, Any]:
    """The parts that sentences are made of."""
    return yaml.safe_load((Path(__file__).parent / 'wordings.yaml').read_text(encoding='utf-8'))


def sentence(rng: np.random.Generator, action: str, wanted: str) -> str:
    """An order in free English: ``action`` is a key of the verbs ('touch', 'unknown'), ``wanted`` 'red cube'."""
    named = phrase(rng, wanted)
    template = _choose(rng, parts()['nonsense']) if action == 'unknown' and rng.random() < NONSENSE else ''
    core = (template or _choose(rng, templates(action))).format(object=named)
    words = [core]
    if rng.random() < AROUND:
        words.insert(0, _choose(rng, parts()['before']))
    if rng.random() < AROUND:
        words.append(_choose(rng, parts()['after']))
    return _typed(rng, _chatty(rng, ' '.join(words)), named)


@cache
def templates(action: str) -> list[str]:
    """Every verb of an action in every frame that fits it, with {object}; frames share the verbs evenly."""
    verbs, frames = parts()['verbs'], parts()['frames']
    if action not in verbs:
        raise VlaError(f'action: expected one of {sorted(verbs)}, found {action!r}')
    found = []
    for order, gerund, participle in verbs[action]:
        found += [frame.format(verb=order.format('{object}')) for frame in frames['order']]
        found += [frame.format(verb=gerund.format('{object}')) for frame in frames['gerund']]
        found += [frame.format(object='{object}', verb=order.format('it')) for frame in frames['pronoun']]
        if participle:
            found += [frame.format(object='{object}', verb=participle) for frame in frames['passive']]
    return found


def _chatty(rng: np.random.Generator, text: str) -> str:
    """Now and then words around the order that mean nothing for it, so that no unknown word decides anything."""
    for _ in range(int(rng.integers(1, 6)) if rng.random() < CHATTY else 0):
        word = _choose(rng, parts()['fillers']) if rng.random() < 0.75 else _babble(rng)
        text = f'{word} {text}' if rng.random() < 0.6 else f'{text} {word}'
    return text


def _babble(rng: np.random.Generator) -> str:
    """A word that nobody has read before."""
    syllables = int(rng.integers(1, 4))
    return ''.join(_choose(rng, CONSONANTS) + _choose(rng, VOWELS) for _ in range(syllables)) + _choose(
        rng, CONSONANTS
    )


def phrase(rng: np.random.Generator, wanted: str) -> str:
    """A way to name an object: 'the red cube', 'that scarlet block', 'the cube that is red'."""
    colour, shape = (_choose(rng, parts()['names'].get(word, [word])) for word in wanted.split())
    article = _choose(rng, parts()['articles'])
    if rng.random() < 0.06:
        return f'the {shape} that is {colour}'
    size = _choose(rng, ['small ', 'little ']) if rng.random() < 0.06 else ''
    return f'{article} {size}{colour} {shape}'.strip()


def _typed(rng: np.random.Generator, text: str, named: str) -> str:
    """The same words as a person may type them: punctuation, now and then a slip outside the object's name."""
    if rng.random() < 0.15:
        words = text.split()
        i = int(rng.integers(len(words)))
        if len(words[i]) > 4 and words[i] not in named:
            j = int(rng.integers(1, len(words[i]) - 1))
            words[i] = words[i][:j] + words[i][j + 1 :]
            text = ' '.join(words)
    if rng.random() < 0.3:
        text += _choose(rng, ['.', '!', '.', ' .', '?'])
    return text


def _choose(rng: np.random.Generator, options: list[str]) -> str:
    return options[int(rng.integers(len(options)))]
