"""Real-time chunking by a clean prefix: the policy itself continues what is already decided.

The policy was trained with the first steps of the chunk known (arXiv 2512.05964); the steps that pass while it
thinks are given to it as the present plan has them, and its answer goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from vla_ros.action.stitch import ExecutingPlan
from vla_ros.types import ActionChunk


@dataclass(frozen=True)
class CleanPrefix:
    """See the module."""

    name: ClassVar[str] = 'prefix'
    gives_prefix: ClassVar[bool] = True

    def merge(
        self, chunk: ActionChunk, earlier: Sequence[ActionChunk], plan: ExecutingPlan | None, starts: int
    ) -> ActionChunk:
        """The chunk as it is: it already continues the plan."""
        return chunk
