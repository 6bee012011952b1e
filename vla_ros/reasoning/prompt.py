"""What System 2 reads: the visual tokens, then the order between two role tokens, as LLaVA concatenates them."""

from __future__ import annotations

import re
import unicodedata

IMAGE, USER, ASSISTANT, PAD = '<image>', '<|user|>', '<|assistant|>', '<pad>'

_NOT_PLAIN = re.compile(r"[^a-z0-9 .,;:!?'()+-]")


def plain(instruction: str) -> str:
    """Lower-case words without anything that could pass for a special token of the model.

    Angle brackets and bars never get through, so no instruction can write '</think>' or an action token.
    """
    text = unicodedata.normalize('NFKD', instruction).lower()
    text = ''.join(c for c in text if not unicodedata.combining(c))
    return ' '.join(_NOT_PLAIN.sub(' ', text).split())


def prompt(instruction: str) -> str:
    """The text after the visual tokens; the model continues it with a trace."""
    return f'{USER} {plain(instruction)}{ASSISTANT}'
