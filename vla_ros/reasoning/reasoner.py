"""What every System-2 backend gives: tokens and words in, a decision and thought vectors out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vla_ros.types import Decision, Situation, Thought, VisualTokens


class Reasoner(Protocol):
    """A System-2 backend. One caller at a time."""

    def think(
        self,
        tokens: VisualTokens,
        instruction: str,
        on_text: Callable[[str], None] | None = None,
        situation: Situation | None = None,
    ) -> tuple[Decision, Thought]:
        """Write a chain of thought greedily, telling ``on_text`` the whole trace so far after each token.

        ``situation`` is for those whose manifest has ``reasoning.hand``. The same tokens, words and situation give
        the same trace. Raises VlaError for input that it cannot read.
        """
        ...
