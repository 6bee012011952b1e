"""The first half of a replay: eyes and System 2. It needs nothing of what the arm does, so it may run ahead.

It does what the nodes perception and reasoning do, with the same code, in simulated time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass

import numpy as np

from vla_ros.action.guard import GuardSettings
from vla_ros.evaluation.replay.agenda import Agenda, SimulatedWorker
from vla_ros.evaluation.replay.model import Model
from vla_ros.evaluation.replay.outcome import Refused
from vla_ros.evaluation.replay.seen import Eyes, Seen
from vla_ros.evaluation.replay.stream import (
    Calibrated,
    CameraFrame,
    ClockSet,
    Instruction,
    Joints,
    Message,
    Thinking,
    Unreadable,
)
from vla_ros.evaluation.replay.timing import ReplayTiming
from vla_ros.manifest import HandSpec
from vla_ros.perception.intake import Intake
from vla_ros.perception.rate_gate import RateGate
from vla_ros.perception.rectify import Rectifier
from vla_ros.perception.sight import sight
from vla_ros.reasoning.orders import Order, order_of, rows_to_act_on
from vla_ros.reasoning.progress import Progress
from vla_ros.types import (
    NANOSECONDS,
    Decision,
    FloatArray,
    Frame,
    JointSample,
    Situation,
    Verdict,
    VlaError,
)


@dataclass(frozen=True)
class Tokens(Message):
    """New visual tokens."""

    seen: Seen


@dataclass(frozen=True)
class Answer:
    """What one chain of thought came to.

    Attributes:
        rows: (n, width) to act on.
        fault: what is counted, and a sentence, if something went wrong.
        seconds: of computing.
    """

    decision: Decision
    rows: FloatArray
    fault: tuple[str, str] | None
    seconds: float


@dataclass(frozen=True)
class Thought(Message):
    """A thought that is being computed, perhaps still, in another thread; stamped as what it was made from."""

    stamp: int
    answer: Future[Answer]


@dataclass(frozen=True)
class Hold(Message):
    """Until the next thought the arm holds; with a decision if one says so."""

    stamp: int
    decision: Decision | None


@dataclass(frozen=True)
class _Question:
    order: Order
    seen: Seen
    progress: Progress
    joints: JointSample | None
    clock: int


class Mind:
    """Turns what arrives into tokens and thoughts; what the arm needs passes through.

    Args:
        pool: computes the thoughts, one at a time.
        refusals: what is refused is added to it.
    """

    def __init__(
        self, model: Model, timing: ReplayTiming, eyes: Eyes, pool: Executor, refusals: list[Refused]
    ) -> None:
        self._model, self._eyes, self._pool, self._refusals = model, eyes, pool, refusals
        self._agenda = Agenda()
        self._out: list[Message] = []
        self._offset = 0
        self._cameras = {camera.name: camera for camera in model.cameras}
        self._rectifiers: dict[str, Rectifier] = {}
        self._intake: Intake[CameraFrame] = Intake(tuple(self._cameras), self._refuser('perception'))
        self._encoding: SimulatedWorker[tuple[CameraFrame, ...], Seen] = SimulatedWorker(
            self._agenda, round(timing.encoding * NANOSECONDS), self._look, lambda _, seen: self._show(seen)
        )
        self._thinking: SimulatedWorker[_Question, Future[Answer]] = SimulatedWorker(
            self._agenda, round(timing.thinking * NANOSECONDS), self._begin_thought, self._end_thought
        )
        self._gate = RateGate(model.reasoning.rate)
        self._order: Order | None = None
        self._newest: Seen | None = None
        self._heard = True
        self._progress = Progress()
        self._joints: JointSample | None = None

    def follow(self, messages: Iterable[Message]) -> Iterator[Message]:
        """What the arm gets to hear, in the order of time."""
        for message in messages:
            self._agenda.run_until(message.at)
            if isinstance(message, CameraFrame):
                self._on_frame(message)
            elif isinstance(message, Calibrated):
                self._on_calibration(message)
            elif isinstance(message, Thinking):
                self._heard = message.heard
            elif isinstance(message, Unreadable):
                self._refuser(message.node)(message.reason, message.sentence)
            else:
                if isinstance(message, ClockSet):
                    self._offset = message.clock - message.at
                elif isinstance(message, Instruction):
                    self._on_instruction(message)
                elif isinstance(message, Joints):
                    self._joints = message.sample
                self._out.append(message)
            yield from self._out
            self._out.clear()

    @property
    def _clock(self) -> int:
        return self._agenda.now + self._offset

    def _refuser(self, node: str) -> Callable[[str, str], None]:
        def refuse(reason: str, sentence: str) -> None:
            self._refusals.append(Refused(self._agenda.now / NANOSECONDS, node, reason, sentence))

        return refuse

    def _on_frame(self, message: CameraFrame) -> None:
        matched = self._intake.add(message.camera, message.stamp, self._clock, message, self._model.intake)
        if matched is not None:
            self._encoding.submit(matched)

    def _on_calibration(self, message: Calibrated) -> None:
        known = self._rectifiers.get(message.camera)
        if message.model is None:
            self._rectifiers.pop(message.camera, None)
        elif known is None or not known.is_for(message.model):
            try:
                self._rectifiers[message.camera] = Rectifier(message.model)
            except VlaError as error:
                self._refuser('perception')('bad_camera_info', str(error))

    def _look(self, matched: tuple[CameraFrame, ...]) -> Seen | None:
        try:
            return Seen([self._frame(message) for message in matched], self._eyes)
        except VlaError as error:
            self._refuser('perception')('bad_image', str(error))
            return None

    def _frame(self, message: CameraFrame) -> Frame:
        try:
            image = message.image()
        except VlaError as error:
            raise VlaError(f'{message.camera}: {error}') from error
        camera, rectifier = self._cameras[message.camera], self._rectifiers.get(message.camera)
        return sight(image, message.stamp, camera, rectifier, self._model.min_contrast)

    def _show(self, seen: Seen) -> None:
        self._out.append(Tokens(self._agenda.now, seen))
        self._newest = seen
        if self._order is not None:
            self._ask(self._order, seen)

    def _on_instruction(self, message: Instruction) -> None:
        order = order_of(message.words, self._model.reasoning.max_instruction_length)
        if isinstance(order, Decision):
            if order.verdict is Verdict.REFUSED:
                self._refuser('reasoning')('long_instruction', order.subtask)
            self._hold(None, order)
            return
        if self._order is None or self._order.words != order.words:
            self._hold(order, None)
        else:
            order, self._progress = self._order, Progress()
        self._gate.reset()
        if self._newest is not None:
            self._ask(order, self._newest)

    def _hold(self, order: Order | None, decision: Decision | None) -> None:
        self._order, self._progress = order, Progress()
        self._thinking.abandon()
        self._out.append(Hold(self._agenda.now, self._clock, decision))

    def _ask(self, order: Order, seen: Seen) -> None:
        age, longest = (self._clock - seen.stamp) / NANOSECONDS, self._model.reasoning.max_token_age
        if age > longest:
            sentence = f'expected tokens of at most {longest} s, found {age:.3f} s'
            self._refuser('reasoning')('stale_tokens', sentence)
        elif self._gate.admits(seen.stamp):
            self._thinking.submit(_Question(order, seen, self._progress, self._joints, self._clock))

    def _begin_thought(self, question: _Question) -> Future[Answer]:
        return self._pool.submit(_think, self._model, question)

    def _end_thought(self, question: _Question, answer: Future[Answer]) -> None:
        if self._heard:
            self._out.append(Thought(self._agenda.now, question.seen.stamp, answer))


def _think(model: Model, question: _Question) -> Answer:
    """One chain of thought; whatever goes wrong is a refusal, as in the node."""
    words = question.order.words
    fault = None
    begun = time.perf_counter()
    try:
        tokens = question.seen.tokens()
        begun = time.perf_counter()
        situation = () if model.hand is None else (None, _situation(model, model.hand, question))
        decision, thought = model.reasoner.think(tokens, words, *situation)
        question.progress.note(decision)
        rows = rows_to_act_on(decision, thought, model.thought_width)
    except Exception as error:
        told = isinstance(error, VlaError)
        fault = ('reasoning_refused', str(error)) if told else ('internal_error', repr(error))
        decision = Decision(Verdict.REFUSED, str(error) if told else 'reasoning failed', words, '')
        rows = np.zeros((0, model.thought_width), np.float32)
    return Answer(decision, rows, fault, time.perf_counter() - begun)


def _situation(model: Model, hand: HandSpec, question: _Question) -> Situation:
    """What the robot felt and remembered, as in the node; thoughts are computed one after another."""
    joints, longest = question.joints, model.reasoning.max_token_age
    age = math.inf if joints is None else (question.clock - joints.stamp) / NANOSECONDS
    if joints is None or not -GuardSettings.clock_slack <= age <= longest:
        raise VlaError(f'joint_states: expected {hand.joint} of at most {longest} s, found {age:.3f} s')
    return question.progress.situation(hand, float(joints.positions[model.joints.index(hand.joint)]))
