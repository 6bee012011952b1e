"""Faults put into a bag where its arm moves: how soon it rests, as the tests of collision monitors measure it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vla_ros.evaluation.recording import Recording
from vla_ros.evaluation.replay.comparison import compare
from vla_ros.evaluation.replay.course import course_of
from vla_ros.evaluation.replay.faults import KINDS, Fault
from vla_ros.evaluation.replay.model import Model
from vla_ros.evaluation.replay.outcome import Outcome
from vla_ros.evaluation.replay.rest import FINE, Rest, moving_at, rest_after
from vla_ros.types import DoubleArray

LEAD = 0.3  # seconds from the first motion to the fault: the arm is under way then
PAUSE = 0.2  # seconds; an arm that rests for no longer than that between two plans is under way all the time
BRAKING = 0.5
"""Seconds from noticing a fault to rest: one look at the ages, one plan under way, and the brake."""
RECOVERY = 2.0  # seconds between two faults

Run = Callable[[tuple[Fault, ...]], Outcome]


@dataclass(frozen=True)
class Struck:
    """One kind of fault, at every moment of the bag in which the arm would have moved on for long enough.

    Attributes:
        allowed: seconds to rest.
        rests: what the arm did, one a fault.
        agreement: share of the time in which it was decided as without the faults.
        counted: what was refused more often than without the faults, by 'node reason'.
    """

    kind: str
    allowed: float
    rests: tuple[Rest, ...]
    agreement: float
    counted: dict[str, int]

    @property
    def passed(self) -> bool | None:
        """Whether it rested in time, each time; None if there was no such moment."""
        if not self.rests:
            return None
        return all(r.seconds_to_rest is not None and r.seconds_to_rest <= self.allowed for r in self.rests)


def strike(run: Run, clean: Outcome, model: Model, kinds: tuple[str, ...] = tuple(KINDS)) -> list[Struck]:
    """Replay once a kind with its faults.

    Args:
        run: replays the same part of the same bag with faults.
        clean: how it goes without.
    """
    return [_struck(kind, run, clean, seconds_allowed(kind, model)) for kind in kinds]


def seconds_allowed(kind: str, model: Model) -> float:
    """How long the arm may go on: the age that the kind of message may have by the parameters, and BRAKING."""
    guard = model.make_planner().settings.guard
    ages = {
        'joints_gap': guard.max_joint_state_age,
        'frozen_joints': guard.max_joint_state_age,
        'thought_gap': guard.max_thought_age,
        'clock_back': 0.0,
    }
    return ages.get(kind, guard.max_observation_age) + BRAKING


def moments(run: Recording, seconds: float, lasting: float, apart: float) -> list[float]:
    """LEAD into each motion of a run of that many seconds that goes on for ``lasting`` seconds from then on.

    Args:
        apart: seconds from one to the next, at least.
    """
    times: DoubleArray = np.arange(0.0, seconds, FINE, dtype=np.float64)
    moving = np.flatnonzero(moving_at(run, times))
    found: list[float] = []
    if not len(moving):
        return found
    for stretch in np.split(moving, np.flatnonzero(np.diff(moving) * FINE > PAUSE) + 1):
        at = round(float(times[stretch[0]]) + LEAD, 3)
        if at + lasting <= times[stretch[-1]] and (not found or at >= found[-1] + apart):
            found.append(at)
    return found


def _struck(kind: str, run: Run, clean: Outcome, allowed: float) -> Struck:
    lasts = round(allowed + BRAKING, 3)
    begins = moments(clean.replayed, clean.seconds, allowed, lasts + RECOVERY)
    if not begins:
        return Struck(kind, allowed, (), 1.0, {})
    faults = tuple(Fault(kind, at, lasts) for at in begins)
    outcome = run(faults)
    agreement = compare(*(course_of(one.replayed, one.seconds) for one in (clean, outcome))).agreement
    rests = tuple(rest_after(outcome.replayed, fault, outcome.seconds) for fault in faults)
    return Struck(kind, allowed, rests, agreement, _more(outcome, clean))


def _more(outcome: Outcome, clean: Outcome) -> dict[str, int]:
    before, found = clean.refused(), {}
    for node, counts in outcome.refused().items():
        for reason, count in counts.items():
            more = count - before.get(node, {}).get(reason, 0)
            if more > 0:
                found[f'{node} {reason}'] = more
    return found
