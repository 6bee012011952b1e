"""One planner under attack: chunk after chunk, brake after brake, each plan that goes out judged by somebody else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from vla_ros.action.guard import Circumstances, GuardSettings, Refusal
from vla_ros.action.limits import JointLimits
from vla_ros.action.planner import Planner, PlannerSettings
from vla_ros.action.shape import ShapeSettings
from vla_ros.action.stitch import ExecutingPlan, StitchSettings, planned_state
from vla_ros.action.stitching import make_stitching
from vla_ros.evaluation.adversary import CHUNKS, DT, HORIZON, SHARES, Generator, Place, disturb
from vla_ros.evaluation.plan_checker import PlanChecker, Promises, Situation
from vla_ros.evaluation.sent_plan import Sent
from vla_ros.manifest import ChunkSpec
from vla_ros.types import (
    NANOSECONDS,
    ActionChunk,
    DoubleArray,
    FloatArray,
    JointSample,
    Sight,
    Thought,
    VisualTokens,
    VlaError,
)

ModelChunk = Callable[[Generator, Place, 'DoubleArray | None'], ActionChunk]
PREFIX = 6
GUARD = GuardSettings()


@dataclass
class Tally:
    """What came of it; ``milliseconds`` are those of the plans that went out."""

    chunks: int = 0
    accepted: int = 0
    brakes: int = 0
    attacks: Counter[str] = field(default_factory=Counter)
    accepted_attacks: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    processor_milliseconds: list[float] = field(default_factory=list)

    def violate(self, attack: str, sentences: list[str]) -> None:
        """Count one plan that broke promises."""
        if sentences:
            self.violations[attack] += 1
            self.examples.append(f'{attack}: {"; ".join(sentences)}')


class Opponent:
    """The policy of the planner: answers with whatever the present attack is."""

    providers = ('none',)

    def __init__(self) -> None:
        self.answer: Callable[[DoubleArray | None], ActionChunk] = lambda _: ActionChunk(
            0, DT, np.empty((0, 0))
        )

    def act(
        self,
        tokens: Sight,
        thought: Thought,
        joints: JointSample,
        noise: FloatArray,
        prefix: DoubleArray | None = None,
    ) -> ActionChunk:
        """The attack."""
        return self.answer(prefix)

    def warm_up(self) -> None:
        """Nothing to do."""


class AttackedPlanner:
    """One arm and one planner with settings of their own, attacked chunk after chunk."""

    def __init__(
        self, limits: JointLimits, generator: Generator, tally: Tally, model: ModelChunk | None
    ) -> None:
        self._limits, self._generator, self._tally, self._model = limits, generator, tally, model
        name = str(generator.choice(['prefix', 'ramp', 'ensemble']))
        self._settings = PlannerSettings(
            stitching=make_stitching(name, PREFIX, float(generator.choice([0.01, 0.3]))),
            stitch=StitchSettings(transport_lead=float(generator.choice([0.0, 0.01, 0.05, 0.2]))),
            shape=ShapeSettings(
                dt=float(generator.choice([DT, DT, 0.02, 0.1])),
                smoothing=float(generator.choice([0.08, 0.08, 0.01, 0.3])),
            ),
            guard=GUARD,
            stamp_plans=bool(generator.random() < 0.7),
        )
        spec = ChunkSpec(horizon=HORIZON, dt=DT, representation='absolute', prefix=PREFIX)
        self._opponent = Opponent()
        self._planner = Planner(self._opponent, spec, limits, self._settings)
        self._checker = PlanChecker(limits, promises(self._settings))
        self._now = 1_000 * NANOSECONDS
        self._rest = start_pose(generator, limits)

    @property
    def largest(self) -> dict[str, float]:
        """The largest share of each limit that was seen."""
        return self._checker.largest

    def attack(self) -> None:
        """One chunk in circumstances of the adversary's choice, and now and then a brake."""
        generator = self._generator
        self._pass_time()
        where = self._arm(self._now)
        measured = JointSample(self._now, where + generator.normal(0, 0.001, len(where)), self._speed())
        disturbance, joints = disturb(generator, measured, self._limits)
        kind = self._kind()
        circumstances = self._circumstances(joints)
        stamp = circumstances.observation or self._now
        place = Place(stamp, where, self._limits)
        attack = kind if disturbance == 'none' else f'{kind} + joints {disturbance}'
        self._tally.chunks += 1
        self._tally.attacks[kind] += 1
        self._opponent.answer = lambda prefix: self._chunk(kind, place, prefix)
        before = self._executing()
        try:
            result = self._plan(stamp, measured, circumstances)
        except VlaError:
            self._tally.refused['bad_plan'] += 1
            return
        except Exception as error:
            self._tally.violate(attack, [f'the planner failed: {error!r}'])
            return
        if isinstance(result, Refusal):
            self._tally.refused[result.reason.value] += 1
        else:
            self._tally.accepted += 1
            self._tally.accepted_attacks[kind] += 1
            self._judge(attack, result, circumstances, before)
            self._planner.plan = result
        if generator.random() < 0.05:
            self._brake()

    def _plan(
        self, stamp: int, measured: JointSample, circumstances: Circumstances
    ) -> ExecutingPlan | Refusal:
        tokens, thought = (
            VisualTokens(stamp, np.zeros((1, 1), np.float32)),
            Thought(stamp, np.ones((1, 1), np.float32)),
        )
        refusal = self._planner.hindrance(circumstances)
        if refusal is not None:
            return refusal
        newest = circumstances.joints or measured
        chunk = self._planner.chunk(tokens, thought, newest, newest, self._now)
        wall, processor = time.perf_counter(), time.thread_time()
        result = self._planner.next_plan(chunk, circumstances)
        if isinstance(result, ExecutingPlan):
            self._tally.milliseconds.append(1e3 * (time.perf_counter() - wall))
            self._tally.processor_milliseconds.append(1e3 * (time.thread_time() - processor))
        return result

    def _judge(
        self,
        attack: str,
        plan: ExecutingPlan,
        circumstances: Circumstances,
        before: Sent | None,
        brake: bool = False,
    ) -> None:
        may_move = circumstances.enabled and not circumstances.stopped and not circumstances.holds_still
        situation = Situation(
            now=self._now,
            may_move=may_move,
            observation=circumstances.observation,
            thought=circumstances.thought,
            joints=circumstances.joints,
            before=before,
            brake=brake,
        )
        self._tally.violate(attack, self._checker.violations(_sent(plan), situation))

    def _brake(self) -> None:
        """As the node does when it is told to hold, is disabled or loses an input."""
        self._now += int(self._generator.integers(0, NANOSECONDS // 5))
        before = self._executing()
        try:
            plan = self._planner.braking_plan(self._now, self._fresh_joints())
        except Exception as error:
            self._tally.violate('brake', [f'the planner failed: {error!r}'])
            return
        if plan is None:
            if self._planner.is_moving(self._now):
                self._tally.refused['brake_not_better_than_plan'] += 1
            return
        if isinstance(plan, Refusal):
            self._tally.violate('brake', [f'refused: {plan.sentence}'])
            return
        self._tally.brakes += 1
        nothing = Circumstances(self._now, False, True, True, None, None, None)
        self._judge('brake', plan, nothing, before, brake=True)
        self._planner.plan = plan

    def _fresh_joints(self) -> JointSample | None:
        """Joints whose clock agrees, now and then none."""
        if self._generator.random() < 0.3:
            return None
        age = self._generator.uniform(-GUARD.clock_slack, GUARD.max_joint_state_age)
        return JointSample(self._now - round(age * NANOSECONDS), self._arm(self._now), self._speed())

    def _pass_time(self) -> None:
        """Mostly a tick of re-planning; now and then none, a long pause, or a clock that goes back."""
        generator = self._generator
        kind = generator.choice(['tick', 'soon', 'late', 'back'], p=[0.85, 0.08, 0.05, 0.02])
        seconds = {
            'tick': generator.uniform(0.05, 0.3), 'soon': 0.0, 'late': generator.uniform(0.5, 3.0),
            'back': -generator.uniform(0.001, 1.0),
        }[kind]  # fmt: skip
        self._rest = self._arm(self._now)
        self._now += round(seconds * NANOSECONDS)
        if kind == 'back' and generator.random() < 0.5:
            self._planner.plan = None  # what the node does when it notices

    def _kind(self) -> str:
        if self._model is not None and self._generator.random() < 0.1:
            return 'model'
        return str(self._generator.choice(list(CHUNKS), p=SHARES / SHARES.sum()))

    def _chunk(self, kind: str, place: Place, prefix: DoubleArray | None) -> ActionChunk:
        if kind == 'model':
            assert self._model is not None
            return self._model(self._generator, place, prefix)
        chunk = CHUNKS[kind](self._generator, place)
        if prefix is not None and kind in ('reach', 'noisy', 'skim'):
            chunk.positions[: len(prefix)] = prefix  # as a policy that was trained to
        return chunk

    def _circumstances(self, joints: JointSample | None) -> Circumstances:
        generator = self._generator
        strange = generator.random() < 0.1
        age = generator.uniform(-0.2, 1.0) if strange else generator.uniform(0.0, 0.3)
        thought = generator.uniform(-0.5, 6.0) if strange else generator.uniform(0.0, 2.0)
        return Circumstances(
            now=self._now,
            enabled=generator.random() > 0.02,
            stopped=generator.random() < 0.02,
            holds_still=generator.random() < 0.02,
            observation=None if generator.random() < 0.01 else self._now - round(age * NANOSECONDS),
            thought=None if generator.random() < 0.01 else self._now - round(thought * NANOSECONDS),
            joints=joints,
        )

    def _executing(self) -> Sent | None:
        plan = self._planner.plan
        return None if plan is None else _sent(plan)

    def _arm(self, at: int) -> DoubleArray:
        """The arm follows its plan with the lag of a servo."""
        plan = self._planner.plan
        return self._rest if plan is None else planned_state(plan, at - 20_000_000).positions

    def _speed(self) -> DoubleArray:
        plan = self._planner.plan
        return np.zeros(len(self._rest)) if plan is None else planned_state(plan, self._now).velocities


def _sent(plan: ExecutingPlan) -> Sent:
    return Sent(plan.trajectory, plan.started, plan.stamp, plan.lead_in)


def promises(settings: PlannerSettings) -> Promises:
    """What the settings promise."""
    guard = settings.guard
    assert isinstance(guard.start_jump, float) and isinstance(settings.stitch.start_jump, float)
    return Promises(
        max_observation_age=guard.max_observation_age,
        max_thought_age=guard.max_thought_age,
        max_joint_state_age=guard.max_joint_state_age,
        clock_slack=guard.clock_slack,
        largest_jump=guard.start_jump,
        astray=settings.stitch.start_jump,
        max_duration=guard.max_duration,
    )


def start_pose(generator: Generator, limits: JointLimits) -> DoubleArray:
    """Somewhere around the middle of the ranges, half of the time in a posture that people use."""
    pose = generator.uniform(0.8 * limits.min_position, 0.8 * limits.max_position)
    usual = np.array([0.0, -1.35, 1.25, 0.95, 0.0, 0.3])
    if generator.random() < 0.7 and len(usual) == len(pose):
        pose = usual + generator.normal(0, 0.15, len(usual))
    return np.clip(pose, limits.min_position, limits.max_position)
