"""From a fresh action chunk to what is left to do: the steps still due, from the planned state.

The arm executes the last plan while the model thinks. When its answer arrives, some steps are already past
and the arm is further on; the motion goes on smoothly only from the planned state, with its velocity and
acceleration, at the time when the controller takes the new plan over.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_ros.action.spline import state_at
from vla_ros.types import (
    NANOSECONDS,
    ActionChunk,
    DoubleArray,
    JointSample,
    JointTrajectory,
    VlaError,
    require_shape,
)


@dataclass(frozen=True)
class PlannedState:
    """Where joints are planned to be; (J,) each: rad, rad/s, rad/s^2."""

    positions: DoubleArray
    velocities: DoubleArray
    accelerations: DoubleArray


@dataclass(frozen=True)
class ExecutingPlan:
    """A trajectory that was sent, the time of its time zero in nanoseconds, and the policy's answers behind it.

    ``chunks`` are those that are not over, oldest first; a brake has none. ``stamped``: the controller is told
    ``started`` (see ``vla_ros.action.stamped``); otherwise it begins on arrival, foreseen at ``started``.
    ``lead_in``: nanoseconds at its beginning that only lead up to what is new; ``hold``: at its end, at rest only.
    """

    trajectory: JointTrajectory
    started: int
    chunks: tuple[ActionChunk, ...] = ()
    stamped: bool = False
    lead_in: int = 0
    hold: int = 0

    @property
    def ends(self) -> int:
        """When its last point is due, in nanoseconds."""
        return self.started + round(float(self.trajectory.times[-1]) * NANOSECONDS)

    @property
    def stamp(self) -> int:
        """What the header of its message says: nanoseconds, or 0 for on arrival, which no plan with a stamp may say."""
        return max(self.started, 1) if self.stamped else 0


@dataclass(frozen=True)
class StitchSettings:
    """How to go from one plan to the next.

    Attributes:
        transport_lead: seconds from now until the controller takes the new plan over.
        start_jump: rad, for all joints or one value a joint: where plan and measurement differ more, the
            joint starts from its measured state. Give a gripper that closes on objects a large value, or it
            loses its grip.
    """

    transport_lead: float = 0.01
    start_jump: float | tuple[float, ...] = 0.25


@dataclass(frozen=True)
class Stitched:
    """What the shaper needs.

    Attributes:
        start: the state at ``starts`` from which to go on.
        starts: nanoseconds; time zero of ``times``, and of the trajectory that is made of this.
        times: (N,) seconds when the way-points are due, increasing, > 0; N is 0 if all are past.
        positions: (N, J) rad.
        from_measured: (J,) bool, joints that start from the measured state.
    """

    start: PlannedState
    starts: int
    times: DoubleArray
    positions: DoubleArray
    from_measured: npt.NDArray[np.bool_]


def stitch(
    chunk: ActionChunk,
    *,
    now: int,
    plan: ExecutingPlan | None,
    measured: JointSample,
    settings: StitchSettings | None = None,
) -> Stitched:
    """Drop the steps that are past and find the state to go on from.

    Args:
        chunk: absolute positions; step i is due at ``stamp + (i + 1) * dt``.
        now: nanoseconds of the clock that stamped the chunk and the joints.
        plan: what the arm executes, or None if it rests or nobody knows.
        measured: the newest joint state.

    Raises:
        VlaError: the chunk has another number of joints than the measurement.
    """
    settings = settings or StitchSettings()
    require_shape('action chunk', chunk.positions, (None, len(measured.positions)))
    starts = now + round(settings.transport_lead * NANOSECONDS)
    start, from_measured = starting_state(plan, measured, starts, settings.start_jump)
    steps = np.arange(1, len(chunk.positions) + 1)
    due = chunk.stamp - starts + np.round(steps * (chunk.dt * NANOSECONDS)).astype(np.int64)
    left = due > 0
    return Stitched(start, starts, due[left] / NANOSECONDS, chunk.positions[left], from_measured)


def planned_state(plan: ExecutingPlan, at: int) -> PlannedState:
    """The state of a plan at a time (ns), as a controller interpolates it; at rest after the end."""
    trajectory = plan.trajectory
    points = np.stack([trajectory.positions, trajectory.velocities, trajectory.accelerations], axis=1)
    return PlannedState(*state_at(points, trajectory.times, (at - plan.started) / NANOSECONDS))


def planned_prefix(plan: ExecutingPlan, chunk_stamp: int, dt: float, steps: int) -> DoubleArray:
    """What the plan already fixes of a chunk with this stamp: its first ``steps`` rows, (steps, J) rad.

    The clean prefix of real-time chunking: these steps pass while the model thinks, so it must continue them.
    """
    due = [chunk_stamp + round((i + 1) * dt * NANOSECONDS) for i in range(steps)]
    rows = [planned_state(plan, at).positions for at in due]
    return np.array(rows).reshape(steps, len(plan.trajectory.joint_names))


def starting_state(
    plan: ExecutingPlan | None, measured: JointSample, at: int, start_jump: float | tuple[float, ...]
) -> tuple[PlannedState, npt.NDArray[np.bool_]]:
    """The planned state at ``at``; the measured one for joints without a plan or too far from it.

    Plan and measurement are compared at the stamp of the measurement.
    """
    joints = len(measured.positions)
    jump = np.asarray(start_jump, dtype=float)
    if jump.shape not in ((), (joints,)):
        raise VlaError(f'start_jump: expected one value or {joints}, found {jump.size}.')
    if plan is None:
        still = PlannedState(measured.positions.copy(), measured.velocities.copy(), np.zeros(joints))
        return still, np.ones(joints, dtype=bool)
    far = np.abs(planned_state(plan, measured.stamp).positions - measured.positions) > jump
    planned = planned_state(plan, at)
    start = PlannedState(
        np.where(far, measured.positions, planned.positions),
        np.where(far, measured.velocities, planned.velocities),
        np.where(far, 0.0, planned.accelerations),
    )
    return start, far
