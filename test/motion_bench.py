"""A motion with a hand-driven clock and a policy that moves at a constant speed, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from vla_ros.action.guard import GuardReason, Refusal
from vla_ros.action.limits import JointLimits
from vla_ros.action.motion import Motion
from vla_ros.action.planner import Planner, PlannerSettings
from vla_ros.action.stitch import ExecutingPlan
from vla_ros.manifest import ChunkSpec
from vla_ros.types import NANOSECONDS, ActionChunk, JointSample, Thought, VisualTokens

NAMES = ('pan', 'lift')
SETTINGS = PlannerSettings()
HORIZON, DT = 16, 0.05


def limits() -> JointLimits:
    each = np.ones(2)
    return JointLimits(NAMES, -1.5 * each, 1.5 * each, 2.0 * each, 12.0 * each, 150.0 * each)


@dataclass
class Ramp:
    """A policy that moves both joints at a constant speed from where they were seen."""

    speed: float = 0.5
    providers: tuple[str, ...] = ('CPUExecutionProvider',)
    prefixes: list[np.ndarray | None] = field(default_factory=list)
    noises: list[np.ndarray] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def act(self, tokens, thought, joints, noise, prefix=None) -> ActionChunk:
        self.prefixes.append(prefix)
        self.noises.append(noise)
        self.meanwhile()
        steps = np.arange(1, HORIZON + 1)[:, None] * DT * self.speed
        return ActionChunk(tokens.stamp, DT, joints.positions + steps)

    def warm_up(self) -> None:
        pass


class Bench:
    """A motion with a hand-driven clock; time begins at 100 s."""

    def __init__(self, policy: Ramp | None = None, prefix: int = 4) -> None:
        self.now = 100 * NANOSECONDS
        self.sent: list[ExecutingPlan] = []
        self.brakes: list[str] = []
        self.policy = policy or Ramp()
        self.motion = Motion(lambda: self.now, self.sent.append, self.brakes.append)
        chunk = ChunkSpec(horizon=HORIZON, dt=DT, representation='absolute', prefix=prefix)
        self.planner = Planner(self.policy, chunk, limits())
        self.motion.begin(self.planner, enabled=False)

    def later(self, seconds: float) -> None:
        self.now += round(seconds * NANOSECONDS)

    def hear(self, positions: Sequence[float] = (0.0, 0.0), rows: int = 1) -> None:
        self.motion.hear_joints(JointSample(self.now, np.array(positions, float), np.zeros(2)))
        self.motion.hear_thought(Thought(self.now, np.ones((rows, 4), np.float32)))
        self.motion.hear_tokens(self.now)

    def plan(self, age: float = 0.0, dry_run: Callable | None = None) -> ExecutingPlan | Refusal | None:
        stamp = self.now - round(age * NANOSECONDS)
        return self.motion.plan(VisualTokens(stamp, np.zeros((2, 3), np.float32)), SETTINGS, dry_run)

    def moving(self) -> Bench:
        self.hear()
        assert self.motion.enable() is None
        assert isinstance(self.plan(), ExecutingPlan)
        return self


def reason(result: object) -> GuardReason:
    assert isinstance(result, Refusal), result
    return result.reason


def is_brake(plan: ExecutingPlan) -> bool:
    """Whether a plan does nothing but come to rest, soon; how long it then holds does not count."""
    moves = (plan.trajectory.velocities != 0).any(axis=1)
    return bool(plan.trajectory.times[moves].max(initial=0.0) < 0.6 and not moves[-1])
