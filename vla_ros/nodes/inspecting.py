"""What a running graph consists of: its nodes, their topics with quality of service, and what is in force in them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterValue
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import DurabilityPolicy, QoSCompatibility, QoSProfile, ReliabilityPolicy, qos_check_compatible

from vla_ros.diagnostics import HARDWARE_ID, LIMITS_TASK, STATE_TASK, node_and_task
from vla_ros.graph import NODES
from vla_ros.interfaces import MAINTAINER, NODE_NAMES
from vla_ros.nodes import qos
from vla_ros.nodes.bringup import prepare_environment
from vla_ros.nodes.client import values_of
from vla_ros.nodes.joining import join_graph
from vla_ros.viz.graph_tables import EndpointLine, GraphPicture, NodeLine, TopicLine

ANSWER_TIMEOUT = 5.0  # seconds for a node to tell its parameters
EVERYBODYS = ('/rosout', '/parameter_events', '/diagnostics')
"""Topics of every node, of which nothing is to be learned here."""


def inspect_graph(namespace: str | None, seconds: float) -> GraphPicture:
    """What there is of a graph after ``seconds`` of listening; None is every namespace."""
    prepare_environment(simulator=False, own_domain=False)
    with Inspector() as inspector:
        inspector.listen(seconds)
        return inspector.picture(namespace)


class Inspector:
    """A node that asks others what they are. Use it as a context manager."""

    def __init__(self) -> None:
        self._context = Context()
        join_graph(context=self._context)
        self._node = Node(NODE_NAMES[MAINTAINER], context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._told: dict[tuple[str, str], dict[str, str]] = {}
        self._node.create_subscription(DiagnosticArray, '/diagnostics', self._hear, qos.DIAGNOSTICS)

    def __enter__(self) -> Inspector:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def listen(self, seconds: float) -> None:
        """Let nodes be discovered, and hear what they say of themselves."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def picture(self, namespace: str | None = None) -> GraphPicture:
        """What is known now, and what the nodes answer."""
        wanted = None if namespace is None else f'/{namespace.strip("/")}'
        ours = {spec.name for spec in NODES}
        found = sorted(
            (space, name)
            for name, space in set(self._node.get_node_names_and_namespaces())
            if name in ours and wanted in (None, space)
        )
        return GraphPicture(tuple(self._node_line(*each) for each in found), self._topics(found))

    def _hear(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.hardware_id == HARDWARE_ID:
                self._told[node_and_task(status.name)] = values_of(status)

    def _node_line(self, space: str, name: str) -> NodeLine:
        full = _full(space, name)
        node = full.lstrip('/')
        return NodeLine(
            full,
            self._told.get((node, STATE_TASK), {}).get('lifecycle', ''),
            self._parameters(full),
            self._told.get((node, LIMITS_TASK), {}),
        )

    def _parameters(self, full: str) -> dict[str, Any]:
        listed = self._ask(ListParameters, f'{full}/list_parameters', ListParameters.Request())
        if listed is None:
            return {}
        names = sorted(listed.result.names)
        got = self._ask(GetParameters, f'{full}/get_parameters', GetParameters.Request(names=names))
        values: Sequence[ParameterValue] = () if got is None else got.values
        return {name: _plain(value) for name, value in zip(names, values)}

    def _ask(self, kind: Any, service: str, request: Any) -> Any:
        """The answer, or None."""
        client = self._node.create_client(kind, service)
        try:
            if not client.wait_for_service(ANSWER_TIMEOUT):
                return None
            future = client.call_async(request)
            self._executor.spin_until_future_complete(future, ANSWER_TIMEOUT)
            return future.result() if future.done() else None
        finally:
            self._node.destroy_client(client)

    def _topics(self, nodes: Sequence[tuple[str, str]]) -> tuple[TopicLine, ...]:
        types: dict[str, tuple[str, ...]] = {}
        for space, name in nodes:
            for ask in (
                self._node.get_publisher_names_and_types_by_node,
                self._node.get_subscriber_names_and_types_by_node,
            ):
                types.update({topic: tuple(kinds) for topic, kinds in ask(name, space)})
        return tuple(
            self._topic(topic, types[topic])
            for topic in sorted(types)
            if topic not in EVERYBODYS and not topic.endswith('/transition_event')
        )

    def _topic(self, topic: str, types: tuple[str, ...]) -> TopicLine:
        publishers = self._node.get_publishers_info_by_topic(topic)
        subscribers = self._node.get_subscriptions_info_by_topic(topic)
        problems = [
            f'{_of(subscriber)} does not hear {_of(publisher)}: {reason}'
            for publisher in publishers
            for subscriber in subscribers
            for verdict, reason in [qos_check_compatible(publisher.qos_profile, subscriber.qos_profile)]
            if verdict == QoSCompatibility.ERROR
        ]
        kinds = tuple(sorted({*types, *(end.topic_type for end in (*publishers, *subscribers))}))
        if len(kinds) > 1:
            problems.append('its ends have different types')
        return TopicLine(topic, kinds, _lines(publishers), _lines(subscribers), '; '.join(problems))


def _lines(ends: Sequence[Any]) -> tuple[EndpointLine, ...]:
    found = {EndpointLine(_of(end), in_words(end.qos_profile)) for end in ends}
    return tuple(sorted(found, key=lambda line: (line.node, line.promise)))


def _of(end: Any) -> str:
    return _full(end.node_namespace, end.node_name)


def _full(space: str, name: str) -> str:
    return f'{space.rstrip("/")}/{name}'


def in_words(profile: QoSProfile) -> str:
    """Reliability and durability; DDS tells nobody the depth of others."""
    reliability = {ReliabilityPolicy.RELIABLE: 'reliable', ReliabilityPolicy.BEST_EFFORT: 'best effort'}
    durability = {DurabilityPolicy.TRANSIENT_LOCAL: ', transient local'}
    return reliability.get(profile.reliability, 'unknown') + durability.get(profile.durability, '')


def _plain(value: ParameterValue) -> Any:
    plain = parameter_value_to_python(value)
    return list(plain) if not isinstance(plain, (bool, int, float, str, type(None))) else plain
