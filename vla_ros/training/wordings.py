"""Sentences for training: drawn from the parts in ``wordings.yaml``, with the noise that typed orders have."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_ros.types import VlaError


@cache
def parts() -> dict[str, Any]:
    """The parts that sentences are made of."""
    return yaml.safe_load((Path(__file__).parent / 'wordings.yaml').read_text(encoding='utf-8'))


def sentence(rng: np.random.Generator, action: str, wanted: str) -> str:
    """An order in free English: ``action`` is a key of the wordings ('touch', 'unknown'), ``wanted`` 'red cube'."""
    if action not in parts():
        raise VlaError(f'action: expected a key of wordings.yaml, found {action!r}')
    template = _choose(rng, parts()[action])
    named = phrase(rng, wanted)
    words = [_choose(rng, parts()['before']), template.format(object=named), _choose(rng, parts()['after'])]
    text = ' '.join(word for word in words if word)
    return _typed(rng, _chatty(rng, text), named)


def _chatty(rng: np.random.Generator, text: str) -> str:
    """Now and then some words around the order that mean nothing for it, so that no unknown word decides anything."""
    for _ in range(int(rng.integers(1, 5)) if rng.random() < 0.3 else 0):
        word = _choose(rng, parts()['fillers'])
        text = f'{word} {text}' if rng.random() < 0.6 else f'{text} {word}'
    return text


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
