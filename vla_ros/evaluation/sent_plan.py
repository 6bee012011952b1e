"""A plan as it was sent, and what its points mean: each step's quintic, solved for by itself, and looked at densely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_ros.types import NANOSECONDS, DoubleArray, JointTrajectory

PLACES = 33  # of each step that are looked at


@dataclass(frozen=True)
class Sent:
    """A plan as it was sent; times in nanoseconds.

    Attributes:
        trajectory, started: what is executed from when on.
        stamp: what the message says of that, 0 for on arrival.
        lead_in: how long it only leads up to what is new.
    """

    trajectory: JointTrajectory
    started: int
    stamp: int = 0
    lead_in: int = 0


def new_part(plan: Sent) -> Sent:
    """What comes after the lead-in."""
    if not plan.lead_in:
        return plan
    rows, seconds = plan.trajectory, plan.lead_in / NANOSECONDS
    new = rows.times > seconds - 1e-9
    trajectory = JointTrajectory(
        rows.joint_names,
        rows.times[new] - seconds,
        rows.positions[new],
        rows.velocities[new],
        rows.accelerations[new],
    )
    return Sent(trajectory, plan.started + plan.lead_in)


def polynomials(plan: JointTrajectory) -> DoubleArray:
    """Coefficients (P - 1, 6, J) of each step's quintic in seconds since its start, constant first."""
    coefficients = []
    for i, h in enumerate(np.diff(plan.times)):
        powers = h ** np.arange(6)
        rows = np.zeros((6, 6))
        rows[0, 0] = rows[1, 1] = 1.0
        rows[2, 2] = 2.0
        rows[3] = powers
        rows[4, 1:] = np.arange(1, 6) * powers[:5]
        rows[5, 2:] = np.arange(2, 6) * np.arange(1, 5) * powers[:4]
        ends = [plan.positions[i], plan.velocities[i], plan.accelerations[i]]
        ends += [plan.positions[i + 1], plan.velocities[i + 1], plan.accelerations[i + 1]]
        coefficients.append(np.linalg.solve(rows, np.array(ends)))
    return np.array(coefficients)


def derivatives(coefficients: DoubleArray, seconds: DoubleArray) -> list[DoubleArray]:
    """Position, velocity, acceleration and jerk (S, J) of a quintic (6, J)."""
    found = []
    for _ in range(4):
        powers = np.power.outer(seconds, np.arange(len(coefficients)))
        found.append(powers @ coefficients)
        coefficients = coefficients[1:] * np.arange(1, len(coefficients))[:, None]
    return found


def dense(plan: JointTrajectory) -> list[DoubleArray]:
    """Position, velocity, acceleration and jerk, each (S, J), all along a plan."""
    steps = [
        derivatives(coefficients, np.linspace(0.0, h, PLACES))
        for coefficients, h in zip(polynomials(plan), np.diff(plan.times))
    ]
    return [np.concatenate(rows) for rows in zip(*steps)]


def state_of(sent: Sent, at: int) -> list[DoubleArray]:
    """Position, velocity and acceleration (J,) of a plan at a time (ns)."""
    plan, seconds = sent.trajectory, (at - sent.started) / NANOSECONDS
    zero = np.zeros(plan.positions.shape[1])
    if seconds <= 0:
        return [plan.positions[0], plan.velocities[0], plan.accelerations[0]]
    if seconds >= plan.times[-1]:
        return [plan.positions[-1], zero, zero]
    i = int(np.searchsorted(plan.times, seconds, side='right')) - 1
    rows = derivatives(polynomials(plan)[i], np.array([seconds - plan.times[i]]))
    return [row[0] for row in rows[:3]]
