"""What a replay leaves: what was sent, decided and refused, and when."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from vla_ros.evaluation.recording import Recording
from vla_ros.types import JointTrajectory


@dataclass(frozen=True)
class Refused:
    """Something that a node refused, at a time in seconds."""

    at: float
    node: str
    reason: str
    sentence: str


@dataclass(frozen=True)
class Braked:
    """The arm was braked, at a time in seconds."""

    at: float
    why: str


@dataclass(frozen=True)
class Outcome:
    """Times are seconds from the beginning of the replay.

    Attributes:
        seconds: how long it is.
        clock: nanoseconds that the clock showed at the beginning.
        recorded: what the bag itself holds: joints, instructions, and plans and decisions if any were recorded.
        replayed: the same joints and instructions, with the plans and decisions of the replay.
        sent: nanoseconds at which each plan was sent, on the time line.
        brakes: why the arm was braked, in order.
        refusals: in order.
        latencies: seconds, by what they are of: computing times of this machine, and ages by the timing model.
        reports: what live nodes said of themselves on /diagnostics, by node.
    """

    seconds: float
    clock: int
    recorded: Recording
    replayed: Recording
    sent: tuple[int, ...] = ()
    brakes: tuple[Braked, ...] = ()
    refusals: tuple[Refused, ...] = ()
    latencies: dict[str, list[float]] = field(default_factory=dict)
    reports: dict[str, dict[str, str]] = field(default_factory=dict)

    def refused(self) -> dict[str, dict[str, int]]:
        """How often each node refused for each reason."""
        counts = Counter((refusal.node, refusal.reason) for refusal in self.refusals)
        nodes = sorted({node for node, _ in counts})
        return {
            node: {reason: counts[n, reason] for n, reason in sorted(counts) if n == node} for node in nodes
        }


def trajectories_sha256(sent: tuple[int, ...], plans: tuple[JointTrajectory, ...]) -> str:
    """Of the last bit of every plan: when it was sent, joints, times, positions, velocities, accelerations."""
    digest = hashlib.sha256()
    for at, plan in zip(sent, plans, strict=True):
        digest.update(f'{at} {" ".join(plan.joint_names)} {len(plan.times)}\n'.encode())
        for values in (plan.times, plan.positions, plan.velocities, plan.accelerations):
            digest.update(np.ascontiguousarray(values, '<f8').tobytes())
    return digest.hexdigest()


def decisions_sha256(recording: Recording) -> str:
    """Of every decision: when it was made, verdict, subtask, instruction, trace and target."""
    digest = hashlib.sha256()
    for at, decision in recording.decisions:
        told = (at, decision.verdict.value, decision.subtask, decision.instruction, decision.trace)
        digest.update(repr((*told, decision.target)).encode())
    return digest.hexdigest()
