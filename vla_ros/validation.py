"""What pydantic finds wrong, as one sentence for a person."""

from __future__ import annotations

from pydantic import ValidationError

SHOWN = 80  # characters of what was found


def first_problem(error: ValidationError, whole: str = 'manifest') -> str:
    """The first thing that is wrong: its key, what was expected and what was found; ``whole`` is the key of it all."""
    problem = error.errors()[0]
    key = '.'.join(str(part) for part in problem['loc']) or whole
    found = problem.get('input')
    shown = '' if isinstance(found, (dict, list)) else f', found {short(repr(found))}'
    more = f' (and {error.error_count() - 1} more)' if error.error_count() > 1 else ''
    sentence = problem['msg'].removeprefix('Value error, ')
    return f'{short(key)}: {sentence}{shown}{more}'


def short(text: str) -> str:
    """One line of it that is not too long to read."""
    line = ''.join(c if c.isprintable() else '?' for c in text)
    return line if len(line) <= SHOWN else f'{line[:SHOWN]}...'
