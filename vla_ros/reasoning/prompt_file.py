"""Prompts for minds that were not trained here: YAML files with what the system, the user and the answer are.

``config/prompts/`` has one for each form of answer; a path names another. Of a file are replaced, and nothing else:
``{subtasks}`` and ``{bins}`` in ``system``, ``{instruction}`` and ``{situation}`` in ``user``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from vla_ros.paths import share_directory
from vla_ros.reasoning.answer import Form
from vla_ros.reasoning.prompt import plain
from vla_ros.strict_yaml import read_typed
from vla_ros.types import Situation, VlaError

LARGEST = 65_536  # bytes of a file
FORMS = {
    'touch': 'touch <object>',
    'point': 'point at <object>',
    'pick': 'pick up <object>',
    'put': 'put <object> in <bowl> or put <object> on <plate>',
    'push': 'push <object> left, right, forward or back',
    'home': 'go home',
}
"""How a subtask is said, for people and for minds that know nothing of ``subtask.from_words``."""

_PLACEHOLDER = re.compile(r'\{([a-z_]+)\}')
Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class PromptFile(BaseModel):
    """What a mind is told before it answers, and the form in which its answer is read."""

    model_config = ConfigDict(extra='forbid', frozen=True)

    system: Text
    user: Text
    answer: Form

    @field_validator('system')
    @classmethod
    def _system_has_its_own(cls, text: str) -> str:
        return _require(text, {'subtasks', 'bins'}, ())

    @field_validator('user')
    @classmethod
    def _user_has_the_instruction(cls, text: str) -> str:
        return _require(text, {'instruction', 'situation'}, ('instruction',))

    def system_text(self, tasks: Sequence[str], bins: int) -> str:
        """The system prompt for a body that was trained for these kinds of subtasks."""
        said = '; '.join(FORMS[kind] for kind in tasks)
        return _filled(self.system, {'subtasks': said, 'bins': str(bins)})

    def user_text(self, instruction: str, situation: Situation | None) -> str:
        """The user's turn; of the instruction only what ``prompt.plain`` lets through: it breaks no chat template."""
        told = '' if situation is None else _told(situation)
        return _filled(self.user, {'instruction': plain(instruction), 'situation': told})


def load_prompt(name: str) -> PromptFile:
    """The prompt of that name in config/prompts/, or in the file of that path.

    Raises:
        VlaError: there is none, or it is not valid.
    """
    folder = share_directory() / 'config' / 'prompts'
    known = sorted(path.stem for path in folder.glob('*.yaml'))
    path = folder / f'{name}.yaml' if name in known else Path(name).expanduser()
    if not name or not path.is_file():
        raise VlaError(f'prompt: expected one of {known} or the path of a YAML file, found {name!r}')
    return read_typed(path, LARGEST, PromptFile)


def _require(text: str, allowed: set[str], needed: Sequence[str]) -> str:
    found = set(_PLACEHOLDER.findall(text))
    if found - allowed or set(needed) - found:
        must = f' with {{{needed[0]}}} among them' if needed else ''
        raise ValueError(f'expected placeholders of {sorted(allowed)}{must}, found {sorted(found)}')
    return text


def _filled(text: str, values: dict[str, str]) -> str:
    """In one pass, so that what is filled in is never looked at again."""
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _told(situation: Situation) -> str:
    done = '; the first step of the order is done' if situation.done else ''
    place = situation.place
    goal = f'; the push that has begun ends at [{place[0]:.3f}, {place[1]:.3f}]' if place else ''
    return f'The hand is {situation.hand}{done}{goal}.'
