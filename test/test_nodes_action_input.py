"""The action node and bad input: it is refused and counted, nothing moves by it, and what is good still does."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy')

from node_graph import JOINTS, eventually, refusals, rows
from sensor_msgs.msg import Image, JointState
from test_nodes_action import Bench, Steady

from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import matrix_message
from vla_ros.types import NANOSECONDS, VlaError

NAN = float('nan')


@pytest.mark.parametrize(
    ('topic', 'message', 'reason'),
    [
        ('joint_states', JointState(name=list(JOINTS), position=[0.0, NAN]), 'bad_joint_states'),
        ('joint_states', JointState(name=['pan'], position=[0.0]), 'bad_joint_states'),
        ('joint_states', JointState(name=[*JOINTS, 'pan'], position=[0.0] * 3), 'bad_joint_states'),
        ('joint_states', JointState(), 'bad_joint_states'),
        ('perception/tokens', matrix_message(rows(4, 3, NAN), 1), 'bad_tokens'),
        ('perception/tokens', matrix_message(rows(3, 3), 1), 'bad_tokens'),
        ('perception/tokens', Image(encoding='rgb8', height=4, width=3, step=9), 'bad_tokens'),
        ('reasoning/thought', matrix_message(rows(1, 4), 1), 'bad_thought'),
        ('reasoning/thought', matrix_message(rows(4, 5), 1), 'bad_thought'),
        ('reasoning/thought', matrix_message(rows(1, 5, NAN), 1), 'bad_thought'),
    ],
    ids=[
        'NaN joint', 'missing joint', 'joint twice', 'no joints', 'NaN tokens', 'few tokens', 'tokens as picture',
        'narrow thought', 'long thought', 'NaN thought',
    ],
)  # fmt: skip
def test_bad_input_is_counted_nothing_moves_and_good_input_still_does(
    graph, tmp_path, topic, message, reason
) -> None:
    bench = Bench(graph, tmp_path)
    bench.enable()
    profile = {'joint_states': qos.JOINT_STATES_OUT, 'reasoning/thought': qos.THOUGHT}.get(
        topic, qos.STREAM_OUT
    )
    if topic != 'reasoning/thought':
        bench.think(bench.now)
    graph.say(message, topic, profile)
    assert eventually(lambda: refusals(bench.node) == {reason: 1})
    assert bench.plans.messages == []
    bench.feed()
    bench.plans.wait()


def test_joint_states_of_another_part_of_the_robot_do_not_matter(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    graph.say(JointState(name=['wheel'], position=[1.0]), 'joint_states', qos.JOINT_STATES_OUT)
    bench.joints(bench.now)
    assert refusals(bench.node) == {}


@pytest.mark.parametrize(
    ('stale', 'reason'),
    [
        ('joints', 'stale_joint_state'),
        ('thought', 'stale_thought'),
        ('tokens', 'stale_observation'),
    ],
)
def test_nothing_too_old_is_acted_on(graph, tmp_path, stale, reason) -> None:
    bench = Bench(graph, tmp_path)
    bench.enable()
    now = bench.now
    old = now - 10 * NANOSECONDS
    bench.joints(old if stale == 'joints' else now)
    bench.think(old if stale == 'thought' else now)
    bench.see(old if stale == 'tokens' else now)
    assert eventually(lambda: reason in refusals(bench.node))
    assert bench.policy.seen == []
    assert bench.plans.messages == []


@pytest.mark.parametrize(
    ('policy', 'reason'),
    [
        (Steady(value=NAN), 'non_finite'),
        (Steady(value=9.0), 'position_limit'),
        (Steady(error=VlaError('no')), 'bad_plan'),
        (Steady(error=RuntimeError('bad alloc')), 'internal_error'),
    ],
    ids=['not finite', 'beyond limits', 'refuses', 'fails'],
)
def test_a_policy_that_fails_is_counted_and_the_node_goes_on(graph, tmp_path, policy, reason) -> None:
    bench = Bench(graph, tmp_path, policy)
    bench.enable()
    bench.feed()
    assert eventually(lambda: refusals(bench.node) == {reason: 1})
    assert bench.plans.messages == []
    policy.error, policy.value = None, 0.0
    bench.feed(bench.set_time(100.2))
    bench.plans.wait()
