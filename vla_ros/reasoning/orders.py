"""From an instruction as it comes to an order in force, and from a thought to what may be acted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_ros.types import Decision, FloatArray, Thought, Verdict, VlaError, require_shape

SHOWN = 80  # characters of a refused instruction that are repeated
STOP = Decision(Verdict.UNSURE, 'stop', '', '')


@dataclass(frozen=True)
class ReasoningSettings:
    """When to think, and about what.

    Attributes:
        rate: thoughts a second while following an order.
        max_token_age: seconds; older visual tokens are not thought about.
        max_instruction_length: characters.
    """

    rate: float = 1.5
    max_token_age: float = 1.0
    max_instruction_length: int = 500


@dataclass(frozen=True)
class Order:
    """An instruction in force; each message makes a new object, so that identity tells old from new."""

    words: str


def order_of(text: str, longest: int) -> Order | Decision:
    """The order that an instruction is; the decision to hold if it is empty or longer than ``longest`` characters."""
    if len(text) > longest:
        sentence = f'the instruction has {len(text)} characters; the most is {longest}'
        return Decision(Verdict.REFUSED, sentence, text[:SHOWN], '')
    words = ' '.join(text.split())
    return Order(words) if words else STOP


def rows_to_act_on(decision: Decision, thought: Thought, width: int) -> FloatArray:
    """The rows (n, width) of a thought; none unless the verdict is go.

    Raises:
        VlaError: another width, or numbers that are not finite.
    """
    if decision.verdict is not Verdict.GO:
        return np.zeros((0, width), np.float32)
    require_shape('thought', thought.rows, (None, width))
    if not np.isfinite(thought.rows).all():
        raise VlaError('the thought has numbers that are not finite')
    return thought.rows
