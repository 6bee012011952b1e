"""Whether measured joints can have got from one place to the next, or somebody measures wrongly."""

from __future__ import annotations

import numpy as np

from vla_ros.action.limits import JointLimits
from vla_ros.types import NANOSECONDS, JointSample


def jump_between(
    before: JointSample, after: JointSample, limits: JointLimits, start_jump: float | tuple[float, ...]
) -> str:
    """A sentence about the joint that is farthest from where it can be; '' if all are where they can be.

    A plan begins where a joint is measured if that is farther than ``start_jump`` (rad, for all joints or one value a
    joint) from where it was planned to be. So a joint that is measured that much, and what it can move meanwhile,
    from where it just was would be commanded to jump.
    """
    seconds = max(after.stamp - before.stamp, 0) / NANOSECONDS
    possible = np.asarray(start_jump) + limits.max_velocity * seconds
    moved = np.abs(after.positions - before.positions)
    excess = moved - possible
    if not excess.max() > 0:
        return ''
    i = int(excess.argmax())
    return f'{limits.names[i]} jumped by {moved[i]:.3f} rad in {seconds:.3f} s'
