"""Reasoning: words and visual tokens to a chain of thought, a decision and thought vectors."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vla_ros.action.guard import GuardSettings
from vla_ros.manifest import HandSpec
from vla_ros.nodes import qos
from vla_ros.nodes.backends import BACKEND_SETTINGS, make_reasoner
from vla_ros.nodes.illustration import Illustration
from vla_ros.nodes.image_messages import matrix_from_message, matrix_message
from vla_ros.nodes.joint_messages import joints_from_message
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.main import run
from vla_ros.nodes.messages import decision_message, nanoseconds
from vla_ros.nodes.model import MODEL_SETTINGS, open_bundle, require_made_with, tell_providers
from vla_ros.nodes.parameters import Setting
from vla_ros.nodes.topic_status import Acceptable
from vla_ros.nodes.worker import LatestWorker
from vla_ros.perception.rate_gate import RateGate
from vla_ros.reasoning.orders import STOP, Order, ReasoningSettings, order_of, rows_to_act_on
from vla_ros.reasoning.progress import Progress
from vla_ros.reasoning.reasoner import Reasoner
from vla_ros.types import (
    NANOSECONDS,
    Decision,
    FloatArray,
    JointSample,
    Situation,
    Verdict,
    VisualTokens,
    VlaError,
    require_shape,
)

SETTINGS = (
    *MODEL_SETTINGS,
    *BACKEND_SETTINGS,
    Setting(
        'rate',
        ReasoningSettings.rate,
        'Thoughts a second while following an order.',
        0.05,
        50.0,
        live=True,
        unit='1/s',
    ),
    Setting(
        'max_token_age',
        ReasoningSettings.max_token_age,
        'Older visual tokens are not thought about.',
        0.01,
        60.0,
        live=True,
        unit='s',
    ),
    Setting(
        'max_instruction_length',
        ReasoningSettings.max_instruction_length,
        'Longer instructions are refused.',
        1,
        100_000,
        live=True,
        unit='characters',
    ),
    Setting('base_frame', 'base_link', 'Frame of the robot, above which markers stand.'),
)


class _PreemptedError(Exception):
    """A newer instruction came: the running chain of thought is of no use any more."""


@dataclass(frozen=True)
class _Question:
    order: Order
    tokens: VisualTokens
    progress: Progress
    asked: int  # a mark


class ReasoningNode(VlaNode):
    """``instruction``, ``perception/tokens`` to ``reasoning/trace``, ``.../decision``, ``.../thought``."""

    def __init__(self, make_reasoner: Callable[..., Reasoner] = make_reasoner, **options: Any) -> None:
        super().__init__('reasoning', SETTINGS, peers=('perception', 'action'), **options)
        self._make_reasoner = make_reasoner
        # Held to change the order, and to publish only what answers the present one.
        self._lock = threading.Lock()
        self._order: Order | None = None
        self._progress = Progress()
        self._tokens: VisualTokens | None = None
        self._joints: JointSample | None = None
        self._worker: LatestWorker[_Question] | None = None
        self._instructions: Subscription | None = None
        self._preempted = 0

    def set_up(self) -> None:
        """Load the model and open the topics, except for the instruction."""
        bundle = open_bundle(self)
        self._manifest = bundle.manifest
        camera = self._manifest.reasoning.location_camera
        self._illustration = Illustration(self, camera, self.setting('base_frame'))
        self._reasoner = self._make_reasoner(self, bundle, self._illustration.image_at)
        tell_providers(self, getattr(self._reasoner, 'providers', ()))
        self._trace = self.speak(String, 'reasoning/trace', qos.TRACE)
        self._decisions = self.speak(DiagnosticArray, 'reasoning/decision', qos.LATCHED)
        self._thoughts = self.speak(Image, 'reasoning/thought', qos.THOUGHT)
        hop = 'tokens to reasoning'
        self.listen(Image, 'perception/tokens', self._on_tokens, qos.STREAM_IN, 'bad_tokens', hop=hop)
        self._hand = self._manifest.reasoning.hand
        if self._hand is not None:
            self.listen(JointState, 'joint_states', self._on_joints, qos.JOINT_STATES_IN, 'bad_joint_states')

    def start(self) -> None:
        """Begin without an instruction; one that was sent before arrives now."""
        self._order = self._tokens = self._joints = None
        self._gate = RateGate(self.setting('rate'))
        self._worker = LatestWorker('reasoning', self._think, self.fail)
        self._instructions = self.listen(
            String, 'instruction', self._on_instruction, qos.LATCHED, 'bad_instruction'
        )

    def wind_down(self) -> None:
        """Withdraw the instruction, so that the arm holds, and end the worker."""
        self._hold(None, STOP)
        if self._instructions is not None:
            self.let_go(self._instructions)
            self._instructions = None
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def tear_down(self) -> None:
        """Give the model's memory back."""
        vars(self).pop('_reasoner', None)

    def observe(self) -> None:
        """Show what is being followed."""
        order, tokens = self._order, self._tokens
        self.note_age('tokens', tokens.stamp if tokens is not None else None)
        self.health.note('instruction', order.words if order is not None else '')
        self.health.note('chains of thought pre-empted', self._preempted)

    def expect(self) -> None:
        """Tokens so often that none gets too old before the next."""
        longest = self.setting('max_token_age')
        self.health.expect('tokens', Acceptable(slowest=1 / longest, oldest=longest))

    def _on_instruction(self, message: String) -> None:
        order = order_of(message.data, self.setting('max_instruction_length'))
        if isinstance(order, Decision):
            if order.verdict is Verdict.REFUSED:
                self.refuse('long_instruction', order.subtask)
            self._hold(None, order)
            return
        present = self._order
        if present is None or present.words != order.words:
            self._hold(order)
        else:
            # Said again it is meant anew: a push goes on from where the object is now.
            self._progress = Progress()
        self._gate.reset()
        if self._tokens is not None:
            self._ask(self._tokens)

    def _on_tokens(self, message: Image) -> None:
        rows = matrix_from_message(message)
        require_shape('tokens', rows, (self._manifest.tokens.rows, self._manifest.tokens.width))
        require_made_with('tokens', message, self._manifest)
        self._tokens = VisualTokens(nanoseconds(message.header.stamp), rows)
        self.health.tick('tokens', self.age(self._tokens.stamp))
        if self._order is not None:
            self._ask(self._tokens)

    def _on_joints(self, message: JointState) -> None:
        assert self._hand is not None  # or nobody would listen
        if message.name and self._hand.joint not in message.name:
            return  # of another part of the robot
        self._joints = joints_from_message(message, (self._hand.joint,))

    def _ask(self, tokens: VisualTokens) -> None:
        """Leave a question for the worker, if tokens are fresh and it is time."""
        order, worker = self._order, self._worker
        if order is None or worker is None:
            return
        age, longest = (self.now() - tokens.stamp) / NANOSECONDS, self.setting('max_token_age')
        if age > longest:
            self.refuse('stale_tokens', f'expected tokens of at most {longest} s, found {age:.3f} s')
            return
        self._gate.rate = self.setting('rate')
        if self._gate.admits(tokens.stamp):
            worker.submit(_Question(order, tokens, self._progress, self.hops.mark()))

    def _think(self, question: _Question) -> None:
        """In the worker: one chain of thought, published token by token."""
        begun = self.hops.since('tokens to thinking', question.asked)

        def on_text(text: str) -> None:
            if self._order is not question.order:
                raise _PreemptedError
            self._trace.publish(String(data=text))

        try:
            on_text('')
            told = () if self._hand is None else (self._situation(self._hand, question.progress),)
            decision, thought = self._reasoner.think(question.tokens, question.order.words, on_text, *told)
            rows = rows_to_act_on(decision, thought, self._manifest.thought.width)
        except _PreemptedError:
            self._preempted += 1
            return
        except Exception as error:
            if isinstance(error, VlaError):
                self.refuse('reasoning_refused', error)
            else:
                self.fail(error)
            words = str(error) if isinstance(error, VlaError) else 'reasoning failed'
            decision = Decision(Verdict.REFUSED, words, question.order.words, '')
            rows = self._no_rows()
        self._answer(question, decision, rows, begun, self.hops.mark())

    def _situation(self, hand: HandSpec, progress: Progress) -> Situation:
        """What the robot feels and remembers now; VlaError without fresh joint states."""
        joints, longest = self._joints, self.setting('max_token_age')
        age = math.inf if joints is None else (self.now() - joints.stamp) / NANOSECONDS
        if joints is None or not -GuardSettings.clock_slack <= age <= longest:
            raise VlaError(f'joint_states: expected {hand.joint} of at most {longest} s, found {age:.3f} s')
        return progress.situation(hand, float(joints.positions[0]))

    def _answer(
        self, question: _Question, decision: Decision, rows: FloatArray, begun: int, ended: int
    ) -> None:
        stamp, seconds = question.tokens.stamp, (ended - begun) / NANOSECONDS
        with self._lock:
            if self._order is not question.order:
                self._preempted += 1
                return
            question.progress.note(decision)  # that of before, if it was told anew meanwhile
            self._thoughts.publish(matrix_message(rows, stamp, self._manifest.tag))
            self.hops.since('thinking to thought', ended)
            self.hops.since_stamp('camera to thought', stamp)
            self._decisions.publish(decision_message(decision, stamp, {'thinking [s]': f'{seconds:.3f}'}))
        self._illustration.show(decision, stamp)
        self.health.tick('thoughts')
        self.health.latency('thinking', seconds)

    def _hold(self, order: Order | None, decision: Decision | None = None) -> None:
        """Put another order in force: until it is thought through, the arm holds."""
        now = self.now()
        with self._lock:
            self._order = order
            self._progress = Progress()
            self._thoughts.publish(matrix_message(self._no_rows(), now, self._manifest.tag))
            if decision is not None:
                self._decisions.publish(decision_message(decision, now))

    def _no_rows(self) -> FloatArray:
        return np.zeros((0, self._manifest.thought.width), np.float32)


def main() -> int:
    """Entry point of the executable ``reasoning``."""
    return run([ReasoningNode])


if __name__ == '__main__':
    raise SystemExit(main())
