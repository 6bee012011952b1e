"""Sentences for training: drawn from the parts in ``wordings.yaml`` and ``verbs.yaml``.

They have the noise that typed orders have.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from vla_ros.reasoning.trace import Request
from vla_ros.types import Subtask, VlaError

AROUND = 0.35
"""Share of sentences with words before, and with words after, what is ordered."""
CHATTY = 0.4
WHOLE = 0.3
"""Share of orders that come as whole sentences, if there are any, and not as a verb in a frame."""
NAMELESS = 0.25
"""Share of bowls and plates that are named without their colour, where there is no other one."""
PRONOUN = 0.6
"""Share of second steps with the same object that call it 'it'."""
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
IT = '{object}'


@cache
def parts() -> dict[str, Any]:
    """The parts that sentences are made of."""
    folder = Path(__file__).parent
    files = (folder / name for name in ('wordings.yaml', 'verbs.yaml'))
    return {key: value for file in files for key, value in yaml.safe_load(file.read_text('utf-8')).items()}


def sentence(
    rng: np.random.Generator, request: Request, about: str = 'red cube', present: Sequence[str] = ()
) -> str:
    """An order in free English.

    Args:
        about: the object that is named by an order that cannot be followed, which has none of its own.
        present: what is on the table; a bowl that is the only one need not be named by its colour.
    """
    if request.other:
        core = _other(rng, request.other, about, present)
    elif len(request.steps) == 1:
        core = _filled(rng, _single(rng, request.steps[0].kind), request.steps[0], present)
    else:
        core = _combined(rng, request.steps, present)
    words = [core]
    if rng.random() < AROUND:
        words.insert(0, _choose(rng, parts()['before']))
    if rng.random() < AROUND:
        words.append(_choose(rng, parts()['after']))
    return _typed(rng, _chatty(rng, ' '.join(words)))


def _single(rng: np.random.Generator, kind: str) -> str:
    whole = parts()['sentences'].get(kind, [])
    return str(_choose(rng, whole if whole and rng.random() < WHOLE else templates(kind)))


def _other(rng: np.random.Generator, other: str, about: str, present: Sequence[str]) -> str:
    whole = parts()['sentences'].get(other, [])
    verbs = parts()['verbs']
    if other in verbs and not (whole and rng.random() < WHOLE):
        containers = [name for name in present if name.split()[-1] in parts()['into']] or ['blue bowl']
        return _filled(
            rng, _choose(rng, templates(other)), Subtask(other, about, _choose(rng, containers)), present
        )
    if other == 'nonsense' and rng.random() < WHOLE:
        return ' '.join(_babble(rng) for _ in range(int(rng.integers(1, 6))))
    return str(_choose(rng, whole)).format(object=phrase(rng, about))


def _combined(rng: np.random.Generator, steps: Sequence[Subtask], present: Sequence[str]) -> str:
    first, second = (_choose(rng, [verb[0] for verb in parts()['verbs'][step.kind]]) for step in steps)
    template = _choose(rng, parts()['combinations'])
    said = _filled(rng, first.replace('{}', IT), steps[0], present)
    same = steps[0].object == steps[1].object and template.index('{first}') < template.index('{second}')
    if same and rng.random() < PRONOUN:
        return template.format(first=said, second=_filled(rng, second.replace('{}', 'it'), steps[1], present))
    return template.format(first=said, second=_filled(rng, second.replace('{}', IT), steps[1], present))


def _filled(rng: np.random.Generator, template: str, step: Subtask, present: Sequence[str]) -> str:
    """A template with everything that it leaves open."""
    filling = {'object': phrase(rng, step.object) if step.object else ''}
    shape = step.target.split()[-1] if step.target else ''
    if shape in parts()['into']:
        alone = sum(name.endswith(shape) for name in present) == 1 and any(n == step.target for n in present)
        nameless = ' ' not in step.target or (alone and rng.random() < NAMELESS)
        filling['target'] = (
            f'the {_choose(rng, parts()["names"][shape])}' if nameless else phrase(rng, step.target)
        )
        filling['into'] = _choose(rng, parts()['into'][shape])
    elif step.target:
        filling['direction'] = _choose(rng, parts()['directions'][step.target])
    return template.format(**filling)


@cache
def templates(action: str) -> list[str]:
    """Every verb of an action in every frame that fits it, with {object}; frames share the verbs evenly."""
    verbs, frames = parts()['verbs'], parts()['frames']
    if action not in verbs:
        raise VlaError(f'action: expected one of {sorted(verbs)}, found {action!r}')
    found = []
    for order, gerund, participle in verbs[action]:
        found += [frame.replace('{verb}', order.replace('{}', IT)) for frame in frames['order']]
        if gerund:
            found += [frame.replace('{verb}', gerund.replace('{}', IT)) for frame in frames['gerund']]
        if '{}' in order:
            found += [frame.replace('{verb}', order.replace('{}', 'it')) for frame in frames['pronoun']]
        if participle:
            found += [frame.replace('{verb}', participle) for frame in frames['passive']]
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
    *colours, shape = (_choose(rng, parts()['names'].get(word, [word])) for word in wanted.split())
    article, colour = _choose(rng, parts()['articles']), ' '.join(colours)
    if colour and rng.random() < 0.06:
        return f'the {shape} that is {colour}'
    size = _choose(rng, ['small ', 'little ']) if rng.random() < 0.06 else ''
    return f'{article} {size}{colour} {shape}'.strip()


@cache
def _never_mistyped() -> frozenset[str]:
    """Words that say which object is meant and where it goes to."""
    lists = (*parts()['names'].values(), *parts()['directions'].values(), *parts()['into'].values())
    return frozenset(word for options in lists for option in options for word in option.split())


def _typed(rng: np.random.Generator, text: str) -> str:
    """The same words as a person may type them: punctuation, now and then a slip outside of objects and directions."""
    if rng.random() < 0.15:
        words = text.split()
        i = int(rng.integers(len(words)))
        if len(words[i]) > 4 and words[i] not in _never_mistyped():
            j = int(rng.integers(1, len(words[i]) - 1))
            words[i] = words[i][:j] + words[i][j + 1 :]
            text = ' '.join(words)
    if rng.random() < 0.3:
        text += _choose(rng, ['.', '!', '.', ' .', '?'])
    return text


def _choose(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]
