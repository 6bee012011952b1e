"""One episode in lockstep: the simulated arm and the model take turns, so that the result does not depend on load.

The delays that the model has on a robot are simulated: a plan that was made from an observation takes effect later,
and so does a thought. Nothing but cameras, joint states and words reaches the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from vla_ros.action.guard import Circumstances, GuardReason, Refusal
from vla_ros.action.planner import Planner
from vla_ros.action.stitch import ExecutingPlan
from vla_ros.evaluation.brain import Brain
from vla_ros.reasoning.progress import Progress
from vla_ros.sim.cameras import FRONT_SIZE, WRIST_SIZE, Camera
from vla_ros.sim.joint_trajectory_controller import JointTrajectoryController
from vla_ros.sim.model import JOINT_NAMES, TIME_STEP
from vla_ros.sim.trajectory_message import TrajectoryMessage, TrajectoryPoint, TrajectoryRejected
from vla_ros.sim.world import World
from vla_ros.types import (
    NANOSECONDS,
    Decision,
    DoubleArray,
    Frame,
    ImageArray,
    JointSample,
    Thought,
    VisualTokens,
)

CAMERA_SIZES = {'front': FRONT_SIZE, 'wrist': WRIST_SIZE}
STEP_NS = round(TIME_STEP * NANOSECONDS)
CONTROLLER_STEPS = 2
"""Physics steps a controller update: 100 Hz, as the simulator runs it."""


class Eye(Protocol):
    """What draws one camera's pictures."""

    name: str

    def render(self, data: Any) -> ImageArray:
        """The image (height, width, 3) uint8 rgb of the present state (MjData)."""
        ...


def ray_cast(world: World, names: Sequence[str]) -> list[Camera]:
    """The simulator's own cameras."""
    return [Camera(world.model, name, *CAMERA_SIZES[name], scene=world.scene) for name in names]


@dataclass(frozen=True)
class Timing:
    """When things happen, in seconds of simulated time.

    Attributes:
        replanning: from one observation to the next.
        motion_delay: from an observation to the moment when the plan made of it takes effect.
        thinking: from the start of one chain of thought to the start of the next.
        thought_delay: from the observation to the moment when the thought made of it can be acted on.
    """

    replanning: float = 0.2
    motion_delay: float = 0.1
    thinking: float = 0.7
    thought_delay: float = 0.35


@dataclass(frozen=True)
class _Due:
    """A result that takes effect at ``time`` (ns)."""

    time: int
    tokens: VisualTokens
    seen: JointSample


class ClosedLoop:
    """The model in charge of one world; call ``step`` once a physics step.

    Attributes:
        decisions: all decisions so far, each with the simulated second it came into force.
        refused_plans: plans that the guard or the controller did not let pass, by reason; holding still is none.
        farthest: the largest distance in rad of any joint from where it began.
    """

    def __init__(
        self,
        world: World,
        brain: Brain,
        instruction: str,
        timing: Timing | None = None,
        cameras: Sequence[Eye] | None = None,
    ) -> None:
        """``cameras`` are those of the brain, in its order; without, the simulator's own."""
        self.decisions: list[tuple[float, Decision]] = []
        self.refused_plans: dict[str, int] = {}
        self.farthest = 0.0
        self._world, self._brain, self._instruction = world, brain, instruction
        self._timing = timing or Timing()
        self._planner: Planner = brain.make_planner()
        self._progress = Progress()
        self._cameras = ray_cast(world, brain.cameras) if cameras is None else cameras
        self._event: tuple[int, Callable[[], None]] | None = None
        self._controller = JointTrajectoryController(JOINT_NAMES)
        self._command: DoubleArray = world.command
        self._began = world.joints().positions
        self._steps = 0
        self._observation: _Due | None = None
        self._thinking: tuple[int, Decision, Thought] | None = None
        self._thought: Thought | None = None
        self._next_look = self._next_thought = 0

    @property
    def now(self) -> int:
        """Nanoseconds since the episode began."""
        return self._steps * STEP_NS

    def at(self, seconds: float, event: Callable[[], None]) -> None:
        """Let something happen in the world, once, so many seconds after the episode began."""
        self._event = _ns(seconds), event

    def step(self) -> None:
        """Advance the model, the controller and the world by one physics step."""
        if self._event is not None and self.now >= self._event[0]:
            self._event[1]()
            self._event = None
        if self.now >= self._next_look:
            self._look()
        if self._thinking is not None and self.now >= self._thinking[0]:
            _, decision, self._thought = self._thinking
            self._thinking = None
            self.decisions.append((self.now / NANOSECONDS, decision))
        if self._observation is not None and self.now >= self._observation.time:
            self._replan(self._observation)
            self._observation = None
        joints = self._joints()
        if self._steps % CONTROLLER_STEPS == 0:
            self._command, _ = self._controller.sample(self.now, joints.positions, joints.velocities)
        self._world.step(self._command)
        self._steps += 1
        moved = np.abs(self._world.joints().positions - self._began).max()
        self.farthest = max(self.farthest, float(moved))

    def _joints(self) -> JointSample:
        measured = self._world.joints()
        return JointSample(self.now, measured.positions, measured.velocities)

    def _look(self) -> None:
        frames = [Frame(camera.name, self.now, camera.render(self._world.data)) for camera in self._cameras]
        tokens = self._brain.encode(frames)
        self._next_look = self.now + _ns(self._timing.replanning)
        if self._thinking is None and self.now >= self._next_thought:
            decision, thought = self._think(tokens)
            self._thinking = self.now + _ns(self._timing.thought_delay), decision, thought
            self._next_thought = self.now + _ns(self._timing.thinking)
        if self._observation is None:
            self._observation = _Due(self.now + _ns(self._timing.motion_delay), tokens, self._joints())

    def _think(self, tokens: VisualTokens) -> tuple[Decision, Thought]:
        """One chain of thought, told of the hand and of the thoughts before if the model wants to know."""
        hand = self._brain.hand
        if hand is None:
            return self._brain.reasoner.think(tokens, self._instruction)
        position = self._joints().positions[JOINT_NAMES.index(hand.joint)]
        situation = self._progress.situation(hand, float(position))
        decision, thought = self._brain.reasoner.think(tokens, self._instruction, None, situation)
        self._progress.note(decision)
        return decision, thought

    def _replan(self, due: _Due) -> None:
        thought, newest = self._thought, self._joints()
        if thought is None or thought.holds_still:
            self._hold()
            return
        chunk = self._planner.chunk(due.tokens, thought, due.seen, newest, self.now)
        circumstances = Circumstances(
            now=self.now,
            enabled=True,
            stopped=False,
            holds_still=False,
            observation=due.tokens.stamp,
            thought=thought.stamp,
            joints=newest,
        )
        self._execute(self._planner.next_plan(chunk, circumstances))

    def _hold(self) -> None:
        plan = self._planner.braking_plan(self.now, self._joints())
        if plan is not None:
            self._execute(plan)

    def _execute(self, plan: ExecutingPlan | Refusal) -> None:
        if isinstance(plan, Refusal):
            if plan.reason is not GuardReason.HOLD:
                self._count(plan.reason.value)
            return
        try:
            self._controller.accept(trajectory_message(plan), self.now)
        except TrajectoryRejected as rejected:
            self._count(f'controller_{rejected.reason.value}')
            return
        self._planner.plan = plan

    def _count(self, reason: str) -> None:
        self.refused_plans[reason] = self.refused_plans.get(reason, 0) + 1


def trajectory_message(plan: ExecutingPlan) -> TrajectoryMessage:
    """A plan as the controller hears it."""
    rows = plan.trajectory
    points = tuple(
        TrajectoryPoint(tuple(p), tuple(v), tuple(a), float(t))
        for t, p, v, a in zip(rows.times, rows.positions, rows.velocities, rows.accelerations, strict=True)
    )
    return TrajectoryMessage(plan.stamp, rows.joint_names, points)


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS)
