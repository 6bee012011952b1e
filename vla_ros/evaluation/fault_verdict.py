"""What a fault did to the arm, judged from the arm's own motion: a row of the table. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vla_ros.action.limits import JointLimits
from vla_ros.evaluation.faults import Expected, Fault
from vla_ros.evaluation.motion_log import Motion
from vla_ros.evaluation.rest import command_jumps, limits_exceeded, rest_time, speed_share

REST_WITHIN = 0.3
"""Simulated seconds from the detection, or from the end of the last plan, until the arm is at rest."""
PLANS = 3
"""Trajectories that an arm that goes on must have been sent after the fault."""
FURTHER = 0.03
"""rad that a joint of it must have moved after the fault."""
WINDOW = 1.5
"""Simulated seconds after the fault in which it is to go on."""
MOVING = 0.1
"""rad/s of the fastest joint, at least, when the fault strikes."""
AT_REST = 'the arm was not under way when the fault struck'
HELD = 'the thought says hold still'
"""What the action node brakes for when System 2 is unsure."""
TOO_SLOW = 0.15
"""Simulated seconds a second below which a problem may be that of the machine: living nodes get no time to show it."""
LONGEST_PLAN = 5.0
"""Simulated seconds that no plan exceeds."""


@dataclass(frozen=True)
class Detection:
    """That the arm was braked, or that a node counted a refusal.

    Attributes:
        wall: seconds since the epoch.
        by: name of the node.
        reason: in its words.
    """

    wall: float
    by: str
    reason: str


@dataclass(frozen=True)
class Trial:
    """What was seen of one fault.

    Attributes:
        struck: wall clock (s) just before the fault was brought about.
        motion: of the arm, from before that on.
        brakes: what the action node braked for after that, in order.
        refusals: what nodes counted as refused after that, as 'node: reason'.
        complaint: what else went wrong, '' for nothing; ``remark`` is what else is worth to know.
        recovered: whether the arm obeyed again when the cause was gone; None if that was not tried.
    """

    struck: float
    motion: Motion
    brakes: tuple[Detection, ...] = ()
    refusals: tuple[str, ...] = ()
    complaint: str = ''
    remark: str = ''
    recovered: bool | None = None


@dataclass(frozen=True)
class Row:
    """The verdict.

    Attributes:
        fault, what: its name and description.
        expected: 'brakes', 'ends its plan' or 'goes on'.
        passed: all that was expected came about, and ``problems`` is empty.
        detected_by, reason: the node, and why it braked.
        seconds_to_detect: from the fault to the brake, in simulated time, and on the wall as well.
        seconds_to_rest: simulated, from the detection; without one, from the end of the last plan.
        seconds_from_injection: simulated, from the fault to rest.
        speed_share: the fastest that a joint got after the fault, as a share of its velocity limit.
        command_jump: rad, the farthest that a command went in one update beyond what that limit allows.
        real_time_factor: simulated seconds a second meanwhile; below 1 the machine was too busy.
        recovered: the arm obeyed again when the cause was gone, with what ``revival`` says.
        refusals: what nodes counted as refused meanwhile.
        limits_exceeded: sentences.
        problems: why it did not pass.
        remark: what else is worth to know.
        attempts: scenes until the arm was under way and the model did not hold it by itself.
    """

    fault: str
    what: str
    expected: str
    passed: bool
    detected_by: str
    reason: str
    seconds_to_detect: float | None
    wall_seconds_to_detect: float | None
    seconds_to_rest: float | None
    seconds_from_injection: float | None
    speed_share: float
    command_jump: float
    real_time_factor: float | None
    recovered: bool | None
    revival: str
    refusals: tuple[str, ...]
    limits_exceeded: tuple[str, ...]
    problems: tuple[str, ...]
    remark: str
    attempts: int = 1

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }


def judge(fault: Fault, trial: Trial, limits: JointLimits) -> Row:
    """The row of a fault."""
    motion = trial.motion
    struck = motion.time_at(trial.struck) if len(motion) else 0.0
    after = motion.since(struck)
    detection = next((brake for brake in trial.brakes if fits(fault, brake.reason)), None)
    detected = None if detection is None else motion.time_at(detection.wall)
    rest = rest_time(after.times, after.positions, after.velocities)
    from_what = detected if fault.expected is not Expected.ENDS_ITS_PLAN else _plan_end(motion, struck)
    waited = None if rest is None or from_what is None else max(rest - from_what, 0.0)
    problems = [] if len(after) else ['the arm was not seen after the fault']
    if len(after) and after.speeds[0] < MOVING:
        problems.append(AT_REST)
    if fault.expected is Expected.GOES_ON:
        problems += _stopped(trial, after, struck)
    else:
        problems += _not_at_rest(fault, trial, detection, detected, struck, rest, waited)
    exceeded = limits_exceeded(after, limits)
    problems += [f'limit exceeded: {sentence}' for sentence in exceeded]
    if trial.complaint:
        problems.append(trial.complaint)
    if trial.recovered is False:
        problems.append('the arm did not obey again when the cause was gone')
    factor = _real_time_factor(after)
    if problems and factor is not None and factor < TOO_SLOW:
        problems.append(f'the machine was too busy to tell: {factor} simulated seconds a second')
    resting = fault.expected is not Expected.GOES_ON
    return Row(
        fault=fault.name,
        what=fault.what,
        expected=fault.expected.value,
        passed=not problems,
        detected_by=detection.by if detection else '',
        reason=detection.reason if detection else '',
        seconds_to_detect=None if detected is None else round(detected - struck, 3),
        wall_seconds_to_detect=None if detection is None else round(detection.wall - trial.struck, 3),
        seconds_to_rest=round(waited, 3) if resting and waited is not None else None,
        seconds_from_injection=round(rest - struck, 3) if resting and rest is not None else None,
        speed_share=round(speed_share(after, limits), 2),
        command_jump=round(float(command_jumps(after, limits).max()), 3),
        real_time_factor=factor,
        recovered=trial.recovered,
        revival=fault.revival.value,
        refusals=trial.refusals,
        limits_exceeded=tuple(exceeded),
        problems=tuple(problems),
        remark=trial.remark,
    )


def fits(fault: Fault, reason: str) -> bool:
    """Whether a reason to brake is that of the fault."""
    return any(word in reason for word in fault.reasons)


def longest_wait(fault: Fault) -> float:
    """Seconds after the fault by which the arm must have come to rest, or have gone on for long enough."""
    if fault.expected is Expected.GOES_ON:
        return WINDOW
    latest = LONGEST_PLAN if fault.expected is Expected.ENDS_ITS_PLAN else fault.within
    return latest + REST_WITHIN


def _plan_end(motion: Motion, struck: float) -> float:
    """When the last plan ends that was accepted, or when the fault struck if that is later."""
    return max(float(motion.plan_ends[-1]) if len(motion) else 0.0, struck)


def _not_at_rest(
    fault: Fault,
    trial: Trial,
    detection: Detection | None,
    detected: float | None,
    struck: float,
    rest: float | None,
    waited: float | None,
) -> list[str]:
    problems = []
    if rest is None or waited is None:
        problems += ['the arm did not come to rest'] if rest is None else []
    elif waited > REST_WITHIN:
        problems.append(f'at rest {waited:.3f} s later instead of {REST_WITHIN} s')
    if fault.expected is Expected.ENDS_ITS_PLAN:
        return problems
    if detection is None or detected is None:
        if any(fits(fault, reason) for reason in trial.refusals) and _in_time(fault, rest, struck):
            return problems  # it had come to rest before; its next plans were refused
        found = [brake.reason for brake in trial.brakes] or ['nothing']
        return [*problems, f'braked for {found[0]!r}, not for the fault']
    took = detection.wall - trial.struck if fault.on_the_wall else detected - struck
    if took > fault.within:
        problems.append(f'detected after {took:.3f} s instead of {fault.within:g} s')
    return problems


def _real_time_factor(motion: Motion) -> float | None:
    wall = float(motion.wall[-1] - motion.wall[0]) if len(motion) else 0.0
    return round(float(motion.times[-1] - motion.times[0]) / wall, 2) if wall > 0 else None


def _in_time(fault: Fault, rest: float | None, struck: float) -> bool:
    return rest is not None and rest <= struck + longest_wait(fault)


def _stopped(trial: Trial, after: Motion, struck: float) -> list[str]:
    """How an arm that was to go on did not."""
    window = after.times <= struck + WINDOW
    problems = []
    if not len(after) or after.times[-1] < struck + WINDOW - 0.01:
        problems.append('the arm was not seen for long enough')
    if not window.any():
        return problems
    plans = int(after.plans[window][-1] - after.plans[0])
    moved = float(np.abs(after.positions[window] - after.positions[0]).max())
    if plans < PLANS:
        problems.append(f'{plans} plans after the fault; expected at least {PLANS}')
    if moved < FURTHER:
        problems.append(f'moved {moved:.3f} rad after the fault; expected at least {FURTHER}')
    ends = trial.struck + float(after.wall[window][-1] - after.wall[0])
    problems += [f'braked for {b.reason!r}' for b in trial.brakes if trial.struck <= b.wall <= ends]
    return problems


def is_inconclusive(row: Row) -> bool:
    """Whether the model itself held the arm meanwhile, or had brought it where it belongs: try another scene."""
    return not row.passed and all(HELD in problem or problem.startswith('moved ') for problem in row.problems)


def passed(rows: Sequence[Row]) -> int:
    """How many."""
    return sum(row.passed for row in rows)
