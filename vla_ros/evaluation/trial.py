"""One trial from start to end, offline: what happened and whether it was right."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from vla_ros.evaluation.brain import Brain
from vla_ros.evaluation.closed_loop import ClosedLoop, Timing
from vla_ros.evaluation.episodes import TO_REFUSE, Episode
from vla_ros.sim.poses import world_of
from vla_ros.sim.sequence import SequenceReferee
from vla_ros.sim.world import World
from vla_ros.types import Decision, Verdict

STILL = 0.02
"""Radians: a joint that moved no farther than this stood still."""
REFUSAL_TIME = 4.0
"""Seconds for which the arm must stand still after an order that is to be refused."""


@dataclass(frozen=True)
class Outcome:
    """How one trial went.

    Attributes:
        success: whether it ended as it should.
        failure: '' or its category: what the referee says ('wrong_object', 'missed_grasp', 'dropped', ...), 'refused'
            for a false refusal, 'unsure' when nothing was decided, 'moved' and 'accepted' for what should have been
            refused.
        refused: the last decision was a refusal.
        subtask: the words of the last decision.
        seconds: simulated time until the outcome was known.
        farthest: rad, how far a joint got from where it began.
        refused_plans: plans that the guard or the controller did not let pass, by reason.
        wall_seconds: computing time.
        steps_done: how many steps of the order were done.
    """

    episode: Episode
    success: bool
    failure: str
    refused: bool
    subtask: str
    seconds: float
    farthest: float
    refused_plans: dict[str, int]
    wall_seconds: float
    steps_done: int = 0

    @property
    def right_reason(self) -> bool:
        """Whether an order that had to be refused was refused for the true reason."""
        return self.success and any(words in self.subtask for words in TO_REFUSE.get(self.episode.task, ()))


def run_trial(episode: Episode, brain: Brain, timing: Timing | None = None) -> Outcome:
    """Play one episode in lockstep. The same episode, brain and timing give the same outcome."""
    begun = time.perf_counter()
    world = world_of(episode.seed, episode.layout, away=episode.away)
    return watch(episode, world, ClosedLoop(world, brain, episode.instruction, timing), begun)


def watch(
    episode: Episode,
    world: World,
    loop: ClosedLoop,
    begun: float,
    on_step: Callable[[int], None] | None = None,
) -> Outcome:
    """Let a model that is in charge of a world carry out the episode, and judge it.

    Args:
        begun: of ``time.perf_counter`` when the trial began.
        on_step: told the index of each step of the order as it becomes the next, but for the first.
    """
    steps_done = 0
    if episode.impossible:
        seconds = _watch_stillness(world, loop)
        failure = refusal_failure(decided(loop), loop.farthest)
    else:
        referee = SequenceReferee(world, episode.tasks)
        while not referee.done:
            loop.step()
            before = referee.step
            referee.update()
            if on_step is not None and referee.step != before:
                on_step(referee.step)
        seconds, steps_done = referee.elapsed, referee.step + referee.success
        failure = '' if referee.success else action_failure(referee.failure, decided(loop))
    decision = decided(loop)[-1] if loop.decisions else None
    return Outcome(
        episode=episode,
        success=not failure,
        failure=failure,
        refused=decision is not None and decision.verdict is Verdict.REFUSED,
        subtask=decision.subtask if decision is not None else '',
        seconds=round(seconds, 3),
        farthest=round(loop.farthest, 4),
        refused_plans=loop.refused_plans,
        wall_seconds=round(time.perf_counter() - begun, 3),
        steps_done=steps_done,
    )


def refusal_failure(decisions: list[Decision], farthest: float) -> str:
    """Why an order that had to be refused went wrong; '' if it was refused and the arm stood still."""
    if farthest > STILL:
        return 'moved'
    if not decisions or decisions[-1].verdict is Verdict.UNSURE:
        return 'unsure'
    return '' if decisions[-1].verdict is Verdict.REFUSED else 'accepted'


def action_failure(referee: str, decisions: list[Decision]) -> str:
    """The category of an order that was not carried out: a refusal comes before what the referee saw."""
    verdicts = [decision.verdict for decision in decisions]
    if verdicts and Verdict.GO not in verdicts:
        return 'refused' if Verdict.REFUSED in verdicts else 'unsure'
    return referee


def decided(loop: ClosedLoop) -> list[Decision]:
    """The decisions in their order, without their times."""
    return [decision for _, decision in loop.decisions]


def _watch_stillness(world: World, loop: ClosedLoop) -> float:
    while world.time < REFUSAL_TIME and loop.farthest <= STILL:
        loop.step()
    return world.time
