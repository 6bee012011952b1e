"""What System 2 reads: the visual tokens, then the order between two role tokens, as LLaVA concatenates them.

A model that was taught to gets a third part between them: what the robot feels and remembers (``Situation``). It
stands behind a token of its own, which no order can write, so that nobody can tell the robot what it holds.
"""

from __future__ import annotations

import re
import unicodedata

from vla_ros.reasoning.trace import location
from vla_ros.types import Situation

IMAGE, USER, ASSISTANT, PAD = '<image>', '<|user|>', '<|assistant|>', '<pad>'
STATE = '<|state|>'

_NOT_PLAIN = re.compile(r"[^a-z0-9 .,;:!?'()+-]")


def plain(instruction: str) -> str:
    """Lower-case words without anything that could pass for a special token of the model.

    Angle brackets and bars never get through, so no instruction can write '</think>' or an action token.
    """
    text = unicodedata.normalize('NFKD', instruction).lower()
    text = ''.join(c for c in text if not unicodedata.combining(c))
    return ' '.join(_NOT_PLAIN.sub(' ', text).split())


def prompt(instruction: str, situation: Situation | None = None, bins: int = 0) -> str:
    """The text after the visual tokens; the model continues it with a trace.

    ``bins`` are the location bins along each side of the image, for the place that a situation may remember.
    """
    return f'{USER} {plain(instruction)}{_state(situation, bins) if situation else ""}{ASSISTANT}'


def _state(situation: Situation, bins: int) -> str:
    done = ' done the first' if situation.done else ''
    place = f' to{location(*situation.place, bins)}' if situation.place else ''
    return f'{STATE} {situation.hand}{done}{place}'
