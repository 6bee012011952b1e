"""When a moving arm came to rest, and whether it kept within its limits on the way. Pure functions."""

from __future__ import annotations

import numpy as np

from vla_ros.action.limits import JointLimits
from vla_ros.evaluation.motion_log import Motion
from vla_ros.types import DoubleArray

REST_SPEED = 0.05
"""rad/s: an arm all of whose joints are slower is at rest; the tip of a 0.4 m arm then moves by at most 2 cm/s."""
SPEED_OVER = 0.2
"""Seconds over which a joint must get somewhere, or it is at rest however fast it is: an arm that leans on something
may tremble by a milliradian without end."""
STAYS = 0.5
"""Simulated seconds for which it must stay at rest."""
POSITION_SLACK = 0.02
"""rad beyond a position limit, of a joint or its command, that are no violation: who is outside may come back."""
UPDATE = 0.01
"""Seconds from one update of the controller to the next."""
COMMAND_JUMP = 0.1
"""rad that a command may jump on top of what the velocity limit allows in one update of the controller: plans begin on
arrival, so one that comes 50 ms later than the one before begins as much behind it. A busy machine does that."""


def rest_time(
    times: DoubleArray, positions: DoubleArray, velocities: DoubleArray, stays: float = STAYS
) -> float | None:
    """The first of ``times`` (N,) s from which on no joint moves.

    A joint moves when it is as fast as REST_SPEED, and has gone as far as that speed takes it in the last SPEED_OVER
    seconds. Of the first steps nobody knows how far it went: there the speed decides.

    Args:
        positions: (N, J) rad.
        velocities: (N, J) rad/s; infinite where nobody knows them, so that the way decides.

    Returns:
        None if the arm still moves at the end, or has been at rest for less than ``stays`` seconds there.
    """
    if len(times) == 0:
        return None
    before = np.searchsorted(times, times - SPEED_OVER, side='right') - 1
    ways = np.abs(positions - positions[before]) / np.maximum(times - times[before], SPEED_OVER)[:, None]
    ways[before < 0] = np.inf
    speeds = np.minimum(np.abs(velocities), ways).max(axis=1, initial=0.0)
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
