"""To rest along the planned way, for where the fastest stop would leave it: the plan, ever slower.

Joints that stop each as fast as it can do not stay on the way that was planned and checked; near a wall that matters.
"""

from __future__ import annotations

import math

import numpy as np

from vla_ros.action.stitch import ExecutingPlan, planned_state
from vla_ros.types import NANOSECONDS, DoubleArray, JointTrajectory

DURATIONS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.85, 1.0)
"""Seconds to try, the fastest first."""


def slow_down(plan: ExecutingPlan, at: int, seconds: float, dt: float) -> JointTrajectory:
    """The plan from ``at`` (ns) on, its own time slowed down to a stop with continuous acceleration.

    Args:
        seconds: until rest, rounded up to whole steps.
        dt: seconds between points.
    """
    steps = math.ceil(seconds / dt - 1e-9)
    duration = steps * dt
    u = np.arange(steps + 1) / steps
    # The pace falls from 1 to 0 as a quintic smooth step; elapsed is its integral, change its derivative.
    elapsed = duration * (u - (u**6 - 3 * u**5 + 2.5 * u**4))
    pace = 1 - (6 * u**5 - 15 * u**4 + 10 * u**3)
    change = -30 * u**2 * (1 - u) ** 2 / duration
    states = [planned_state(plan, at + round(t * NANOSECONDS)) for t in elapsed]
    positions, velocities, accelerations = (
        np.array([getattr(state, field) for state in states])
        for field in ('positions', 'velocities', 'accelerations')
    )
    slowed: DoubleArray = velocities * pace[:, None]
    bent: DoubleArray = accelerations * pace[:, None] ** 2 + velocities * change[:, None]
    slowed[-1] = bent[-1] = 0.0  # exactly, not but for rounding
    times: DoubleArray = dt * np.arange(steps + 1, dtype=float)
    return JointTrajectory(plan.trajectory.joint_names, times, positions, slowed, bent)
