"""When a moving arm came to rest, and whether it kept within its limits on the way. Pure functions."""

from __future__ import annotations

import numpy as np

from vla_ros.action.limits import JointLimits
from vla_ros.evaluation.motion_log import Motion
from vla_ros.types import DoubleArray

REST_SPEED = 0.05
"""rad/s: an arm all of whose joints are slower is at rest; the tip of a 0.4 m arm then moves by at most 2 cm/s."""
STAYS = 0.5
"""Simulated seconds for which it must stay at rest."""
POSITION_SLACK = 0.02
"""rad beyond a position limit, of a joint or its command, that are no violation: who is outside may come back."""
UPDATE = 0.01
"""Seconds from one update of the controller to the next."""
COMMAND_JUMP = 0.1
"""rad that a command may jump on top of what the velocity limit allows in one update of the controller: plans begin on
arrival, so one that comes 50 ms later than the one before begins as much behind it. A busy machine does that."""


def rest_time(times: DoubleArray, speeds: DoubleArray, stays: float = STAYS) -> float | None:
    """The first of ``times`` (N,) s from which on all ``speeds`` (N,) rad/s are below REST_SPEED.

    Returns:
        None if the arm still moves at the end, or has been at rest for less than ``stays`` seconds there.
    """
    if len(times) == 0:
        return None
    moving = np.flatnonzero(~(speeds < REST_SPEED))  # so that NaN moves
    first = 0 if len(moving) == 0 else int(moving[-1]) + 1
    if first == len(times) or times[-1] - times[first] < stays:
        return None
    return float(times[first])


def limits_exceeded(motion: Motion, limits: JointLimits) -> list[str]:
    """A sentence for each limit that a joint or its command exceeded, with the worst value.

    Speeds are those of the command: what true joints do besides is what they bump into.
    """
    if len(motion) == 0:
        return []
    places = np.concatenate([motion.positions, motion.commands])
    outside = np.maximum(limits.min_position - places, places - limits.max_position).max(axis=0)
    jumps = command_jumps(motion, limits)
    found = []
    for i, name in enumerate(limits.names):
        if outside[i] > POSITION_SLACK:
            found.append(f'{name} {outside[i]:.3f} rad outside of its limits')
        if jumps[i] > COMMAND_JUMP:
            found.append(f'{name} commanded to jump by {jumps[i]:.3f} rad')
    return found


def speed_share(motion: Motion, limits: JointLimits) -> float:
    """The largest speed of a true joint as a share of its velocity limit."""
    return float((np.abs(motion.velocities) / limits.max_velocity).max(initial=0.0))


def command_jumps(motion: Motion, limits: JointLimits) -> DoubleArray:
    """(J,) rad, how far the command went at most in one update beyond what the velocity limit allows; 0 at least."""
    steps = np.abs(np.diff(motion.commands, axis=0)).max(axis=0, initial=0.0)
    jumps: DoubleArray = np.maximum(steps - limits.max_velocity * UPDATE, 0.0)
    return jumps
