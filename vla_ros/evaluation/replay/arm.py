"""The second half of a replay: the arm. It does what the action node does, with the same code, in simulated time.

What a person does to the switches is not in a bag. So the arm is enabled with each instruction, and disabled with an
empty one: whoever moves it by hand, or puts it back, does so in between.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from vla_ros.action.frozen import FrozenCameras, frozen_sentence
from vla_ros.action.guard import GuardReason, Refusal
from vla_ros.action.motion import Distrust, Motion
from vla_ros.action.question import Question
from vla_ros.action.stitch import ExecutingPlan
from vla_ros.evaluation.recording import since_arrival
from vla_ros.evaluation.replay.agenda import Agenda, SimulatedWorker
from vla_ros.evaluation.replay.mind import Hold, Thought, Tokens
from vla_ros.evaluation.replay.model import Model
from vla_ros.evaluation.replay.outcome import Braked, Outcome, Refused
from vla_ros.evaluation.replay.seen import Seen
from vla_ros.evaluation.replay.stream import (
    ClockSet,
    Instruction,
    Joints,
    Message,
)
from vla_ros.evaluation.replay.timing import ReplayTiming
from vla_ros.evaluation.replay.transcript import Transcript, timeline
from vla_ros.perception.rate_gate import RateGate
from vla_ros.types import NANOSECONDS, ActionChunk, Decision, JointTrajectory, VlaError
from vla_ros.types import Thought as ThoughtRows

WITHDRAWN = (GuardReason.HOLD, GuardReason.NOT_ENABLED)
"""Reasons that are none to count: the order was withdrawn while a plan was being made."""


@dataclass(frozen=True)
class _Asked:
    question: Question
    chunk: ActionChunk


class Arm:
    """Acts on tokens, thoughts and joints, and keeps what came of it."""

    def __init__(self, model: Model, timing: ReplayTiming, refusals: list[Refused]) -> None:
        self._agenda = Agenda()
        self._offset = 0
        self._refusals = refusals
        self._model = model
        self._planner = model.make_planner()
        self._motion = Motion(lambda: self._agenda.now + self._offset, self._send, self._on_brake)
        self._motion.begin(self._planner, enabled=False)
        self._gate = RateGate(model.replan_rate)
        self._planning: SimulatedWorker[Seen, _Asked] = SimulatedWorker(
            self._agenda, round(timing.planning * NANOSECONDS), self._ask, self._answer
        )
        self._period = round(timing.watch * NANOSECONDS)
        self._clock_jumped = False
        self._frozen = FrozenCameras()
        self._heard = Transcript(model.joints)
        self._plans: list[tuple[float, JointTrajectory]] = []
        self._decisions: list[tuple[float, Decision]] = []
        self._sent: list[int] = []
        self._brakes: list[Braked] = []
        self._thinking: list[float] = []
        self._computing: list[float] = []
        self._ages: list[float] = []
        self._agenda.note(self._period, self._watch)

    def follow(self, messages: Iterable[Message]) -> None:
        """Live through what arrives, to the end."""
        for message in messages:
            self._agenda.run_until(message.at)
            self._heard.hear(message)
            if isinstance(message, ClockSet):
                self._on_clock(message)
            elif isinstance(message, Joints):
                self._on_joints(message)
            elif isinstance(message, Tokens):
                self._on_tokens(message.seen)
            elif isinstance(message, Thought):
                self._on_thought(message)
            elif isinstance(message, Hold):
                self._on_hold(message)
            elif isinstance(message, Instruction):
                self._switch(message.words)

    def outcome(self, encoding: list[float]) -> Outcome:
        """What came of it; ``encoding`` is how many seconds each encoding took."""
        recorded = self._heard.recording()
        replayed = replace(recorded, decisions=timeline(self._decisions), plans=timeline(self._plans))
        return Outcome(
            seconds=self._agenda.now / NANOSECONDS,
            clock=self._heard.clock,
            recorded=recorded,
            replayed=replayed,
            sent=tuple(self._sent),
            brakes=tuple(self._brakes),
            refusals=tuple(sorted(self._refusals, key=lambda refusal: refusal.at)),
            latencies={
                'encoding': encoding,
                'thinking': self._thinking,
                'planning': self._computing,
                'camera to trajectory by the timing model': self._ages,
            },
        )

    def _switch(self, words: str) -> None:
        if words.strip():
            self._motion.enable()
        else:
            self._motion.disable()

    def _on_clock(self, message: ClockSet) -> None:
        before, self._offset = self._agenda.now + self._offset, message.clock - message.at
        self._clock_jumped = self._clock_jumped or message.clock < before

    def _on_joints(self, message: Joints) -> None:
        distrust = self._motion.hear_joints(message.sample)
        if distrust is Distrust.WENT_BACK:
            self._refuse('clock_went_back', 'joint states went back in time; disarmed')
        elif distrust is Distrust.JUMPED:
            self._refuse('joints_jumped', 'joint states jumped further than joints can; disarmed')

    def _on_tokens(self, seen: Seen) -> None:
        if self._shows_the_past(seen):
            return
        if not self._motion.hear_tokens(seen.stamp):
            self._gate.reset()
            self._refuse('clock_went_back', 'tokens went back in time; disarmed')
        if self._motion.wants_plans and self._gate.admits(seen.stamp):
            self._planning.submit(seen)

    def _shows_the_past(self, seen: Seen) -> bool:
        joints = self._motion.joints_at(seen.stamp)
        pictures = {frame.camera: frame.image for frame in seen.frames}
        farthest = self._model.max_unseen_motion
        camera = '' if joints is None else self._frozen.look(pictures, joints.positions, farthest)
        if camera:
            self._motion.hold(frozen_sentence(camera))
            self._refuse('frozen_camera', frozen_sentence(camera))
        return bool(camera)

    def _on_thought(self, message: Thought) -> None:
        answer = message.answer.result()
        self._thinking.append(answer.seconds)
        if answer.fault is not None:
            self._refuse(*answer.fault, node='reasoning')
        self._decisions.append((message.at / NANOSECONDS, answer.decision))
        self._motion.hear_thought(ThoughtRows(message.stamp, answer.rows))

    def _on_hold(self, message: Hold) -> None:
        nothing = np.zeros((0, self._model.thought_width), np.float32)
        self._motion.hear_thought(ThoughtRows(message.stamp, nothing))
        if message.decision is not None:
            self._decisions.append((message.at / NANOSECONDS, message.decision))

    def _watch(self) -> None:
        self._agenda.note(self._agenda.now + self._period, self._watch)
        if self._clock_jumped:
            self._clock_jumped = False
            self._motion.lose_time()
            self._refuse('clock_went_back', 'the clock jumped; disarmed')
        refusal = self._motion.watch(self._planner.settings)
        if refusal is not None:
            self._count(refusal)

    def _ask(self, seen: Seen) -> _Asked | None:
        try:
            tokens = seen.tokens()
            begun = time.perf_counter()
            question = self._motion.question(tokens, self._planner.settings)
            if isinstance(question, Question):
                chunk = question.ask()
                self._computing.append(time.perf_counter() - begun)
                return _Asked(question, chunk)
            if question is not None:
                self._count(question)
        except VlaError as error:
            self._refuse('bad_plan', str(error))
        return None

    def _answer(self, _seen: Seen, asked: _Asked) -> None:
        begun = time.perf_counter()
        try:
            result = self._motion.answer(asked.question, asked.chunk)
        except VlaError as error:
            self._refuse('bad_plan', str(error))
            return
        if isinstance(result, Refusal):
            self._count(result)
            return
        self._computing[-1] += time.perf_counter() - begun
        age = self._agenda.now + self._offset - asked.question.tokens.stamp
        self._ages.append(age / NANOSECONDS)

    def _send(self, plan: ExecutingPlan) -> None:
        stamp, arrives = plan.stamp / NANOSECONDS, (self._agenda.now + self._offset) / NANOSECONDS
        heard = replace(plan.trajectory, times=since_arrival(plan.trajectory.times, stamp, arrives))
        self._plans.append((self._agenda.now / NANOSECONDS, heard))
        self._sent.append(self._agenda.now)

    def _on_brake(self, why: str) -> None:
        self._brakes.append(Braked(self._agenda.now / NANOSECONDS, why))

    def _count(self, refusal: Refusal) -> None:
        if refusal.reason not in WITHDRAWN:
            self._refuse(refusal.reason.value, refusal.sentence)

    def _refuse(self, reason: str, sentence: str, node: str = 'action') -> None:
        self._refusals.append(Refused(self._agenda.now / NANOSECONDS, node, reason, sentence))
