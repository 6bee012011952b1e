"""Reading joint states: positions and velocities by name, or a refusal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vla_ros.types import JointSample, VlaError


def joint_sample(
    stamp: int,
    found: Sequence[str],
    position: Sequence[float],
    velocity: Sequence[float],
    names: Sequence[str],
) -> JointSample:
    """Positions and velocities of the named joints, in that order; other joints among ``found`` do not matter.

    Velocities are zero where the driver measures none: the list is empty, or NaN for all joints, as
    joint_state_broadcaster sends for hardware with positions only.

    Raises:
        VlaError: a joint is missing or there twice, lists differ in length, or a number is not finite.
    """
    count = len(found)
    if len(position) != count or len(velocity) not in (0, count):
        raise VlaError(
            f'joint_states: expected {count} positions and {count} or no velocities, one a name, '
            f'found {len(position)} and {len(velocity)}'
        )
    heard = list(found)
    index = []
    for name in names:
        if heard.count(name) != 1:
            raise VlaError(f'joint_states: expected joint {name!r} once, found it {heard.count(name)} times')
        index.append(heard.index(name))
    positions = np.asarray(position, dtype=np.float64)[index]
    velocities = np.zeros_like(positions)
    if len(velocity):
        measured = np.asarray(velocity, dtype=np.float64)[index]
        velocities = velocities if np.isnan(measured).all() else measured
    for what, values in (('position', positions), ('velocity', velocities)):
        for name, value in zip(names, values, strict=True):
            if not math.isfinite(value):
                raise VlaError(f'joint_states: expected a finite {what} of joint {name!r}, found {value}')
    return JointSample(stamp, positions, velocities)
