"""The way from the cameras to the arm's controller, hop by hop: what each is called, who times it and by which clock.

Names say what they are: 'tokens to action' is tokens on their way to the node action, 'tokens to planning' tokens that
wait there until a plan is begun, 'inference' a computation, and 'shaping to trajectory' what follows on one until the
trajectory is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from vla_ros.types import NANOSECONDS

CLOCK_SLACK = 0.05
"""Seconds by which two clocks that agree may be apart, as for the guard. A hop may seem to take as much less than 0."""
LONGEST = 60.0
"""Seconds that a hop may take: as old as anything may ever be by the nodes' parameters. More is a clock that jumped."""
JUMP = 1.0
"""Seconds by which a clock that ticks does not go on at once."""


class Kind(Enum):
    """What happens in a hop; each kind has its clock."""

    AGE = 'since the stamp'  # by the clock of the stamps: that of the node, simulated with use_sim_time
    TRANSPORT = 'on its way'  # by the system clocks of sender and receiver
    WAIT = 'waiting'  # this and the next two by the clock of the machine, which never jumps
    COMPUTE = 'computing'
    PUBLISH = 'sending'


@dataclass(frozen=True)
class Hop:
    """A part of the way, or, of kind AGE, all from the camera's stamp on: its name, and the node that times it."""

    name: str
    node: str
    kind: Kind


HOPS = (
    Hop('camera to frame', 'perception', Kind.AGE),
    Hop('image to perception', 'perception', Kind.TRANSPORT),
    Hop('frame to encode', 'perception', Kind.WAIT),
    Hop('encode', 'perception', Kind.COMPUTE),
    Hop('encode to tokens', 'perception', Kind.PUBLISH),
    Hop('camera to tokens', 'perception', Kind.AGE),
    Hop('tokens to reasoning', 'reasoning', Kind.TRANSPORT),
    Hop('tokens to thinking', 'reasoning', Kind.WAIT),
    Hop('thinking', 'reasoning', Kind.COMPUTE),
    Hop('thinking to thought', 'reasoning', Kind.PUBLISH),
    Hop('camera to thought', 'reasoning', Kind.AGE),
    Hop('thought to action', 'action', Kind.TRANSPORT),
    Hop('thought to planning', 'action', Kind.WAIT),
    Hop('tokens to action', 'action', Kind.TRANSPORT),
    Hop('tokens to planning', 'action', Kind.WAIT),
    Hop(
        'pictures to action', 'action', Kind.TRANSPORT
    ),  # these two in the place of tokens, with a served policy
    Hop('pictures to planning', 'action', Kind.WAIT),
    Hop('inference', 'action', Kind.COMPUTE),
    Hop('shaping', 'action', Kind.COMPUTE),
    Hop('shaping to trajectory', 'action', Kind.PUBLISH),
    Hop('camera to trajectory', 'action', Kind.AGE),
    Hop('trajectory to controller', 'simulator', Kind.TRANSPORT),
)
"""In the order of the way. 'image to perception' is a part of 'camera to frame'; the others follow on each other."""

TO_TRAJECTORY = (
    'camera to frame',
    'frame to encode',
    'encode',
    'encode to tokens',
    'tokens to action',
    'tokens to planning',
    'inference',
    'shaping',
    'shaping to trajectory',
)
"""The parts of 'camera to trajectory', each once."""


def seconds_between(begun: int, ended: int) -> float | None:
    """How long a hop took between two times in nanoseconds; None if they cannot be of clocks that agree."""
    seconds = (ended - begun) / NANOSECONDS
    return seconds if -CLOCK_SLACK <= seconds <= LONGEST else None


def seconds_since_stamp(stamp: int, now: int, since: int = 0) -> float | None:
    """The age of a stamp; None if it says nothing (0) or is of another time.

    Args:
        stamp, now: nanoseconds of one clock.
        since: what that clock showed when it jumped last; what was stamped before is not comparable.
    """
    return seconds_between(stamp, now) if stamp and stamp >= since else None
