"""The action node and what cannot be true: time that goes back, joints that jump, pictures that stand still."""

from __future__ import annotations

import pytest

pytest.importorskip('rclpy')

from node_graph import eventually, refusals, rows
from test_nodes_action import Bench, is_brake

from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import matrix_message
from vla_ros.types import NANOSECONDS


def test_tokens_that_go_back_in_time_disarm(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    plan = bench.moving()
    bench.see(bench.now - NANOSECONDS)
    assert is_brake(bench.plans.wait(after=1), plan)
    assert refusals(bench.node) == {'clock_went_back': 1}
    bench.feed()
    assert len(bench.plans.messages) == 2
    assert bench.enable().success


def test_a_clock_that_jumps_back_disarms(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    plan = bench.moving()
    bench.set_time(50.0)
    assert is_brake(bench.plans.wait(after=1), plan)
    assert eventually(lambda: refusals(bench.node).get('clock_went_back') == 1)
    bench.feed(bench.set_time(50.1))
    assert len(bench.plans.messages) == 2
    assert bench.enable().success
    bench.feed(bench.set_time(50.3))
    bench.plans.wait(after=2)


def test_joints_that_jump_disarm(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    plan = bench.moving()
    bench.joints(bench.now + NANOSECONDS // 50, positions=(0.0, 0.6))
    assert is_brake(bench.plans.wait(after=1), plan)
    assert eventually(lambda: refusals(bench.node) == {'joints_jumped': 1})
    assert bench.enable().success


def test_a_camera_that_shows_the_same_while_the_arm_moves_brakes_it_until_it_shows_something_else(
    graph, tmp_path
) -> None:
    bench = Bench(graph, tmp_path)
    plan = bench.moving()
    bench.joints(bench.set_time(100.1), positions=(0.2, 0.0))
    bench.graph.say(matrix_message(rows(4, 3), bench.now), 'perception/tokens', qos.STREAM_OUT)
    assert is_brake(bench.plans.wait(after=1), plan)
    assert eventually(lambda: refusals(bench.node) == {'frozen_camera': 1})

    bench.joints(bench.set_time(100.3), positions=(0.2, 0.0))
    bench.graph.say(matrix_message(rows(4, 3, 2.0), bench.now), 'perception/tokens', qos.STREAM_OUT)
    bench.plans.wait(after=2)


def test_what_was_made_with_another_bundle_is_refused(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    for topic, profile, reason, count in (
        ('perception/tokens', qos.STREAM_OUT, 'bad_tokens', (4, 3)),
        ('reasoning/thought', qos.THOUGHT, 'bad_thought', (1, 5)),
    ):
        graph.say(matrix_message(rows(*count), bench.now, 'tiny 0123456789ab'), topic, profile)
        assert eventually(lambda reason=reason: refusals(bench.node).get(reason) == 1)
    assert set(bench.node._motion.stamps().values()) == {None}
    graph.say(
        matrix_message(rows(1, 5), bench.now, bench.node._manifest.tag), 'reasoning/thought', qos.THOUGHT
    )
    bench._wait_for('thought', bench.now)


def test_when_the_cameras_die_the_arm_is_braked_before_its_plan_ends(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path, max_token_age=0.2, max_joint_state_age=5.0)
    plan = bench.moving()
    bench.set_time(100.3)
    assert is_brake(bench.plans.wait(after=1), plan)
    assert eventually(lambda: refusals(bench.node) == {'stale_observation': 1})
