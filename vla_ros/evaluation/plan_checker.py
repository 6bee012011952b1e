"""A judge of plans who shares nothing with those who make and guard them but the numbers of the limits.

It solves for each step's quintic itself, looks at it densely, asks MuJoCo where the links are and the model of a stock
controller whether it would take the message. Tolerances are what rounding makes of exact promises.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mujoco
import numpy as np

from vla_ros.action.limits import JointLimits
from vla_ros.evaluation.sent_plan import PLACES, Sent, dense, new_part, state_of
from vla_ros.sim.controller_settings import ControllerSettings
from vla_ros.sim.model import ROBOT_FILE
from vla_ros.sim.trajectory_message import TrajectoryMessage, TrajectoryPoint, TrajectoryRejected, validate
from vla_ros.types import NANOSECONDS, DoubleArray, JointSample, JointTrajectory

LINKS_EVERY = 4  # of those, for the links
ROUNDING = 1e-6  # rad, and share of the other limits
SAME = 1e-6  # rad, rad/s and, times 100, rad/s^2
LENGTH = 1e-3  # m
JAW_TIP = np.array([-0.0142, -0.0817, 0.0189])  # in the frame of the moving jaw


@dataclass(frozen=True)
class Situation:
    """What held when a plan was sent; stamps in nanoseconds.

    Attributes:
        now: that moment.
        may_move: enabled, not stopped and no hold.
        observation, thought, joints: what it was made from.
        before: the plan in execution, if any.
        brake: the plan is a brake, which needs no permission and no fresh input.
    """

    now: int
    may_move: bool
    observation: int | None
    thought: int | None
    joints: JointSample | None
    before: Sent | None
    brake: bool = False


@dataclass(frozen=True)
class Promises:
    """What is promised beyond the joint limits: ages and duration in s, jumps in rad."""

    max_observation_age: float
    max_thought_age: float
    max_joint_state_age: float
    clock_slack: float
    largest_jump: float
    astray: float
    max_duration: float


class PlanChecker:
    """Judges plans one by one; ``largest`` keeps the largest share of each limit that was seen."""

    def __init__(self, limits: JointLimits, promises: Promises) -> None:
        self.largest = {'velocity': 0.0, 'acceleration': 0.0, 'jerk': 0.0}
        self._limits, self._promises = limits, promises
        self._model = mujoco.MjModel.from_xml_path(str(ROBOT_FILE))
        self._data = mujoco.MjData(self._model)

    def violations(self, plan: Sent, situation: Situation) -> list[str]:
        """Every promise that the plan breaks, as a sentence; empty if it keeps them all."""
        form = list(self._form(plan, situation.now))
        if form:
            return form  # the rest would not make sense
        found = [] if situation.brake else list(self._permission(situation))
        new = new_part(plan)
        found += self._start(new, situation)
        found += self._way(new.trajectory)
        if plan.lead_in:
            found += self._lead_in(plan, new, situation)
        return found

    def _form(self, sent: Sent, now: int) -> Iterator[str]:
        plan = sent.trajectory
        joints = len(self._limits.names)
        if plan.joint_names != self._limits.names:
            yield f'names {plan.joint_names}'
        times = np.round(plan.times * NANOSECONDS).astype(np.int64)
        if len(times) < 2 or times[0] != 0 or (np.diff(times) <= 0).any():
            yield 'times not from 0 strictly upwards'
        for rows in (plan.positions, plan.velocities, plan.accelerations):
            if rows.shape != (len(times), joints) or not np.isfinite(rows).all():
                yield f'rows of shape {rows.shape}, or not finite'
                return
        if plan.times[-1] - sent.lead_in / NANOSECONDS > self._promises.max_duration + 1e-9:
            yield f'{plan.times[-1]:.3f} s long'
        if np.abs(plan.velocities[-1]).max() > 0 or np.abs(plan.accelerations[-1]).max() > 0:
            yield 'not at rest at its end'
        points = tuple(
            TrajectoryPoint(tuple(p), tuple(v), tuple(a), float(t))
            for t, p, v, a in zip(plan.times, plan.positions, plan.velocities, plan.accelerations)
        )
        try:
            message = TrajectoryMessage(sent.stamp, plan.joint_names, points)
            validate(message, self._limits.names, now, ControllerSettings())
        except TrajectoryRejected as rejected:
            yield f'a stock controller rejects it: {rejected.sentence}'

    def _permission(self, situation: Situation) -> Iterator[str]:
        if not situation.may_move:
            yield 'sent although the arm may not move'
        promises, joints = self._promises, situation.joints
        for name, stamp, most in (
            ('observation', situation.observation, promises.max_observation_age),
            ('thought', situation.thought, promises.max_thought_age),
            ('joint state', None if joints is None else joints.stamp, promises.max_joint_state_age),
        ):
            age = None if stamp is None else (situation.now - stamp) / NANOSECONDS
            if age is None or not -promises.clock_slack <= age <= most:
                yield f'{name} of age {age}'

    def _start(self, plan: Sent, situation: Situation) -> Iterator[str]:
        """It goes on from the plan before; where the arm is not there, or without one, from the measured joints."""
        first = [
            rows[0]
            for rows in (plan.trajectory.positions, plan.trajectory.velocities, plan.trajectory.accelerations)
        ]
        joints = situation.joints
        usable = joints is not None and joints.positions.shape == first[0].shape
        if not situation.brake:
            if joints is None or not usable:
                yield 'without knowing where the joints are'
                return
            jump = np.abs(first[0] - joints.positions)
            if not (jump <= self._promises.largest_jump).all():
                yield f'begins {jump.max():.4f} rad from the arm'
        if situation.before is None:
            if joints is not None and usable:
                yield from _apart(first, [joints.positions, joints.velocities, np.zeros(len(first[0]))])
            return
        planned = state_of(situation.before, plan.started)
        if situation.brake or joints is None:
            yield from _apart(first, planned)
            return
        at = state_of(situation.before, joints.stamp)[0]
        astray = np.abs(at - joints.positions) > self._promises.astray
        measured = [joints.positions, joints.velocities, np.zeros(len(first[0]))]
        yield from _apart(first, [np.where(astray, m, p) for m, p in zip(measured, planned)])

    def _lead_in(self, plan: Sent, new: Sent, situation: Situation) -> Iterator[str]:
        """It is what the plan before had, or comes straight to where the new part begins; and not longer than old."""
        longest = self._promises.max_joint_state_age + (new.started - situation.now) / NANOSECONDS
        if not 0 < plan.lead_in / NANOSECONDS <= longest + 1e-9:
            yield f'a lead-in of {plan.lead_in / NANOSECONDS:.3f} s'
        first, speed = new.trajectory.positions[0], new.trajectory.velocities[0]
        for at in np.linspace(plan.started, new.started, PLACES).astype(np.int64):
            here = state_of(plan, int(at))[0]
            straight = first + speed * ((int(at) - new.started) / NANOSECONDS)
            gaps = np.abs(here - straight)
            if situation.before is not None:
                gaps = np.minimum(gaps, np.abs(here - state_of(situation.before, int(at))[0]))
            if not gaps.max() <= SAME:
                yield f'the lead-in departs by {gaps.max():.2e} rad from the plan before'
                return

    def _way(self, plan: JointTrajectory) -> Iterator[str]:
        limits = self._limits
        motion = dense(plan)
        start = plan.positions[0]
        lower = np.minimum(limits.min_position, start) - ROUNDING
        upper = np.maximum(limits.max_position, start) + ROUNDING
        if (motion[0] < lower).any() or (motion[0] > upper).any():
            excess = np.maximum(lower - motion[0], motion[0] - upper).max()
            yield f'position limit exceeded by {excess:.2e} rad'
        rates = (limits.max_velocity, limits.max_acceleration, limits.max_jerk)
        for name, values, most in zip(self.largest, motion[1:], rates):
            share = float((np.abs(values) / most).max())
            self.largest[name] = max(self.largest[name], share)
            if share > 1 + ROUNDING:
                yield f'{name} limit exceeded: {share:.6f} of it'
        workspace = limits.workspace
        if workspace is None:
            return
        points = np.array([self._links(row) for row in motion[0][::LINKS_EVERY]])
        lowest = np.minimum(workspace.lowest, points[0, :, 2]) - LENGTH
        if (points[:, :, 2] < lowest).any():
            yield f'{(lowest - points[:, :, 2]).max() + LENGTH:.4f} m too near to the table'
        inside = (points >= np.minimum(workspace.lower, points[0]) - LENGTH) & (
            points <= np.maximum(workspace.upper, points[0]) + LENGTH
        )
        if not inside.all():
            yield 'outside of the box'

    def _links(self, positions: DoubleArray) -> list[DoubleArray]:
        assert self._limits.workspace is not None
        data = self._data
        data.qpos[:] = positions
        mujoco.mj_kinematics(self._model, data)
        jaw = data.body('moving_jaw')
        special = {
            'gripper_tip': data.site('gripper_tip').xpos,
            'jaw_tip': jaw.xpos + jaw.xmat.reshape(3, 3) @ JAW_TIP,
        }
        links = self._limits.workspace.kinematics.links
        return [np.array(special[n] if n in special else data.body(n).xpos) for n in links]


def _apart(first: list[DoubleArray], expected: list[DoubleArray]) -> Iterator[str]:
    for name, is_, should, tolerance in zip(
        ('position', 'velocity', 'acceleration'), first, expected, (SAME, SAME, 100 * SAME)
    ):
        gap = np.abs(is_ - should).max()
        if not gap <= tolerance:
            yield f'the {name} jumps by {gap:.2e} from what went before'
