"""Reasoning over real DDS: words and tokens become a trace, a decision and a thought; in doubt the arm holds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import ChangeState
from node_graph import JOINTS, PATIENCE, Ear, Graph, eventually, hops_of, hops_told, refusals, rows
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import matrix_from_message, matrix_message
from vla_ros.nodes.messages import nanoseconds, time_message
from vla_ros.nodes.reasoning import ReasoningNode
from vla_ros.types import (
    NANOSECONDS,
    Decision,
    Situation,
    Subtask,
    Thought,
    Verdict,
    VisualTokens,
    VlaError,
)


@dataclass
class ScriptedReasoner:
    """Answers as it is told to; with ``slow`` it writes a second word only when it is let go on."""

    verdict: Verdict = Verdict.GO
    rows: np.ndarray = field(default_factory=lambda: rows(2, 5))
    error: Exception | None = None
    slow: str = ''
    go_on: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    asked: list[tuple[str, int]] = field(default_factory=list)
    situations: list[Situation | None] = field(default_factory=list)
    doing: Subtask | None = None
    providers: tuple[str, ...] = ('CPUExecutionProvider',)

    def think(
        self,
        tokens: VisualTokens,
        instruction: str,
        on_text: Callable[[str], None] | None = None,
        situation: Situation | None = None,
    ) -> tuple[Decision, Thought]:
        self.asked.append((instruction, tokens.stamp))
        self.situations.append(situation)
        assert on_text is not None
        on_text('I see')
        if self.error is not None:
            raise self.error
        if instruction == self.slow:
            assert self.go_on.acquire(timeout=PATIENCE)
        on_text('I see a cube')
        return (
            Decision(
                self.verdict,
                f'do {instruction}',
                instruction,
                'I see a cube',
                (0.5, 0.25),
                'front',
                self.doing,
                (0.75, 0.5),
            ),
            Thought(tokens.stamp, self.rows),
        )


class Bench:
    """A reasoning node and all that it says."""

    def __init__(self, graph: Graph, bundle: str, reasoner: ScriptedReasoner, **parameters: object) -> None:
        self.graph, self.reasoner = graph, reasoner
        # Deeper than usual, to see also what is overtaken at once.
        self.thoughts: Ear = graph.ear(Image, 'reasoning/thought', QoSProfile(depth=50))
        self.decisions: Ear = graph.ear(DiagnosticArray, 'reasoning/decision', QoSProfile(depth=50))
        self.traces: Ear = graph.ear(String, 'reasoning/trace', QoSProfile(depth=50))
        self.node = graph.active(
            lambda **o: ReasoningNode(lambda *_, **__: reasoner, **o), bundle=bundle, **parameters
        )

    def see(self, stamp: int | None = None) -> int:
        """Publish tokens, now unless told otherwise, and wait until the node has them."""
        stamp = self.graph.now() if stamp is None else stamp
        self.graph.say(matrix_message(rows(4, 3), stamp), 'perception/tokens', qos.STREAM_OUT)
        assert eventually(lambda: self.node._tokens is not None and self.node._tokens.stamp == stamp)
        return stamp

    def tell(self, words: str) -> None:
        self.graph.say(String(data=words), 'instruction', qos.LATCHED)

    def feel(self, position: float) -> None:
        """Publish where the hand is now, and wait until the node has it."""
        message = JointState(name=list(JOINTS), position=[0.0, position])
        message.header.stamp = time_message(self.graph.now())
        self.graph.say(message, 'joint_states', qos.JOINT_STATES_OUT)
        assert eventually(
            lambda: self.node._joints is not None and self.node._joints.positions[0] == position
        )

    def decision(self, words: str, after: int = 0) -> DiagnosticStatus:
        return self.decisions.wait(lambda m: words in m.status[0].message, after).status[0]


def height(message: Image) -> int:
    return int(message.height)


def test_an_instruction_becomes_trace_decision_and_thought_with_the_stamp_of_what_was_seen(
    graph, bundle
) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner())
    stamp = bench.see()
    bench.tell('  touch   the red cube ')

    thought = bench.thoughts.wait(lambda m: height(m) > 0)
    assert nanoseconds(thought.header.stamp) == stamp
    np.testing.assert_array_equal(matrix_from_message(thought), rows(2, 5))
    status = bench.decision('do touch the red cube')
    values = {pair.key: pair.value for pair in status.values}
    assert status.level == DiagnosticStatus.OK
    assert (values['instruction'], values['trace']) == ('touch the red cube', 'I see a cube')
    assert (values['target_camera'], values['target_x'], values['target_y']) == ('front', '0.5000', '0.2500')
    bench.traces.wait(lambda m: m.data == 'I see a cube')
    assert [m.data for m in bench.traces.messages] == ['', 'I see', 'I see a cube']
    assert eventually(
        lambda: hops_told(bench.node.health.report().values, 'reasoning') == hops_of('reasoning')
    )


def test_it_goes_on_thinking_at_its_rate_while_the_instruction_stands(graph, bundle) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner(), rate=2.0, max_token_age=60.0)
    begin = graph.now() - 20 * NANOSECONDS
    bench.see(begin)
    bench.tell('touch')
    bench.thoughts.wait(lambda m: height(m) > 0)
    for i in range(1, 21):
        bench.see(begin + i * NANOSECONDS // 10)
        # Each question is answered before the next frame, so that only stamps decide which frame is thought about.
        assert eventually(lambda: len(bench.traces.messages) == 3 * len(bench.reasoner.asked))
    assert eventually(lambda: len(bench.reasoner.asked) == 5)
    seconds = [(stamp - begin) / NANOSECONDS for _, stamp in bench.reasoner.asked]
    assert seconds == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0])


@pytest.mark.parametrize('verdict', [Verdict.REFUSED, Verdict.UNSURE])
def test_a_verdict_other_than_go_is_a_thought_without_rows(graph, bundle, verdict) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner(verdict=verdict))
    bench.see()
    bench.tell('touch the unicorn')
    status = bench.decision('do touch the unicorn')
    assert status.level == (DiagnosticStatus.ERROR if verdict is Verdict.REFUSED else DiagnosticStatus.WARN)
    bench.thoughts.wait(after=1)
    assert [height(m) for m in bench.thoughts.messages] == [0, 0]
    assert bench.thoughts.messages[1].width == 5


@pytest.mark.parametrize('words', ['', '   \n\t '])
def test_an_empty_instruction_means_stop(graph, bundle, words) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner())
    bench.see()
    bench.tell('touch')
    bench.thoughts.wait(lambda m: height(m) > 0)
    count = len(bench.thoughts.messages)
    bench.tell(words)
    assert height(bench.thoughts.wait(after=count)) == 0
    assert bench.decision('stop').level == DiagnosticStatus.WARN
    asked = len(bench.reasoner.asked)
    bench.see(graph.now() + NANOSECONDS)
    assert len(bench.reasoner.asked) == asked, 'without an instruction there is nothing to think about'


def test_a_too_long_instruction_is_refused_with_the_reason_and_the_arm_holds(graph, bundle) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner())
    bench.see()
    bench.tell('touch')
    bench.thoughts.wait(lambda m: height(m) > 0)
    count = len(bench.thoughts.messages)
    bench.tell('x' * 10_000)
    status = bench.decision('10000 characters')
    assert status.level == DiagnosticStatus.ERROR
    assert height(bench.thoughts.wait(after=count)) == 0
    assert refusals(bench.node) == {'long_instruction': 1}
    bench.tell('touch again')
    bench.decision('do touch again')


def test_a_new_instruction_preempts_the_running_chain_of_thought(graph, bundle) -> None:
    reasoner = ScriptedReasoner(slow='first')
    bench = Bench(graph, bundle, reasoner)
    stamp = bench.see()
    bench.tell('first')
    assert eventually(lambda: reasoner.asked == [('first', stamp)])
    bench.tell('second')
    assert eventually(lambda: bench.node._order is not None and bench.node._order.words == 'second')
    reasoner.go_on.release()
    bench.decision('do second')
    assert all('first' not in m.status[0].message for m in bench.decisions.messages)
    traces = [['', 'I see'], ['', 'I see', 'I see a cube']]
    assert eventually(lambda: len(bench.traces.messages) >= 5)
    assert [m.data for m in bench.traces.messages] == [*traces[0], *traces[1]], 'the first was cut short'
    assert [height(m) for m in bench.thoughts.messages][:2] == [0, 0], (
        'each new instruction first holds the arm'
    )


def test_saying_the_same_again_does_not_hold_the_arm(graph, bundle) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner())
    bench.see()
    bench.tell('touch')
    bench.thoughts.wait(lambda m: height(m) > 0)
    count = len(bench.thoughts.messages)
    bench.tell('touch')
    assert height(bench.thoughts.wait(after=count)) == 2


def test_an_instruction_before_the_first_frame_waits_for_it(graph, bundle) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner())
    bench.tell('touch')
    bench.thoughts.wait()
    stamp = bench.see()
    assert nanoseconds(bench.thoughts.wait(lambda m: height(m) > 0).header.stamp) == stamp


@pytest.mark.parametrize(
    'reasoner',
    [
        ScriptedReasoner(error=VlaError('the model file was altered')),
        ScriptedReasoner(error=RuntimeError('bad alloc')),
        ScriptedReasoner(rows=rows(2, 5, np.nan)),
        ScriptedReasoner(rows=rows(2, 4)),
    ],
    ids=['refuses', 'fails', 'not finite', 'wrong width'],
)
def test_a_reasoner_that_fails_is_counted_the_arm_holds_and_the_node_goes_on(graph, bundle, reasoner) -> None:
    bench = Bench(graph, bundle, reasoner)
    bench.see()
    bench.tell('touch')
    status = bench.decisions.wait().status[0]
    assert status.level == DiagnosticStatus.ERROR
    bench.thoughts.wait(after=1)
    assert all(height(m) == 0 for m in bench.thoughts.messages)
    assert sum(refusals(bench.node).values()) == 1

    reasoner.error, reasoner.rows = None, rows(1, 5)
    bench.tell('try again')
    bench.decision('do try again')


def test_stale_tokens_are_not_thought_about(graph, bundle) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner(), max_token_age=1.0)
    bench.see(graph.now() - 2 * NANOSECONDS)
    bench.tell('touch')
    assert eventually(lambda: refusals(bench.node) == {'stale_tokens': 1})
    assert bench.reasoner.asked == []


def test_tokens_of_another_shape_are_refused(graph, bundle) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner())
    graph.say(matrix_message(rows(4, 4), graph.now()), 'perception/tokens', qos.STREAM_OUT)
    assert eventually(lambda: refusals(bench.node) == {'bad_tokens': 1})


def test_deactivated_it_leaves_a_thought_without_rows(graph, bundle) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner())
    bench.see()
    bench.tell('touch')
    bench.thoughts.wait(lambda m: height(m) > 0)
    count = len(bench.thoughts.messages)
    request = ChangeState.Request()
    request.transition.label = 'deactivate'
    assert graph.call(ChangeState, 'reasoning/change_state', request).success
    assert height(bench.thoughts.wait(after=count)) == 0
    bench.decision('stop')


def test_an_instruction_that_was_given_before_activation_is_followed_then(graph, bundle) -> None:
    publisher = graph.tester.create_publisher(String, 'instruction', qos.LATCHED)
    publisher.publish(String(data='touch the cube'))
    bench = Bench(graph, bundle, ScriptedReasoner())
    bench.see()
    bench.decision('do touch the cube')
