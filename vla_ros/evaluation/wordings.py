"""The sentences that success is measured with: YAML, task -> list of templates with the fields of ``FIELDS``.

Orders of two steps stand under the names of their kinds: 'put then home', 'touch then touch'.
"""

from __future__ import annotations

import string
from pathlib import Path

from vla_ros.reasoning.subtask import preposition
from vla_ros.strict_yaml import read_yaml
from vla_ros.types import VlaError

HELD_OUT = Path(__file__).parent / 'wordings.yaml'
HELD_OUT_TASKS = Path(__file__).parent / 'wordings_tasks.yaml'
"""Our own held-out wordings; training never reads them. The second file has those of the tasks beside touching."""

FIELDS = {'object', 'target', 'direction', 'other', 'into'}
"""The object; the bowl or plate; left, right, forward or back; the second step's object; 'in' or 'on' the target."""
LARGEST_FILE = 1_000_000  # bytes

# A task that has no sentences of its own in the file borrows those of another: what differs is the scene.
BORROWS = {'no_such_object': 'touch', 'out_of_reach': 'touch'}


def held_out_wordings() -> dict[str, tuple[str, ...]]:
    """All of our held-out wordings.

    Raises:
        VlaError: as ``load_wordings``, or a task that stands in both files.
    """
    found = load_wordings(HELD_OUT)
    more = load_wordings(HELD_OUT_TASKS)
    if twice := sorted(set(found) & set(more)):
        raise VlaError(f'{HELD_OUT_TASKS}: expected other tasks than {HELD_OUT.name} has, found {twice}')
    return found | more


def load_wordings(path: Path) -> dict[str, tuple[str, ...]]:
    """Read and check a wordings file.

    Raises:
        VlaError: no file, not YAML, not task -> sentences, or a field that is not in FIELDS.
    """
    if not path.is_file():
        raise VlaError(
            f'{path} is missing; wordings are a YAML file: task -> list of templates with {{object}}'
        )
    content = read_yaml(path, LARGEST_FILE)
    if not isinstance(content, dict) or not content:
        raise VlaError(
            f'{path}: expected a mapping task -> list of templates, found {type(content).__name__}'
        )
    return {str(task): _templates(path, str(task), entry) for task, entry in content.items()}


def templates_of(wordings: dict[str, tuple[str, ...]], task: str) -> tuple[str, ...]:
    """The templates of a task, borrowed if it has none of its own."""
    for key in (task, BORROWS.get(task, task)):
        if key in wordings:
            return wordings[key]
    raise VlaError(f'wordings: expected sentences for the task {task!r}, found only {sorted(wordings)}')


def say(template: str, wanted: str, target: str = '', other: str = '') -> str:
    """The sentence with its objects named: ``say('tap the {object}', 'red cube')``.

    ``target`` is a bowl, a plate or a direction; ``other`` the object of the second step.
    """
    return template.format(
        object=wanted, target=target, direction=target, other=other, into=preposition(target)
    )


def _templates(path: Path, task: str, entry: object) -> tuple[str, ...]:
    if (
        not isinstance(entry, list)
        or not entry
        or not all(isinstance(line, str) and line.strip() for line in entry)
    ):
        raise VlaError(f'{path}: {task}: expected a list of sentences, found {entry!r}')
    for line in entry:
        try:
            fields = {name for _, name, _, _ in string.Formatter().parse(line) if name is not None}
        except ValueError as error:
            raise VlaError(f'{path}: {task}: {line!r} is not a template: {error}') from error
        if fields - FIELDS:
            strange = sorted(fields - FIELDS)
            known = ' or '.join(f'{{{field}}}' for field in sorted(FIELDS))
            raise VlaError(f'{path}: {task}: {line!r}: expected {known}, found {strange}')
    return tuple(entry)
