"""The quintic spline that a joint_trajectory_controller runs through complete points.

Three facts make it the common ground of stitching, shaping and guarding:

- It is linear in the points, so a mixture of two plans is executed as the mixture of two motions.
- A motion whose jerk is constant between points is reproduced exactly.
- Of any other motion through the same points, its jerk is the least-squares fit of parabolas: that can
  enlarge the largest jerk by PROJECTION_GAIN (the Lebesgue constant of the Legendre projection of degree 2)
  and moves acceleration and velocity in between by at most the fractions below of ``jerk * duration`` and
  ``jerk * duration**2``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from vla_ros.types import DoubleArray

PROJECTION_GAIN = 2.176
ACCELERATION_SHIFT = 5 / 24
VELOCITY_SHIFT = 0.0221
POSITION_SHIFT = 0.0062

# Coefficients of u^0..u^5, u in 0..1, from (p0, v0, a0, p1, v1, a1) with derivatives per unit of u.
_COEFFICIENTS = np.array(
    [
        [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.5, 0.0, 0.0, 0.0],
        [-10.0, -6.0, -1.5, 10.0, -4.0, 0.5],
        [15.0, 8.0, 1.5, -15.0, 7.0, -1.0],
        [-6.0, -3.0, -0.5, 6.0, -3.0, 0.5],
    ]
)


@lru_cache(maxsize=32)
def hermite(fractions: tuple[float, ...]) -> DoubleArray:
    """(4, M, 6): position, velocity, acceleration and jerk at M fractions of a segment of unit duration."""
    u = np.array(fractions)
    basis = np.zeros((4, len(u), 6))
    for derivative in range(4):
        for power in range(derivative, 6):
            factor = np.prod(np.arange(power - derivative + 1, power + 1), dtype=float)
            basis[derivative, :, power] = factor * u ** (power - derivative)
    result = basis @ _COEFFICIENTS
    result.setflags(write=False)
    return result


def resample(states: DoubleArray, durations: DoubleArray, fractions: Sequence[float]) -> DoubleArray:
    """Evaluate every segment between consecutive states.

    Args:
        states: (P + 1, 3, J) positions, velocities, accelerations.
        durations: (P,) seconds between them.
        fractions: M places in each segment, 0 its start and 1 its end.

    Returns:
        (4, P, M, J) positions, velocities, accelerations, jerks.
    """
    powers = durations[:, None] ** np.arange(4)  # (P, 4)
    start = states[:-1] * powers[:, :3, None]
    end = states[1:] * powers[:, :3, None]
    unit = hermite(tuple(fractions))[:, None] @ np.concatenate([start, end], axis=1)[None]
    result: DoubleArray = unit / powers.T[:, :, None, None]
    return result


def state_at(states: DoubleArray, times: DoubleArray, seconds: float) -> DoubleArray:
    """The state (3, J) at a time.

    Before the first it is the first, after the last the last one's position at rest.

    Args:
        states: (P + 1, 3, J).
        times: (P + 1,) seconds, strictly increasing.
    """
    if seconds <= times[0]:
        return states[0].copy()
    if seconds >= times[-1]:
        rest = np.zeros_like(states[-1])
        rest[0] = states[-1, 0]
        return rest
    i = int(np.searchsorted(times, seconds, side='right')) - 1
    duration = times[i + 1] - times[i]
    fraction = float((seconds - times[i]) / duration)
    scale = duration ** np.arange(3)[:, None]
    ends = np.concatenate([states[i] * scale, states[i + 1] * scale])
    # Not through the cache: every fraction is another one.
    result: DoubleArray = hermite.__wrapped__((fraction,))[:3, 0] @ ends / scale
    return result
