"""Orders given to a running graph with the simulator, one after another, each judged by what really happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from vla_ros.evaluation.trial import REFUSAL_TIME, action_failure, refusal_failure
from vla_ros.nodes.client import Client
from vla_ros.sim.layouts import OBJECTS
from vla_ros.sim.orders import TIME_LIMITS
from vla_ros.types import Decision, Verdict

SIMULATOR = 'simulator'
SLACK = 15.0
"""Seconds for what should take less than one."""
SLOWEST = 0.1
"""Real-time factor below which a simulation is taken to hang."""


@dataclass(frozen=True)
class Ended:
    """How an order ended.

    Attributes:
        success: it was done, or refused when that was right.
        refused: the last decision about it is a refusal.
        failure: '' or its category, as for an offline trial.
        decision: the last one about it, if any.
        seconds: simulated, from the instruction to the outcome.
        farthest: rad, how far a joint got from where it began.
    """

    success: bool
    refused: bool
    failure: str
    decision: Decision | None
    seconds: float
    farthest: float


class Stage:
    """Sets the scene and gives orders.

    Args:
        check: called while waiting; raises if a process has died.
    """

    def __init__(self, client: Client, check: Callable[[], None]) -> None:
        self._client = client
        self._check = check
        self._trial = 0

    def set_scene(self, seed: int, task: str, layout: str = OBJECTS, *, away: bool = False) -> None:
        """Stop what is going on, put arm and objects where they begin, and tell the referee what to watch.

        Args:
            task: as the simulator's parameter: 'touch:red cube', or '' for nothing to watch.
            layout, away: as the simulator's parameters: what stands on the table, and where the arm begins.
        """
        client = self._client
        client.instruct('')
        # Disabled and enabled again, the action node forgets where it had planned the arm to be.
        client.enable(False)
        client.set_parameters(SIMULATOR, {'seed': seed, 'layout': layout, 'away': away, 'task': ''})
        told = json.loads(client.trigger('simulator/reset'))
        client.set_parameters(SIMULATOR, {'task': task})
        client.require(
            lambda: client.state.tokens > told['stamp'],
            SLACK,
            'no visual tokens of the new scene came',
            self._check,
        )
        client.enable()
        self._trial = int(told['trial']) + 1

    def carry_out(self, words: str, limit: float = TIME_LIMITS['touch']) -> Ended:
        """Give an order that can be carried out within ``limit`` seconds, and wait for the referee or for a refusal."""
        began = self._begin(words)
        self._client.wait(
            lambda: self._referee() is not None or self._refused(words),
            limit / SLOWEST,
            self._check,
        )
        success, failure = self._referee() or (False, 'timeout')
        decisions = self._about(words)
        failure = '' if success else action_failure(failure, decisions)
        return self._ended(began, words, failure)

    def refuse(self, words: str, still: float = REFUSAL_TIME) -> Ended:
        """Give an order that must be refused, and see to it that the arm stands still for a while after."""
        began = self._begin(words)
        self._client.wait(lambda: bool(self._answers(words)), still / SLOWEST, self._check)
        self.linger(began + still - self._client.state.now)
        return self._ended(began, words, refusal_failure(self._about(words), self._farthest()))

    def linger(self, seconds: float) -> None:
        """Let simulated time pass."""
        until = self._client.state.now + seconds
        self._client.wait(lambda: self._client.state.now >= until, seconds / SLOWEST, self._check)

    def _begin(self, words: str) -> float:
        """Give the order; returns the simulated time."""
        self._client.forget()
        self._client.instruct(words)
        return self._client.state.now

    def _ended(self, began: float, words: str, failure: str) -> Ended:
        decisions = self._about(words)
        last = decisions[-1] if decisions else None
        refused = last is not None and last.verdict is Verdict.REFUSED
        return Ended(not failure, refused, failure, last, self._client.state.now - began, self._farthest())

    def _about(self, words: str) -> list[Decision]:
        return [decision for _, decision in self._client.state.decisions if decision.instruction == words]

    def _answers(self, words: str) -> list[Decision]:
        """Decisions that a chain of thought came to, not those that only announce one."""
        return [decision for decision in self._about(words) if decision.trace]

    def _refused(self, words: str) -> bool:
        return any(decision.verdict is Verdict.REFUSED for decision in self._answers(words))

    def _referee(self) -> tuple[bool, str] | None:
        """Success and failure as soon as the referee has decided."""
        for score in self._scores():
            if score['success'] == 'true' or score['failure']:
                return score['success'] == 'true', score['failure']
        return None

    def _farthest(self) -> float:
        return max((float(score['moved [rad]']) for score in self._scores()), default=0.0)

    def _scores(self) -> list[dict[str, str]]:
        """What the referee said about this trial."""
        return [score for _, score in self._client.state.scores if int(score['trial']) >= self._trial]
