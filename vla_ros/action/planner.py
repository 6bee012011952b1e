"""One step of re-planning, whole: infer, stitch, lift, shape, guard; and the plan that is executed meanwhile."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vla_ros.action.clean_prefix import CleanPrefix
from vla_ros.action.guard import (
    Circumstances,
    Guard,
    GuardSettings,
    Refusal,
    age_fault,
    joint_state_fault,
    permission_fault,
)
from vla_ros.action.lift import lifted
from vla_ros.action.limits import JointLimits
from vla_ros.action.noise import noise
from vla_ros.action.shape import ShapeSettings, brake, shape
from vla_ros.action.slow_down import DURATIONS, slow_down
from vla_ros.action.stamped import outlasting, stamped
from vla_ros.action.stitch import (
    ExecutingPlan,
    StitchSettings,
    planned_prefix,
    planned_state,
    starting_state,
    stitch,
)
from vla_ros.action.stitching import Stitching, not_over
from vla_ros.manifest import ChunkSpec
from vla_ros.types import (
    NANOSECONDS,
    ActionChunk,
    DoubleArray,
    FloatArray,
    JointSample,
    Sight,
    Thought,
)

REMEMBERED_THINKING = 10  # answers of the policy, of which the slowest counts


class Policy(Protocol):
    """A System-1 backend: ``vla_ros.action.flow`` here, ``vla_ros.action.remote`` on a server. One caller at a time."""

    @property
    def providers(self) -> Sequence[str]:
        """Execution providers in use."""
        ...

    def act(
        self,
        tokens: Sight,
        thought: Thought,
        joints: JointSample,
        noise: FloatArray,
        prefix: DoubleArray | None = None,
    ) -> ActionChunk:
        """Absolute joint targets; the same inputs give the same chunk."""
        ...

    def warm_up(self) -> None:
        """One run on zeros, so that the first real one is not the slow one."""
        ...


@dataclass(frozen=True)
class PlannerSettings:
    """How to plan; see the settings of each step. ``seed`` and a stamp make the noise of the flow.

    ``stamp_plans``: plans begin at their time by the clock, not on arrival; see ``vla_ros.action.stamped``.
    """

    seed: int = 0
    stamp_plans: bool = True
    stitching: Stitching = CleanPrefix()
    stitch: StitchSettings = StitchSettings()
    shape: ShapeSettings = ShapeSettings()
    guard: GuardSettings = GuardSettings()


class Planner:
    """Makes plans and remembers the one in execution. Only ``chunk`` may run beside the rest.

    Attributes:
        limits: in force.
        settings: may be replaced at any time.
        plan: what the arm executes or, after its end, what it holds; None if nobody knows.
    """

    def __init__(
        self, policy: Policy, chunk: ChunkSpec, limits: JointLimits, settings: PlannerSettings | None = None
    ) -> None:
        self.settings = settings or PlannerSettings()
        self.plan: ExecutingPlan | None = None
        self.limits = limits
        self._policy = policy
        self._chunk = chunk
        self._asked: int | None = None
        self._thinking: deque[float] = deque(maxlen=REMEMBERED_THINKING)

    def hindrance(self, circumstances: Circumstances) -> Refusal | None:
        """Why no plan may be made now, whatever the policy would want."""
        return (
            permission_fault(circumstances)
            or age_fault(circumstances, self.settings.guard)
            or joint_state_fault(circumstances.joints, len(self.limits.names))
        )

    def chunk(
        self, tokens: Sight, thought: Thought, seen: JointSample, newest: JointSample, now: int
    ) -> ActionChunk:
        """What the policy wants; the slow part.

        Args:
            tokens, thought: what is seen and meant.
            seen: joints when the tokens' frames were taken.
            newest: joints now.
            now: nanoseconds.

        Raises:
            VlaError: input that the policy cannot read.
        """
        shape_of_noise = (self._chunk.horizon, len(self.limits.names))
        self._asked = now
        randomness = noise(tokens.stamp, self.settings.seed, shape_of_noise)
        return self._policy.act(tokens, thought, seen, randomness, self._prefix(tokens.stamp, newest, now))

    def next_plan(self, chunk: ActionChunk, circumstances: Circumstances) -> ExecutingPlan | Refusal:
        """The plan that a chunk leads to, or why it must not be sent. It is not yet taken to be sent.

        Raises:
            VlaError: no trajectory could be made.
        """
        self._note_thinking(circumstances.now)
        guard = Guard(self.limits, self.settings.guard)
        refusal = self.hindrance(circumstances) or guard.check_chunk(chunk)
        if refusal is not None:
            return refusal
        joints = circumstances.joints
        assert joints is not None  # or else it would be refused
        starts = circumstances.now + round(self.settings.stitch.transport_lead * NANOSECONDS)
        plan = self._followed(joints, circumstances.now)
        earlier = () if plan is None else not_over(plan.chunks, starts)
        stitched = stitch(
            self.settings.stitching.merge(chunk, earlier, plan, starts),
            now=circumstances.now,
            plan=self.plan,
            measured=joints,
            settings=self.settings.stitch,
        )
        way = lifted(stitched.positions, self.limits.workspace)
        trajectory = shape(stitched.start, stitched.times, way, self.limits, self.settings.shape)
        refusal = guard.check(trajectory, circumstances)
        return refusal or self._timed(ExecutingPlan(trajectory, stitched.starts, (*earlier, chunk)), joints)

    def braking_plan(self, now: int, joints: JointSample | None = None) -> ExecutingPlan | Refusal | None:
        """The fastest way to rest from the plan in execution; None if the arm is at rest.

        The fastest that keeps to the limits and to the workspace, that is: first each joint as fast as it can, then
        all of them along the planned way. Where neither will do, None: the plan goes on, to its own end at rest.

        Args:
            now: nanoseconds.
            joints: the newest, if their clock is known to be the one of ``now``. Without, the brake begins on arrival:
                by a wrong clock it would be over before it came, or be waited for.
        """
        if self.plan is None or not self.is_moving(now):
            return None
        starts = now + round(self.settings.stitch.transport_lead * NANOSECONDS)
        guard, dt = Guard(self.limits, self.settings.guard), self.settings.shape.dt
        trajectory = brake(planned_state(self.plan, starts), self.limits, self.settings.shape)
        refusal = guard.check_brake(trajectory)
        if refusal is not None:
            return refusal
        if guard.check_path(trajectory) is not None:
            ways = (slow_down(self.plan, starts, seconds, dt) for seconds in DURATIONS)
            way = next((way for way in ways if guard.check_path(way) is None), None)
            if way is None:
                return None
            trajectory = way
        plan = self._timed(ExecutingPlan(trajectory, starts), joints)
        return outlasting(plan, self.plan) if plan.stamped else plan

    def is_moving(self, now: int) -> bool:
        """Whether a plan is being executed."""
        if self.plan is None:
            return False
        return now < self.plan.ends - self.plan.hold

    def _timed(self, plan: ExecutingPlan, joints: JointSample | None) -> ExecutingPlan:
        """Stamped, if that is wanted and the clock of the joints agrees."""
        if joints is None or not self.settings.stamp_plans:
            return plan
        return stamped(plan, self.plan, joints.stamp)

    def _prefix(self, stamp: int, newest: JointSample, now: int) -> DoubleArray | None:
        """Steps that pass before the next plan starts, as the present plan fixes them; None without any."""
        plan = self._followed(newest, now)
        if plan is None or not self.settings.stitching.gives_prefix:
            return None
        # What passes until the answer takes effect: as long as the slowest of the last answers took.
        thinking = max(self._thinking, default=0.0)
        seconds = (now - stamp) / NANOSECONDS + thinking + self.settings.stitch.transport_lead
        steps = min(self._chunk.prefix, math.floor(seconds / self._chunk.dt + 1e-6))
        return planned_prefix(plan, stamp, self._chunk.dt, steps) if steps > 0 else None

    def _note_thinking(self, now: int) -> None:
        if self._asked is not None:
            seconds = (now - self._asked) / NANOSECONDS
            self._thinking.append(min(max(seconds, 0.0), self.settings.guard.max_observation_age))
            self._asked = None

    def _followed(self, newest: JointSample, now: int) -> ExecutingPlan | None:
        """The plan, if it is being executed and all joints are where it has them."""
        plan = self.plan
        if plan is None or not self.is_moving(now):
            return None
        _, astray = starting_state(plan, newest, newest.stamp, self.settings.stitch.start_jump)
        return None if astray.any() else plan
