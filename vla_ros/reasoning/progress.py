"""What is remembered of an order from one thought to the next, and what the hand feels: System 2 sees neither."""

from __future__ import annotations

from vla_ros.manifest import HandSpec
from vla_ros.types import Decision, Place, Situation, Verdict


def hand_word(spec: HandSpec, position: float) -> str:
    """'closed', 'between' or 'open' for the gripper's joint at ``position``, in the units of the bundle's robot.

    Between is where a hand is that holds something, but it may also be empty: that is for the eyes to tell.
    """
    if position < spec.closed:
        return 'closed'
    return 'open' if position > spec.open else 'between'


class Progress:
    """How far one order has come, by what was thought about it so far; a new order begins a new one."""

    def __init__(self) -> None:
        self._done = 0
        self._place: Place | None = None

    def note(self, decision: Decision) -> None:
        """A thought was thought through; one that holds or refuses changes nothing."""
        if decision.verdict is Verdict.GO:
            pushes = decision.doing is not None and decision.doing.kind == 'push'
            self._done, self._place = decision.done, decision.second_target if pushes else None

    def situation(self, spec: HandSpec, position: float) -> Situation:
        """What the next thought is told; ``position`` is that of the gripper's joint."""
        return Situation(hand_word(spec, position), self._done, self._place)
