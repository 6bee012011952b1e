"""What the arm can do, in words: written into the chain of thought and read back from it."""

from __future__ import annotations

import re

from vla_ros.types import Subtask

DIRECTIONS = ('left', 'right', 'forward', 'back')
"""The robot's own: forward is away from its base, left is its left hand, which who faces it sees on the right."""
CONTAINERS = ('bowl', 'plate')
"""Last words of the names that something can be put in or on; they stand still."""
PLACES = {'touch': 1, 'point': 1, 'pick': 1, 'put': 2, 'push': 2, 'home': 0}
"""How many places a thought about each kind of subtask names: the object's, and where it goes to."""

_OBJECT = r'(?P<object>[a-z]+(?: [a-z]+)*?)'
_FORMS = {
    'touch': rf'touch {_OBJECT}',
    'point': rf'point at {_OBJECT}',
    'pick': rf'pick up {_OBJECT}',
    'put': rf'put {_OBJECT} (?:in|on) (?P<target>[a-z]+(?: [a-z]+)?)',
    'push': rf'push {_OBJECT} (?P<target>{"|".join(DIRECTIONS)})',
    'home': 'go home',
}


def in_words(subtask: Subtask) -> str:
    """'put red cube in blue bowl'; the same words for the same subtask, always."""
    name, target = subtask.object, subtask.target
    return {
        'touch': f'touch {name}',
        'point': f'point at {name}',
        'pick': f'pick up {name}',
        'put': f'put {name} {preposition(target)} {target}',
        'push': f'push {name} {target}',
        'home': 'go home',
    }[subtask.kind]


def from_words(words: str) -> Subtask | None:
    """The subtask that ``in_words`` says so; None if it says none."""
    for kind, form in _FORMS.items():
        match = re.fullmatch(form, words)
        if match is not None:
            found = match.groupdict()
            return Subtask(kind, found.get('object') or '', found.get('target') or '')
    return None


def preposition(target: str) -> str:
    """'in' a bowl, 'on' a plate."""
    return 'on' if target.endswith('plate') else 'in'


def is_container(name: str) -> bool:
    """Whether it is a bowl or a plate."""
    return name.endswith(CONTAINERS)
