"""The last look at a plan before it is sent: accepted whole or refused whole, with a reason; never modified.

The guard trusts nobody upstream. It knows limits, clocks and what the person allowed, and it recomputes what
a controller would execute from the numbers that would be sent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_ros.action.limits import JointLimits
from vla_ros.action.refusal import GuardReason, Refusal
from vla_ros.action.spline import resample
from vla_ros.action.workspace import workspace_fault
from vla_ros.types import NANOSECONDS, ActionChunk, DoubleArray, JointSample, JointTrajectory, VlaError

REST = 1e-7  # rad/s and rad/s^2; controllers refuse an end that is faster
FRACTIONS = tuple(float(f) for f in np.linspace(0.0, 1.0, 17))  # of a step, where limits are checked
ROUNDING = 1e-7  # rad, and share of the other limits
WORKSPACE_EVERY = 4  # of those places the workspace is checked at: bends of the way in between are below 1 mm


@dataclass(frozen=True)
class GuardSettings:
    """What is too old, too far or too long.

    Attributes:
        max_observation_age, max_thought_age, max_joint_state_age: seconds.
        clock_slack: seconds by which a stamp may lie in the future before its clock is not believed.
        start_jump: rad from the start of a plan to the measured joints, for all joints or one value a joint.
        position_margin: rad by which a raw chunk may exceed the limits; the shaper clips that much.
        max_duration: seconds of a plan or a chunk.
    """

    max_observation_age: float = 0.5
    max_thought_age: float = 3.0
    max_joint_state_age: float = 0.2
    clock_slack: float = 0.05
    start_jump: float | tuple[float, ...] = 0.3
    position_margin: float = 0.1
    max_duration: float = 5.0


@dataclass(frozen=True)
class Circumstances:
    """What holds at the moment of sending; stamps in nanoseconds of one clock, None if there is none yet.

    Attributes:
        now: that moment.
        enabled, stopped: what the person allowed.
        holds_still: the thought says hold.
        observation: stamp of what the plan was made from.
        thought: stamp of the thought it was made with.
        joints: the newest joint state.
    """

    now: int
    enabled: bool
    stopped: bool
    holds_still: bool
    observation: int | None
    thought: int | None
    joints: JointSample | None


class Guard:
    """Holds the limits and settings; every check is a pure function of what it is given.

    Raises:
        VlaError: ``start_jump`` has another number of values than there are joints.
    """

    def __init__(self, limits: JointLimits, settings: GuardSettings | None = None) -> None:
        self.limits = limits
        self.settings = settings or GuardSettings()
        if np.shape(self.settings.start_jump) not in ((), (len(limits.names),)):
            found = np.size(self.settings.start_jump)
            raise VlaError(f'start_jump: expected one value or {len(limits.names)}, found {found}.')

    def check_chunk(self, chunk: ActionChunk) -> Refusal | None:
        """Refuse a model's answer that is not worth shaping."""
        return chunk_fault(chunk, self.limits, self.settings)

    def check(self, trajectory: JointTrajectory, circumstances: Circumstances) -> Refusal | None:
        """Refuse a plan that must not be sent now; None lets it pass."""
        return (
            permission_fault(circumstances)
            or age_fault(circumstances, self.settings)
            or form_fault(trajectory, self.limits.names, self.settings.max_duration)
            or jump_fault(trajectory, circumstances.joints, self.settings.start_jump)
            or path_fault(trajectory, self.limits)
            or end_fault(trajectory)
        )

    def check_brake(self, trajectory: JointTrajectory) -> Refusal | None:
        """Refuse a braking plan that is not one: to brake is allowed at any time, from any speed."""
        return form_fault(trajectory, self.limits.names, self.settings.max_duration) or end_fault(trajectory)

    def check_path(self, trajectory: JointTrajectory) -> Refusal | None:
        """Refuse a plan for where it leads, whatever the circumstances."""
        return path_fault(trajectory, self.limits)


def permission_fault(circumstances: Circumstances) -> Refusal | None:
    """Stopped, not enabled, or told to hold still."""
    if circumstances.stopped:
        return Refusal(GuardReason.STOPPED, 'The arm is stopped; call reset before it moves again.')
    if not circumstances.enabled:
        return Refusal(GuardReason.NOT_ENABLED, 'The arm is not enabled; call enable to let it move.')
    if circumstances.holds_still:
        return Refusal(GuardReason.HOLD, 'The thought says hold still.')
    return None


def age_fault(circumstances: Circumstances, settings: GuardSettings) -> Refusal | None:
    """Something is missing, too old, or stamped in the future."""
    joints = circumstances.joints
    stamps = (
        ('joint state', joints.stamp if joints else None, settings.max_joint_state_age),
        ('observation', circumstances.observation, settings.max_observation_age),
        ('thought', circumstances.thought, settings.max_thought_age),
    )
    for name, stamp, largest in stamps:
        reason = GuardReason('stale_' + name.replace(' ', '_'))
        if stamp is None:
            return Refusal(reason, f'There is no {name} yet.')
        age = (circumstances.now - stamp) / NANOSECONDS
        if age > largest:
            return Refusal(reason, f'The {name} is {age:.3f} s old; the most is {largest:g} s.')
        if age < -settings.clock_slack:
            return Refusal(reason, f'The {name} is stamped {-age:.3f} s in the future; the clocks disagree.')
    return None


def joint_state_fault(joints: JointSample | None, count: int) -> Refusal | None:
    """Nothing says where all ``count`` joints are and how fast."""
    if joints is not None and all(
        values.shape == (count,) and np.isfinite(values).all()
        for values in (joints.positions, joints.velocities)
    ):
        return None
    return Refusal(GuardReason.STALE_JOINT_STATE, 'The joint state does not say where all joints are.')


def chunk_fault(chunk: ActionChunk, limits: JointLimits, settings: GuardSettings) -> Refusal | None:
    """Wrong shape, not finite, too long, or far outside of the position limits."""
    positions, joints = chunk.positions, len(limits.names)
    if positions.size == 0:
        return Refusal(GuardReason.EMPTY, 'The action chunk is empty.')
    if positions.ndim != 2 or positions.shape[1] != joints:
        sentence = f'The action chunk has shape {positions.shape}; expected (any, {joints}).'
        return Refusal(GuardReason.WRONG_JOINTS, sentence)
    if not (np.isfinite(positions).all() and np.isfinite(chunk.dt)):
        return Refusal(GuardReason.NON_FINITE, 'The action chunk has numbers that are not finite.')
    if chunk.dt <= 0:
        return Refusal(GuardReason.NOT_INCREASING, f'The action chunk has steps of {chunk.dt:g} s.')
    if chunk.dt * len(positions) > settings.max_duration:
        return _too_long('action chunk', chunk.dt * len(positions), settings.max_duration)
    margin = settings.position_margin + 1e-9  # the margin itself is allowed, rounding or not
    lower, upper = limits.min_position - margin, limits.max_position + margin
    return _beyond(GuardReason.POSITION_LIMIT, 'position', positions, lower, upper, limits.names)


def form_fault(trajectory: JointTrajectory, names: tuple[str, ...], max_duration: float) -> Refusal | None:
    """Empty, other joints, arrays that do not fit, not finite, times not from 0 upwards, too long."""
    times = trajectory.times
    if times.size == 0:
        return Refusal(GuardReason.EMPTY, 'The plan has no points.')
    if trajectory.joint_names != names:
        sentence = f'The plan is for joints {list(trajectory.joint_names)}; expected {list(names)}.'
        return Refusal(GuardReason.WRONG_JOINTS, sentence)
    fields = (trajectory.positions, trajectory.velocities, trajectory.accelerations)
    for field in fields:
        if field.shape != (times.size, len(names)):
            sentence = f'The plan has an array of shape {field.shape}; expected {(times.size, len(names))}.'
            return Refusal(GuardReason.WRONG_JOINTS, sentence)
    if not all(np.isfinite(field).all() for field in (times, *fields)):
        return Refusal(GuardReason.NON_FINITE, 'The plan has numbers that are not finite.')
    if times[-1] > max_duration:
        return _too_long('plan', times[-1], max_duration)
    if times[0] != 0 or (np.diff(np.round(times * NANOSECONDS)) <= 0).any():
        return Refusal(GuardReason.NOT_INCREASING, 'The times of the plan do not go from 0 strictly upwards.')
    return None


def jump_fault(
    trajectory: JointTrajectory, joints: JointSample | None, start_jump: float | tuple[float, ...]
) -> Refusal | None:
    """The plan begins too far from where the arm is."""
    start = trajectory.positions[0]
    fault = joint_state_fault(joints, len(start))
    if fault is not None or joints is None:
        return fault
    jump = np.abs(start - joints.positions)
    excess = jump - np.asarray(start_jump)
    if excess.max() > 0:
        i = int(excess.argmax())
        sentence = f'The plan begins {jump[i]:.3f} rad from where {trajectory.joint_names[i]} is.'
        return Refusal(GuardReason.START_JUMP, sentence)
    return None


def path_fault(trajectory: JointTrajectory, limits: JointLimits) -> Refusal | None:
    """The spline through the points, not only the points, leaves the limits or the workspace.

    An arm that already is outside of its position limits or of the workspace may come back, not go further.
    """
    states = np.stack([trajectory.positions, trajectory.velocities, trajectory.accelerations], axis=1)
    joints = states.shape[2]
    if len(states) == 1:
        motion = np.concatenate([states[0], np.zeros((1, joints))])[:, None, None]
    else:
        motion = resample(states, np.diff(trajectory.times), FRACTIONS)
    spacing = np.diff(trajectory.times)[:, None, None] / (len(FRACTIONS) - 1)
    fault = limit_fault(motion, spacing, limits)
    if fault is None and limits.workspace is not None:
        way = motion[0, :, :-1:WORKSPACE_EVERY].reshape(-1, joints)
        fault = workspace_fault(np.concatenate([way, trajectory.positions[-1:]]), limits.workspace)
    return fault


def limit_fault(motion: DoubleArray, spacing: DoubleArray, limits: JointLimits) -> Refusal | None:
    """Positions, velocities, accelerations or jerks (4, P, M, J) on the way are beyond the limits.

    ``spacing`` (P, 1, 1) in seconds is between neighbours of the M places.
    """
    start = motion[0, 0, 0]
    lower = np.minimum(limits.min_position, start) - ROUNDING
    upper = np.maximum(limits.max_position, start) + ROUNDING
    places = np.concatenate([motion[0], _turning_points(motion, spacing)])
    fault = _beyond(GuardReason.POSITION_LIMIT, 'position', places, lower, upper, limits.names)
    rates = (
        (GuardReason.VELOCITY_LIMIT, 'velocity', motion[1], limits.max_velocity),
        (GuardReason.ACCELERATION_LIMIT, 'acceleration', motion[2], limits.max_acceleration),
        (GuardReason.JERK_LIMIT, 'jerk', motion[3], limits.max_jerk),
    )
    for reason, name, values, largest in rates:
        allowed = largest * (1 + ROUNDING)
        fault = fault or _beyond(reason, name, values, -allowed, allowed, limits.names)
    return fault


def _turning_points(motion: DoubleArray, spacing: DoubleArray) -> DoubleArray:
    """Positions (P, M, J) furthest on before the next place, where a joint turns around in between."""
    position, velocity, acceleration, jerk = motion
    until = np.divide(-velocity, acceleration, out=np.zeros_like(velocity), where=np.abs(acceleration) > 1e-9)
    t = np.clip(until, 0.0, spacing)
    # The way itself, but for its fourth derivative, which is nothing in so short a time.
    furthest: DoubleArray = position + t * (velocity + t * (acceleration / 2 + t * jerk / 6))
    return furthest


def end_fault(trajectory: JointTrajectory) -> Refusal | None:
    """The plan does not end at rest: were nothing to follow, the arm would not be left still."""
    speed = np.abs(trajectory.velocities[-1]).max()
    acceleration = np.abs(trajectory.accelerations[-1]).max()
    if speed > REST or acceleration > REST:
        sentence = f'The plan ends at {speed:.3g} rad/s and {acceleration:.3g} rad/s^2, not at rest.'
        return Refusal(GuardReason.NOT_AT_REST_AT_END, sentence)
    return None


def _too_long(what: str, seconds: float, largest: float) -> Refusal:
    sentence = f'The {what} lasts {seconds:.2f} s; the most is {largest:g} s.'
    return Refusal(GuardReason.TOO_LONG, sentence)


def _beyond(
    reason: GuardReason,
    quantity: str,
    values: DoubleArray,
    lower: DoubleArray,
    upper: DoubleArray,
    names: tuple[str, ...],
) -> Refusal | None:
    """Refuse the joint that is furthest outside; ``values`` is (..., J), the bounds (J,)."""
    excess = np.maximum(lower - values, values - upper)
    if excess.max() <= 0:
        return None
    place = int(excess.argmax())
    joint = place % len(names)
    value = values.flat[place]
    bound = lower[joint] if value < lower[joint] else upper[joint]
    sentence = f'The {quantity} of {names[joint]} would be {value:.3f}; the limit is {bound:.3f}.'
    return Refusal(reason, sentence)
