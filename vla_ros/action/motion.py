"""Whether the arm moves, and on which plan: the switches, what was heard last, and the brake.

The arm moves only while it is enabled, not stopped, and a fresh thought says so. Whenever that ends, one braking
plan is sent, and then nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum

from vla_ros.action.guard import Circumstances, GuardReason, GuardSettings, Refusal
from vla_ros.action.heard import Heard
from vla_ros.action.jump import jump_between
from vla_ros.action.planner import Planner, PlannerSettings
from vla_ros.action.question import Question
from vla_ros.action.stitch import ExecutingPlan
from vla_ros.types import NANOSECONDS, ActionChunk, JointSample, Sight, Thought

Send = Callable[[ExecutingPlan], None]
CLOCK_SLACK = round(GuardSettings.clock_slack * NANOSECONDS)


class Distrust(Enum):
    """Why joint states are not believed."""

    WENT_BACK = 'went back in time'
    JUMPED = 'jumped'


class Motion:
    """Everything about the arm's motion that is decided from state. Any thread may call any method.

    Args:
        now: the clock of all stamps, in nanoseconds.
        send: hands a plan to the controller.
        on_brake: is told why the arm is braked.

    Attributes:
        enabled, stopped: the switches; see ``enable``, ``stop`` and ``reset``.
    """

    def __init__(self, now: Callable[[], int], send: Send, on_brake: Callable[[str], None]) -> None:
        self._now, self._send, self._on_brake = now, send, on_brake
        # Held while a plan is made, sent or braked and while permission changes; never while the model thinks.
        self._lock = threading.RLock()
        self._planner: Planner | None = None
        self._heard = Heard()
        self._braking = False
        self._latest = 0
        self.enabled = False
        self.stopped = False

    @property
    def is_moving(self) -> bool:
        """Whether a plan is being executed."""
        with self._lock:
            return self._planner is not None and self._planner.is_moving(self._now())

    @property
    def wants_plans(self) -> bool:
        """Whether it is worth to make a plan: the person and the thought allow it."""
        with self._lock:
            thought = self._heard.thought
            return self.enabled and thought is not None and not thought.holds_still

    def stamps(self) -> dict[str, int | None]:
        """The stamps of what was heard last."""
        with self._lock:
            return self._heard.stamps()

    def joints_at(self, stamp: int) -> JointSample | None:
        """Where the joints were at a time in nanoseconds, as far as it is known."""
        with self._lock:
            return self._heard.joints.at(stamp)

    def begin(self, planner: Planner, enabled: bool) -> None:
        """Start with nothing heard and nothing planned; a stop stays latched."""
        with self._lock:
            self._heard.forget()
            self._latest = self._now()
            self._planner = planner
            planner.plan = None
            self._braking = False
            self.enabled = enabled and not self.stopped

    def end(self) -> None:
        """Bring the arm to rest; until ``begin`` nothing is sent any more."""
        with self._lock:
            self.enabled = False
            self._brake('deactivated')
            self._planner = None

    def enable(self) -> str | None:
        """Let the arm move; the reason if that may not be."""
        with self._lock:
            if self.stopped:
                return 'stopped; call action/reset first'
            if self._planner is None:
                return 'the node is not active'
            if not self.enabled and not self.is_moving:
                self._planner.plan = None  # somebody else may have moved the arm meanwhile
            self.enabled = True
            return None

    def disable(self) -> None:
        """Bring the arm to rest and leave it there."""
        with self._lock:
            self.enabled = False
            self._brake('disabled')

    def stop(self) -> None:
        """Bring the arm to rest; it cannot be enabled before ``reset``."""
        with self._lock:
            self.stopped, self.enabled = True, False
            self._brake('stopped')

    def reset(self) -> None:
        """Unlatch a stop; the arm stays disabled."""
        with self._lock:
            self.stopped = False

    def hold(self, why: str) -> None:
        """Bring the arm to rest; the next plan moves it again."""
        with self._lock:
            self._brake(why)

    def disarm(self, why: str) -> None:
        """Disable, and believe nothing that was heard before."""
        with self._lock:
            self.enabled = False
            self._brake(why)
            self._heard.forget()

    @property
    def clock_went_back(self) -> bool:
        """Whether the clock says an earlier time than it has said before, by more than stamps may be apart."""
        with self._lock:
            return self._latest - self._now() > CLOCK_SLACK

    def lose_time(self) -> None:
        """The clock jumped: brake from where the plan was when it last said a time, disable, and begin anew."""
        with self._lock:
            self.enabled = False
            self._heard.distrust_the_clock()
            self._brake('the clock jumped')
            if self._planner is not None:
                self._planner.plan = None
            self._heard.forget()
            self._latest = self._now()

    def hear_tokens(self, stamp: int) -> bool:
        """The stamp of new tokens; false, and disarmed, if it went back."""
        with self._lock:
            forward = self._heard.tokens is None or stamp >= self._heard.tokens
            if not forward:
                self.disarm('tokens went back in time')
            self._heard.tokens = stamp
            return forward

    def hear_joints(self, sample: JointSample) -> Distrust | None:
        """New joints; disarmed, and why, if they cannot follow those before."""
        with self._lock:
            newest, distrust = self._heard.joints.newest, None
            if newest is not None and sample.stamp < newest.stamp:
                distrust = Distrust.WENT_BACK
                self._heard.distrust_the_clock()
                self.disarm('joint states went back in time')
            elif newest is not None and (jump := self._jump(newest, sample)):
                distrust = Distrust.JUMPED
                self.disarm(f'joint states cannot be right: {jump}')
            guard = GuardSettings() if self._planner is None else self._planner.settings.guard
            self._heard.add_joints(sample, self._now(), guard)
            self._moment()
            return distrust

    def hear_thought(self, thought: Thought) -> None:
        """A new thought; one without rows brakes at once."""
        with self._lock:
            self._heard.thought = thought
            if thought.holds_still:
                self._brake('the thought says hold still')

    def watch(self, settings: PlannerSettings) -> Refusal | None:
        """Brake as soon as what the arm acts on gets too old, not only when its plan ends; and why, if so."""
        with self._lock:
            planner = self._planner
            self._moment()
            if planner is None or self._braking or not self.is_moving:
                return None
            planner.settings = settings
            refusal = planner.hindrance(self._circumstances(self._heard.tokens))
            if refusal is not None:
                self._brake(refusal.sentence)
            return refusal

    def question(self, tokens: Sight, settings: PlannerSettings) -> Question | Refusal | None:
        """What to ask the policy for a plan; why not, or None if there is nothing to plan with."""
        with self._lock:
            planner, thought, now = self._planner, self._heard.thought, self._now()
            seen, newest = self._heard.joints.at(tokens.stamp), self._heard.joints.newest
            if planner is None:
                return None
            planner.settings = settings
            refusal = planner.hindrance(self._circumstances(tokens.stamp))
            if refusal is not None:
                return refusal
        assert thought is not None and seen is not None and newest is not None  # or else that was a hindrance
        apart, most = abs(seen.stamp - tokens.stamp) / NANOSECONDS, settings.guard.max_joint_state_age
        if apart > most:
            sentence = f'The joint state nearest to the tokens is {apart:.3f} s away; the most is {most} s.'
            return Refusal(GuardReason.STALE_JOINT_STATE, sentence)
        return Question(planner, tokens, thought, seen, newest, now)

    def answer(
        self, question: Question, chunk: ActionChunk, dry_run: Send | None = None
    ) -> ExecutingPlan | Refusal:
        """Make a plan of the policy's answer and send it, or hand it to ``dry_run`` instead.

        Returns:
            What was sent, or why not: whatever changed since the question counts now (a stop, a hold, newer joints).

        Raises:
            VlaError: no trajectory could be made.
        """
        with self._lock:
            planner = question.planner
            result = planner.next_plan(chunk, self._circumstances(question.tokens.stamp))
            if isinstance(result, ExecutingPlan) and dry_run is not None:
                dry_run(result)
            elif isinstance(result, ExecutingPlan):
                self._send(result)
                planner.plan, self._braking = result, False
            return result

    def plan(
        self, tokens: Sight, settings: PlannerSettings, dry_run: Send | None = None
    ) -> ExecutingPlan | Refusal | None:
        """Question, policy and answer at once: one plan, sent; takes as long as the model thinks.

        Returns:
            What was sent, why not, or None if there is nothing to plan with.

        Raises:
            VlaError: the policy could not read its input, or no trajectory could be made.
        """
        question = self.question(tokens, settings)
        if not isinstance(question, Question):
            return question
        return self.answer(question, question.ask(), dry_run)

    def _jump(self, before: JointSample, after: JointSample) -> str:
        """How the arm jumped; nobody minds while it is not enabled: it may be moved by hand or by others."""
        if self._planner is None or not self.enabled:
            return ''
        return jump_between(before, after, self._planner.limits, self._planner.settings.stitch.start_jump)

    def _moment(self) -> int:
        """The present, or the latest that the clock has said if it went back: the arm does not."""
        self._latest = max(self._latest, self._now())
        return self._latest

    def _brake(self, why: str) -> None:
        """Send one braking plan if the arm is moving and is not braking already."""
        if self._planner is None or self._braking:
            return
        joints, moment = self._heard.joints_by_our_clock, self._moment()
        if joints is not None:
            moment = max(moment, joints.stamp)  # the controller's clock; ours may be late
        plan = self._planner.braking_plan(moment, joints)
        if isinstance(plan, ExecutingPlan):
            self._send(plan)
            self._planner.plan, self._braking = plan, True
            self._on_brake(why)

    def _circumstances(self, observation: int | None) -> Circumstances:
        return self._heard.circumstances(
            self._now(), enabled=self.enabled, stopped=self.stopped, observation=observation
        )
