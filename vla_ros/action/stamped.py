"""Plans that begin at a time of the clock, not on arrival: one that comes late or early does not make the command jump.

A joint_trajectory_controller takes a message with a stamp up where its clock says that it should be by now. But it
forgets the plan before as soon as it has the message, due or not, and goes to the first point from where the arm is
measured. So a stamped plan has points of the past, too: what the plan before has from the stamp of the newest joint
state on. The controller's clock, which stamped that, is past it, whatever the clocks differ by.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from vla_ros.action.stitch import ExecutingPlan, PlannedState, planned_state
from vla_ros.types import NANOSECONDS, DoubleArray, JointTrajectory

SHORTEST = NANOSECONDS // 10_000  # ns between points; a spline over less loses digits
SAME = (1e-6, 1e-6, 1e-4)  # rad, rad/s, rad/s^2: rounding


def stamped(plan: ExecutingPlan, before: ExecutingPlan | None, since: int) -> ExecutingPlan:
    """The same motion, to begin at its time.

    Args:
        before: the plan that was sent before it. Joints that do not go on from that come with constant velocity.
        since: nanoseconds that the controller's clock is past, as far as anybody knows.
    """
    begins = since if before is None else max(since, before.started)
    if begins > plan.started - SHORTEST:
        return replace(plan, stamped=True)
    first = planned_state(plan, plan.started)
    knots: npt.NDArray[np.int64] = np.array([], np.int64)
    goes_on: npt.NDArray[np.bool_] = np.zeros(len(first.positions), bool)
    if before is not None:
        knots = before.started + np.round(before.trajectory.times * NANOSECONDS).astype(np.int64)
        goes_on = _same(planned_state(before, plan.started), first)
    inside = knots[(knots > begins + SHORTEST) & (knots < plan.started - SHORTEST)]
    moments = [begins, *inside.tolist()]
    states = [_coming(first, (moment - plan.started) / NANOSECONDS) for moment in moments]
    if before is not None:
        states = [
            _chosen(goes_on, planned_state(before, at), state)
            for at, state in zip(moments, states, strict=True)
        ]
    rows = plan.trajectory
    due = plan.started + np.round(rows.times * NANOSECONDS).astype(np.int64)
    trajectory = JointTrajectory(
        rows.joint_names,
        (np.array([*moments, *due.tolist()]) - begins) / NANOSECONDS,
        np.concatenate([[state.positions for state in states], rows.positions]),
        np.concatenate([[state.velocities for state in states], rows.velocities]),
        np.concatenate([[state.accelerations for state in states], rows.accelerations]),
    )
    return replace(plan, trajectory=trajectory, started=begins, stamped=True, lead_in=plan.started - begins)


def outlasting(plan: ExecutingPlan, before: ExecutingPlan) -> ExecutingPlan:
    """The same motion, and then at rest until the plan before would be over.

    A controller refuses what has ended by its stamp when it comes, and goes on with the plan before: a brake that comes
    late must not be lost by that.
    """
    hold = before.ends - plan.ends
    if hold < SHORTEST:
        return plan
    rows = plan.trajectory
    still = np.zeros_like(rows.positions[-1:])
    trajectory = JointTrajectory(
        rows.joint_names,
        np.append(rows.times, rows.times[-1] + hold / NANOSECONDS),
        np.concatenate([rows.positions, rows.positions[-1:]]),
        np.concatenate([rows.velocities, still]),
        np.concatenate([rows.accelerations, still]),
    )
    return replace(plan, trajectory=trajectory, hold=hold)


def _same(one: PlannedState, other: PlannedState) -> npt.NDArray[np.bool_]:
    """(J,) whether joints are in the same state."""
    gaps = (
        one.positions - other.positions,
        one.velocities - other.velocities,
        one.accelerations - other.accelerations,
    )
    result: npt.NDArray[np.bool_] = np.all(
        [np.abs(gap) <= most for gap, most in zip(gaps, SAME, strict=True)], axis=0
    )
    return result


def _coming(first: PlannedState, seconds: float) -> PlannedState:
    """``seconds`` (negative) before a state, at constant velocity."""
    return PlannedState(
        first.positions + seconds * first.velocities, first.velocities, np.zeros_like(first.positions)
    )


def _chosen(mask: npt.NDArray[np.bool_], one: PlannedState, other: PlannedState) -> PlannedState:
    def column(name: str) -> DoubleArray:
        return np.where(mask, getattr(one, name), getattr(other, name))

    return PlannedState(column('positions'), column('velocities'), column('accelerations'))
