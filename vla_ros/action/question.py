"""What the policy is asked with: kept together, since the world goes on while it thinks."""

from __future__ import annotations

from dataclasses import dataclass

from vla_ros.action.planner import Planner
from vla_ros.types import ActionChunk, JointSample, Sight, Thought


@dataclass(frozen=True)
class Question:
    """Everything that the policy is asked with, as it was at the time ``asked`` (ns)."""

    planner: Planner
    tokens: Sight
    thought: Thought
    seen: JointSample
    newest: JointSample
    asked: int

    def ask(self) -> ActionChunk:
        """What the policy wants; the slow part.

        Raises:
            VlaError: input that the policy cannot read.
        """
        return self.planner.chunk(self.tokens, self.thought, self.seen, self.newest, self.asked)
