"""What Humble does not have: the ways around, with rclpy as Humble has it."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip('rclpy')

import rclpy.event_handler
from node_graph import Graph, eventually
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription
from std_msgs.msg import String

from vla_ros.nodes import distributions, qos
from vla_ros.nodes.distributions import after_change, with_arrival


@pytest.fixture
def humble(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the source of the branch humble lacks, taken away."""
    monkeypatch.delattr(Node, 'add_post_set_parameters_callback')
    monkeypatch.delattr(Subscription, 'CallbackType')


def make(graph: Graph) -> Any:
    node = graph.add(lambda **options: Node('probe', **options))
    node.declare_parameter('rate', 1.0)
    return node


def acts_on_changes(graph: Graph) -> None:
    node, seen = make(graph), []
    after_change(node, lambda parameters: seen.append((parameters[0].name, node.get_parameter('rate').value)))

    (result,) = node.set_parameters([Parameter('rate', value=2.0)])

    assert result.successful
    assert eventually(lambda: seen == [('rate', 2.0)]), seen


def test_a_node_acts_on_a_change_after_it_was_made(graph: Graph) -> None:
    acts_on_changes(graph)


def test_on_humble_too(graph: Graph, humble: None) -> None:
    acts_on_changes(graph)


def test_a_subscription_is_told_when_a_message_came(graph: Graph) -> None:
    node, heard = make(graph), []
    node.create_subscription(
        String, 'x', with_arrival(lambda m, at: heard.append((m, at))), qos.TRACE, raw=True
    )
    begun = graph.now()
    graph.say(String(data='a'), 'x', qos.TRACE)

    assert eventually(lambda: heard)
    assert isinstance(heard[0][0], bytes) and abs(heard[0][1] - begun) < 60 * 10**9


def test_on_humble_nobody_is_told_when_a_message_came(humble: None) -> None:
    heard: list[tuple[Any, int]] = []

    with_arrival(lambda message, at: heard.append((message, at)))(b'a')

    assert heard == [(b'a', 0)]


def test_on_humble_events_of_liveliness_are_found_in_another_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType('rclpy.qos_event')
    module.QoSLivelinessChangedInfo = rclpy.event_handler.QoSLivelinessChangedInfo  # type: ignore[attr-defined]
    module.SubscriptionEventCallbacks = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, 'rclpy.event_handler', None)
    monkeypatch.setitem(sys.modules, 'rclpy.qos_event', module)
    try:
        assert importlib.reload(distributions).SubscriptionEventCallbacks is object
    finally:
        monkeypatch.undo()
        importlib.reload(distributions)
