"""The ways to go from one chunk to the next, behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from vla_ros.action.clean_prefix import CleanPrefix
from vla_ros.action.ensemble import TemporalEnsemble
from vla_ros.action.ramp import FreezeAndRamp
from vla_ros.action.stitch import ExecutingPlan
from vla_ros.types import NANOSECONDS, ActionChunk, VlaError

CHOICES = ('auto', 'prefix', 'ramp', 'ensemble')
MOST_CHUNKS = 32  # that are remembered


class Stitching(Protocol):
    """How a new chunk goes on from what was decided before. Without state."""

    name: ClassVar[str]
    gives_prefix: ClassVar[bool]
    """Whether the policy is told what is already decided."""

    def merge(
        self, chunk: ActionChunk, earlier: Sequence[ActionChunk], plan: ExecutingPlan | None, starts: int
    ) -> ActionChunk:
        """What to do, of what the policy wants.

        Args:
            chunk: the policy's answer.
            earlier: the chunks before it that are not over yet, oldest first; none if the plan is not made of any.
            plan: what is executed, if all joints are where it has them.
            starts: nanoseconds, when the controller takes the new plan over.

        Returns:
            A chunk with the same stamp and steps.
        """
        ...


def make_stitching(name: str, longest_prefix: int, decay: float = 0.01) -> Stitching:
    """The stitching of a name; 'auto' is 'prefix' for a bundle that was trained with prefixes, else 'ramp'.

    Args:
        longest_prefix: ``chunk.prefix`` of the bundle.
        decay: of the ensemble.

    Raises:
        VlaError: no such name, or a prefix for a policy that cannot use one.
    """
    if name == 'auto':
        name = 'prefix' if longest_prefix > 0 else 'ramp'
    if name == 'prefix':
        if longest_prefix == 0:
            raise VlaError(
                "stitching: 'prefix' needs a bundle that was trained with prefixes, but its chunk.prefix is 0; "
                "choose 'ramp', 'ensemble' or 'auto'"
            )
        return CleanPrefix()
    if name == 'ramp':
        return FreezeAndRamp()
    if name == 'ensemble':
        return TemporalEnsemble(decay)
    raise VlaError(f'stitching: expected one of {list(CHOICES)}, found {name!r}')


def not_over(chunks: Sequence[ActionChunk], at: int) -> tuple[ActionChunk, ...]:
    """Those of the chunks whose last step is due after ``at`` (ns), not too many of them."""
    left = [c for c in chunks if c.stamp + len(c.positions) * c.dt * NANOSECONDS > at]
    return tuple(left[-MOST_CHUNKS:])
