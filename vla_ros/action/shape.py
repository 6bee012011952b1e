"""From way-points to a trajectory within limits that ends at rest.

Every plan is a mixture of two motions from the same start:

- The wish: the motion that is nearest to the way-points and smoothest, in the least-squares sense (a
  smoothing spline with constant jerk in each step), and that comes to rest at the last of them. It sees
  the whole chunk at once, so it does not lag behind a moving target as a filter would, nor chatter as
  time-optimal pursuit of noisy targets does.
- The stop: the fastest way to rest within the limits, from Ruckig. It is always there.

If the wish is within the limits, it is the plan. If not, gentler wishes are tried, each mixed with as much of
the stop as the limits ask for, and the nearest to the way-points wins. Limits are convex, so such a mixture
exists, joint by joint. A plan ends at rest within the limits; so from any of its states there is a stop
within them: the next plan exists.

Limits hold for what the controller executes between the points (see spline.py), so plans are made within
limits narrowed by what that interpolation can add.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import ruckig

from vla_ros.action.limits import JointLimits
from vla_ros.action.spline import (
    ACCELERATION_SHIFT,
    POSITION_SHIFT,
    PROJECTION_GAIN,
    VELOCITY_SHIFT,
    resample,
)
from vla_ros.action.stitch import PlannedState
from vla_ros.types import DoubleArray, JointTrajectory, VlaError, require_shape

GENTLER = (1.0, 1.5, 2.25, 3.5, 5.0, 8.0, 12.0)  # times the smoothing of the first wish
FRACTIONS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of a step, where limits are checked
LONGEST_PLAN = 400  # points


@dataclass(frozen=True)
class ShapeSettings:
    """How plans are made.

    Attributes:
        dt: seconds between points.
        smoothing: seconds; motions quicker than about this are taken for noise and smoothed away.
    """

    dt: float = 0.05
    smoothing: float = 0.08


@dataclass(frozen=True)
class _Bounds:
    """What plans keep to: lower and upper (4, J) for position, velocity, acceleration, jerk."""

    lower: DoubleArray
    upper: DoubleArray


def shape(
    start: PlannedState,
    times: DoubleArray,
    positions: DoubleArray,
    limits: JointLimits,
    settings: ShapeSettings | None = None,
) -> JointTrajectory:
    """A trajectory near the way-points, within the limits, at rest at its end.

    Args:
        start: the state at time 0, and the first point of the trajectory: a controller that is told where a
            plan begins runs it as it is; otherwise it bends the first step from where it believes to be.
        times: (N,) seconds, > 0, increasing. No way-points means brake.
        positions: (N, J) rad. Clipped to the limits; a chunk far outside of them the guard refuses before.

    Raises:
        VlaError: shapes that do not match, numbers that are not finite, a plan or a stop that takes too long.
    """
    settings = settings or ShapeSettings()
    joints = len(limits.names)
    require_shape('way-points', positions, (len(times), joints))
    require_shape('start', start.positions, (joints,))
    state = np.stack([start.positions, start.velocities, start.accelerations]).astype(float)
    if not (np.isfinite(state).all() and np.isfinite(positions).all() and np.isfinite(times).all()):
        raise VlaError('A plan cannot be made of numbers that are not finite; refuse the chunk first.')
    bounds = _narrowed(limits, settings.dt)
    goals = np.clip(positions, bounds.lower[0], bounds.upper[0])
    if len(times) == 0:
        return _trajectory(state, _stop(state, bounds, settings.dt, 1), limits.names, settings.dt)
    steps = math.ceil(times[-1] / settings.dt) + _tail(bounds, settings.dt)
    if steps > LONGEST_PLAN:
        raise VlaError(f'A plan of {steps} points is too long; the most is {LONGEST_PLAN}.')
    grid = settings.dt * np.arange(1, steps + 1)
    knots = np.concatenate([[0.0], times])
    values = np.concatenate([state[:1], goals])
    # After the last way-point, np.interp stays there.
    reference = np.stack([np.interp(grid, knots, column) for column in values.T], axis=1)
    points = _plan(state, reference, bounds, settings)
    return _trajectory(state, points, limits.names, settings.dt)


def brake(start: PlannedState, limits: JointLimits, settings: ShapeSettings | None = None) -> JointTrajectory:
    """The fastest way to rest within the limits."""
    none = np.empty((0, len(limits.names)))
    return shape(start, none[:, 0], none, limits, settings)


def _plan(
    state: DoubleArray, reference: DoubleArray, bounds: _Bounds, settings: ShapeSettings
) -> DoubleArray:
    """The points (P, 3, J) of the best plan, joint by joint."""
    dt = settings.dt
    wish = _wish(reference, state, dt, settings.smoothing)
    executed = _executed(state, wish, dt)
    ready = ((executed >= bounds.lower[:, None]) & (executed <= bounds.upper[:, None])).all(axis=(0, 1))
    if ready.all():
        return wish
    stop = _stop(state, bounds, dt, len(reference))
    reference = _held(reference, len(stop))
    halting = _executed(state, stop, dt)
    # Where even the stop is outside, as after a push, a plan may be as far outside as the stop, not further.
    lower = np.minimum(bounds.lower[:, None], halting) - halting
    upper = np.maximum(bounds.upper[:, None], halting) - halting
    best = wish
    cost = np.where(ready, -1.0, np.inf)
    for factor in GENTLER:
        wish = _wish(reference, state, dt, factor * settings.smoothing)
        share = _largest_share(_executed(state, wish, dt) - halting, lower, upper)
        mixed = stop + share * (wish - stop)
        error = np.square(mixed[:, 0] - reference).sum(axis=0)
        better = error < cost
        best = np.where(better, mixed, _held(best, len(stop)))
        cost = np.where(better, error, cost)
    return best


def _largest_share(step: DoubleArray, lower: DoubleArray, upper: DoubleArray) -> DoubleArray:
    """The largest share (J,) in 0..1 with ``lower <= share * step <= upper``.

    All are (4, S, J), and ``lower <= 0 <= upper``.
    """
    room = np.where(step > 0, upper, lower)
    ratio = np.divide(room, step, out=np.ones_like(step), where=np.abs(step) > 1e-12)
    share: DoubleArray = np.clip(ratio.min(axis=(0, 1)), 0.0, 1.0)
    return share


def _wish(reference: DoubleArray, state: DoubleArray, dt: float, smoothing: float) -> DoubleArray:
    """Points (P, 3, J) of the wish for a reference (P, J) and a start state (3, J)."""
    matrix = _smoother(len(reference), dt, smoothing)
    points: DoubleArray = (matrix @ np.concatenate([reference, state])).reshape(len(reference), 3, -1)
    return points


@lru_cache(maxsize=1024)
def _smoother(steps: int, dt: float, smoothing: float) -> DoubleArray:
    """The matrix (3 * steps, steps + 3) from reference over start state to the points of the wish.

    Minimises the sum over the reference of squared distances plus ``smoothing**6`` times the sum of squared
    jerks, with velocity and acceleration zero at the end. One jerk a step; a distance of 1 weighs as much as
    a jerk of ``1 / smoothing**3``.
    """
    transition = np.array([[1.0, dt, dt * dt / 2], [0.0, 1.0, dt], [0.0, 0.0, 1.0]])
    kick = np.array([dt**3 / 6, dt * dt / 2, dt])
    free = np.zeros((steps, 3, 3))  # start state to point
    forced = np.zeros((steps, 3, steps))  # jerks to point
    carried = np.eye(3)
    for k in range(steps):
        carried = transition @ carried
        free[k] = carried
        if k > 0:
            forced[k] = transition @ forced[k - 1]
        forced[k, :, k] += kick
    distance, rest = forced[:, 0], forced[-1, 1:]
    system = np.zeros((steps + 2, steps + 2))
    system[:steps, :steps] = distance.T @ distance + smoothing**6 * np.eye(steps)
    system[:steps, steps:] = rest.T
    system[steps:, :steps] = rest
    known = np.zeros((steps + 2, steps + 3))
    known[:steps, :steps] = distance.T
    known[:steps, steps:] = -distance.T @ free[:, 0]
    known[steps:, steps:] = -free[-1, 1:]
    jerks = np.linalg.solve(system, known)[:steps]
    points = forced @ jerks
    points[:, :, steps:] += free
    matrix = points.reshape(3 * steps, steps + 3)
    matrix.setflags(write=False)
    return matrix


def _stop(state: DoubleArray, bounds: _Bounds, dt: float, steps: int) -> DoubleArray:
    """Points (P, 3, J), P >= steps, of the fastest stop of each joint by itself."""
    joints = state.shape[1]
    request = ruckig.InputParameter(joints)
    request.control_interface = ruckig.ControlInterface.Velocity
    request.synchronization = ruckig.Synchronization.No
    request.current_position, request.current_velocity, request.current_acceleration = state.tolist()
    request.target_velocity = request.target_acceleration = [0.0] * joints
    request.max_velocity, request.max_acceleration, request.max_jerk = bounds.upper[1:].tolist()
    motion = ruckig.Trajectory(joints)
    result = ruckig.Ruckig(joints).calculate(request, motion)
    if result not in (ruckig.Result.Working, ruckig.Result.Finished):
        raise VlaError(f'No stop was found from positions {state[0]} at velocities {state[1]} ({result}).')
    steps = max(steps, math.ceil(motion.duration / dt))
    if steps > LONGEST_PLAN:
        raise VlaError(f'A stop from velocities {state[1]} would take {motion.duration:.1f} s; too long.')
    return np.array([motion.at_time(dt * (i + 1)) for i in range(steps)])


def _held(rows: DoubleArray, count: int) -> DoubleArray:
    """The same rows, and the last one again until there are ``count``."""
    return np.concatenate([rows, np.repeat(rows[-1:], count - len(rows), axis=0)])


def _executed(state: DoubleArray, points: DoubleArray, dt: float) -> DoubleArray:
    """(4, S, J): positions, velocities, accelerations and jerks on the way through the points."""
    states = np.concatenate([state[None], points])
    return resample(states, np.full(len(points), dt), FRACTIONS).reshape(4, -1, state.shape[1])


def _narrowed(limits: JointLimits, dt: float) -> _Bounds:
    """Limits less what the controller's interpolation can add in a step."""
    # A jerk that takes the whole acceleration in less than a step could not be told apart at this spacing.
    jerk = np.minimum(limits.max_jerk / PROJECTION_GAIN, limits.max_acceleration / dt)
    acceleration = limits.max_acceleration - ACCELERATION_SHIFT * jerk * dt
    velocity = limits.max_velocity - np.minimum(VELOCITY_SHIFT * jerk * dt**2, 0.5 * limits.max_velocity)
    # A mixture can brake a fraction of a step later than its stop alone; 0.12 is more than was ever seen.
    gap = (POSITION_SHIFT + 0.12) * jerk * dt**3 + acceleration * (dt * FRACTIONS[1]) ** 2 / 8
    gap = np.minimum(gap, (limits.max_position - limits.min_position) / 4)
    largest = np.stack([velocity, acceleration, jerk])
    return _Bounds(
        np.concatenate([[limits.min_position + gap], -largest]),
        np.concatenate([[limits.max_position - gap], largest]),
    )


def _tail(bounds: _Bounds, dt: float) -> int:
    """Steps for the smoothest stop from full speed, whose acceleration is 1.5 v / t and jerk 6 v / t^2."""
    velocity, acceleration, jerk = bounds.upper[1:]
    seconds = np.maximum(1.5 * velocity / acceleration, np.sqrt(6 * velocity / jerk)).max()
    return math.ceil(float(seconds) / dt) + 1


def _trajectory(
    state: DoubleArray, points: DoubleArray, names: tuple[str, ...], dt: float
) -> JointTrajectory:
    states = np.concatenate([state[None], points])
    states[-1, 1:] = 0.0  # exactly, not but for rounding
    times: DoubleArray = dt * np.arange(len(states), dtype=float)
    return JointTrajectory(names, times, states[:, 0], states[:, 1], states[:, 2])
