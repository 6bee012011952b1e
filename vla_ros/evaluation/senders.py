"""Ways to send a policy's chunks to a trajectory controller. All of them drop the steps that are past."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from vla_ros.action.guard import Circumstances
from vla_ros.action.limits import JointLimits
from vla_ros.action.planner import Planner, PlannerSettings
from vla_ros.action.stitch import ExecutingPlan
from vla_ros.action.stitching import make_stitching
from vla_ros.evaluation.closed_loop import trajectory_message
from vla_ros.evaluation.expert_policy import HORIZON, ExpertPolicy
from vla_ros.manifest import ChunkSpec
from vla_ros.sim.expert import PERIOD
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.sim.trajectory_message import TrajectoryMessage, TrajectoryPoint
from vla_ros.types import NANOSECONDS, ActionChunk, DoubleArray, JointSample, Thought, VisualTokens

STEP = round(PERIOD * NANOSECONDS)
PREFIX = 6


class Sender(Protocol):
    """Asks for chunks and makes messages of them; times in nanoseconds."""

    def look(self, policy: ExpertPolicy, now: int, joints: JointSample) -> ActionChunk:
        """The chunk for what is seen now; its answer comes later."""
        ...

    def answer(self, chunk: ActionChunk, now: int, joints: JointSample) -> TrajectoryMessage | None:
        """What to send when the chunk has come."""
        ...

    def tick(self, now: int) -> TrajectoryMessage | None:
        """What to send at a step of the policy."""
        ...

    def brake(self, now: int, joints: JointSample) -> TrajectoryMessage | None:
        """What to send to bring the arm to rest; None if this way to send has no brake."""
        ...


class OnePoint:
    """One point a message and a message a step of the policy, from a queue of targets by the time they are due.

    A new chunk replaces what is due later than now, as in LeRobot's queue with ``latest_only``.

    Args:
        row: of the targets that are due, 0 is the one due now, 1 the one due a step later.
        seconds: the time at which the point says to be there. At 0 the command jumps there; otherwise the controller
            goes there in a straight line from where the arm is measured.
    """

    def __init__(self, row: int, seconds: float) -> None:
        self._row, self._seconds = row, seconds
        self._queue: dict[int, DoubleArray] = {}

    def look(self, policy: ExpertPolicy, now: int, joints: JointSample) -> ActionChunk:
        return policy.chunk(now)

    def answer(self, chunk: ActionChunk, now: int, joints: JointSample) -> None:
        kept = {due: row for due, row in self._queue.items() if due <= now}
        new = {chunk.stamp + (i + 1) * STEP: row for i, row in enumerate(chunk.positions)}
        self._queue = kept | {due: row for due, row in new.items() if due > now}

    def tick(self, now: int) -> TrajectoryMessage | None:
        row = self._queue.get(now + self._row * STEP)
        if row is None:
            return None
        point = TrajectoryPoint(tuple(row), time_from_start=self._seconds)
        return TrajectoryMessage(0, JOINT_NAMES, (point,))

    def brake(self, now: int, joints: JointSample) -> None:
        return None


class ManyPoints:
    """The whole chunk in one message, positions only."""

    def look(self, policy: ExpertPolicy, now: int, joints: JointSample) -> ActionChunk:
        return policy.chunk(now)

    def answer(self, chunk: ActionChunk, now: int, joints: JointSample) -> TrajectoryMessage | None:
        due = (chunk.stamp - now + STEP * np.arange(1, len(chunk.positions) + 1)) / NANOSECONDS
        points = tuple(
            TrajectoryPoint(tuple(row), time_from_start=float(t))
            for t, row in zip(due, chunk.positions)
            if t > 0
        )
        return TrajectoryMessage(0, JOINT_NAMES, points) if points else None

    def tick(self, now: int) -> None:
        return None

    def brake(self, now: int, joints: JointSample) -> None:
        return None


class Planned:
    """Stitched, shaped and guarded, as the action node does it. ``refused`` counts what did not pass."""

    def __init__(
        self,
        policy: ExpertPolicy,
        limits: JointLimits,
        stitching: str,
        early: bool = False,
        stamp_plans: bool = PlannerSettings.stamp_plans,
    ) -> None:
        spec = ChunkSpec(horizon=HORIZON, dt=PERIOD, representation='absolute', prefix=PREFIX)
        settings = PlannerSettings(stitching=make_stitching(stitching, PREFIX), stamp_plans=stamp_plans)
        self._planner = Planner(policy, spec, limits, settings)
        self._sooner = STEP if early else 0
        self.refused = 0

    def look(self, policy: ExpertPolicy, now: int, joints: JointSample) -> ActionChunk:
        tokens = VisualTokens(now, np.zeros((1, 1), np.float32))
        return self._planner.chunk(tokens, Thought(now, np.ones((1, 1), np.float32)), joints, joints, now)

    def answer(self, chunk: ActionChunk, now: int, joints: JointSample) -> TrajectoryMessage | None:
        calm = Circumstances(now, True, False, False, chunk.stamp, chunk.stamp, joints)
        result = self._planner.next_plan(replace(chunk, stamp=chunk.stamp - self._sooner), calm)
        if not isinstance(result, ExecutingPlan):
            self.refused += 1
            return None
        self._planner.plan = result
        return trajectory_message(result)

    def tick(self, now: int) -> None:
        return None

    def brake(self, now: int, joints: JointSample) -> TrajectoryMessage | None:
        result = self._planner.braking_plan(now, joints)
        if not isinstance(result, ExecutingPlan):
            return None
        self._planner.plan = result
        return trajectory_message(result)


ROADS = (
    'one point, on time',
    'one point, early',
    'one point, ahead',
    'many points',
    'ours, early',
    'ours, on arrival',
    'ours, prefix',
    'ours, ramp',
    'ours, ensemble',
)
"""'on time' jumps to each target when it is due; 'early' a step before, as lerobot-ros, rosetta and others do with
actions that were recorded so; 'ahead' sends the same target for the end of the step. 'ours, early' takes ours a step
early, too: the timing of 'one point, early', sent our way. 'ours, on arrival' is 'ours, prefix' without stamps."""
OURS, OURS_EARLY, ON_ARRIVAL = 'ours, prefix', 'ours, early', 'ours, on arrival'
TWINS = {'one point, early': OURS_EARLY}
"""Which of ours has the timing of another; of all others it is ``OURS``."""


def make_sender(road: str, policy: ExpertPolicy, limits: JointLimits) -> Sender:
    """The sender of a name in ``ROADS``."""
    if road == 'many points':
        return ManyPoints()
    points = {
        'one point, on time': OnePoint(0, 0.0),
        'one point, early': OnePoint(1, 0.0),
        'one point, ahead': OnePoint(1, PERIOD),
    }
    if road in points:
        return points[road]
    if road == OURS_EARLY:
        return Planned(policy, limits, 'prefix', early=True)
    if road == ON_ARRIVAL:
        return Planned(policy, limits, 'prefix', stamp_plans=False)
    return Planned(policy, limits, road.removeprefix('ours, '))
