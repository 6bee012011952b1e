"""The reasoning node and the joints: what a model that wants to know of the hand is told."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus
from node_graph import JOINTS, eventually, refusals, write_bundle
from sensor_msgs.msg import JointState
from test_nodes_reasoning import Bench, ScriptedReasoner, height

from vla_ros.nodes import qos
from vla_ros.nodes.messages import time_message
from vla_ros.types import (
    NANOSECONDS,
    Situation,
    Subtask,
)


def test_a_model_that_wants_to_know_of_the_hand_is_told_and_remembers_until_it_is_told_anew(
    graph, tmp_path
) -> None:
    bundle = str(write_bundle(tmp_path / 'hand', hand=JOINTS[1]))
    reasoner = ScriptedReasoner(doing=Subtask('push', 'red cube', 'left'))
    bench = Bench(graph, bundle, reasoner, rate=50.0, max_token_age=60.0)
    bench.feel(0.5)
    bench.see()
    bench.tell('push it')
    bench.decision('do push it')
    bench.feel(-0.5)
    bench.see()
    assert eventually(lambda: len(reasoner.situations) == 2)
    bench.tell('push it')
    assert eventually(lambda: len(reasoner.situations) == 3)
    pushed = (0.75, 0.5)
    expected = [Situation('between'), Situation('closed', 0, pushed), Situation('closed')]
    assert reasoner.situations == expected


def test_what_is_still_thought_when_it_is_told_anew_is_not_remembered(graph, tmp_path) -> None:
    bundle = str(write_bundle(tmp_path / 'hand', hand=JOINTS[1]))
    reasoner = ScriptedReasoner(slow='push it', doing=Subtask('push', 'red cube', 'left'))
    bench = Bench(graph, bundle, reasoner, rate=50.0, max_token_age=60.0)
    bench.feel(0.5)
    bench.see()
    bench.tell('push it')
    assert eventually(lambda: len(reasoner.situations) == 1)
    before = bench.node._progress
    bench.tell('push it')
    assert eventually(lambda: bench.node._progress is not before)
    reasoner.go_on.release()
    assert eventually(lambda: len(reasoner.situations) == 2)
    reasoner.go_on.release()
    assert reasoner.situations == [Situation('between')] * 2


def test_joint_states_of_the_future_are_no_better_than_none(graph, tmp_path) -> None:
    """They would seem to be fresh until then, even if no more come."""
    bundle = str(write_bundle(tmp_path / 'hand', hand=JOINTS[1]))
    bench = Bench(graph, bundle, ScriptedReasoner(), max_token_age=60.0)
    message = JointState(name=list(JOINTS), position=[0.0, 0.5])
    message.header.stamp = time_message(graph.now() + 100 * NANOSECONDS)
    graph.say(message, 'joint_states', qos.JOINT_STATES_OUT)
    assert eventually(lambda: bench.node._joints is not None)
    bench.see()
    bench.tell('touch it')
    assert bench.decision('joint_states: expected lift').level == DiagnosticStatus.ERROR
    assert bench.reasoner.asked == []


def test_joint_states_of_another_part_of_the_robot_are_nobodys_fault(graph, tmp_path) -> None:
    bundle = str(write_bundle(tmp_path / 'hand', hand=JOINTS[1]))
    bench = Bench(graph, bundle, ScriptedReasoner(), max_token_age=60.0)
    bench.feel(0.5)
    graph.say(JointState(name=['wheel'], position=[0.0]), 'joint_states', qos.JOINT_STATES_OUT)
    bench.feel(0.6)
    assert refusals(bench.node) == {}
    assert bench.node._joints is not None


def test_without_joint_states_a_model_that_wants_to_know_of_the_hand_does_not_act(graph, tmp_path) -> None:
    bundle = str(write_bundle(tmp_path / 'hand', hand=JOINTS[1]))
    bench = Bench(graph, bundle, ScriptedReasoner())
    bench.see()
    bench.tell('touch it')
    assert bench.decision('joint_states: expected lift').level == DiagnosticStatus.ERROR
    assert eventually(lambda: refusals(bench.node) == {'reasoning_refused': 1})
    assert bench.reasoner.asked == []
    assert all(height(m) == 0 for m in bench.thoughts.messages)
