"""The timing model of a replay: how long the model takes, in the place of how long it happens to take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReplayTiming:
    """Seconds. The defaults are what the reference model takes on two cores that also simulate.

    Attributes:
        encoding: from a complete set of frames to its visual tokens.
        planning: from tokens to the plan that is sent.
        thinking: from a question to the thought.
        watch: between two looks at the ages of what the arm acts on.
    """

    encoding: float = 0.04
    planning: float = 0.06
    thinking: float = 0.3
    watch: float = 0.05
