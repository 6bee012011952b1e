"""Stands between the nodes and spoils messages under command: what ``vla_ros eval faults`` starts beside the graph.

It relays each topic of RELAYED to ``faulty/<topic>``, undecoded and unchanged, until its parameter ``fault`` says
otherwise; a graph whose inputs are remapped so hears the world through it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState

from vla_ros.nodes import qos
from vla_ros.nodes.distributions import after_change
from vla_ros.nodes.executor import spinning
from vla_ros.nodes.fault_spoilers import CAMERAS, CLOCK, JOINT_STATES, SPOILERS, THOUGHT, TOKENS, Spoil
from vla_ros.nodes.parameters import Setting, declare

NAME = 'fault_injector'
NONE = 'none'
FLOOD_RATE = 1000.0  # messages a second
RELAYED: dict[str, tuple[Any, QoSProfile, QoSProfile]] = {
    **dict.fromkeys(CAMERAS, (Image, qos.CAMERA, qos.CAMERA)),
    TOKENS: (Image, qos.STREAM_IN, qos.STREAM_OUT),
    THOUGHT: (Image, qos.THOUGHT, qos.THOUGHT),
    JOINT_STATES: (JointState, qos.JOINT_STATES_IN, qos.JOINT_STATES_OUT),
    CLOCK: (Clock, qos.CLOCK, qos.CLOCK),
}
"""Topic: its type, and how it is heard and sent."""
FAULTS = (NONE, *SPOILERS, *(f'flood {topic}' for topic in RELAYED))
SETTINGS = (Setting('fault', NONE, 'What is done to messages on their way.', choices=FAULTS, live=True),)


def faulty(topic: str) -> str:
    """What a relayed topic is called where it comes out."""
    return f'/faulty{topic}' if topic.startswith('/') else f'faulty/{topic}'


class Relay:
    """One topic, passed on."""

    def __init__(self, node: Node, topic: str) -> None:
        kind, hear, send = RELAYED[topic]
        self.newest: bytes | None = None
        self.spoil: Spoil | None = None
        self._kind = kind
        self._publisher = node.create_publisher(kind, faulty(topic), send)
        node.create_subscription(kind, topic, self._pass_on, hear, raw=True)

    def repeat(self) -> None:
        """Send the newest message once more."""
        if self.newest is not None:
            self._publisher.publish(self.newest)

    def _pass_on(self, serialised: bytes) -> None:
        self.newest = serialised
        if self.spoil is None:
            self._publisher.publish(serialised)
            return
        for message in self.spoil(deserialize_message(serialised, self._kind)):
            self._publisher.publish(message)


class FaultInjector(Node):
    """All relays, and the parameter that commands them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(NAME, **options)
        declare(self, SETTINGS)
        self._relays = {topic: Relay(self, topic) for topic in RELAYED}
        self._flood: Flood | None = None
        after_change(self, self._on_parameters)

    def close(self) -> None:
        """End what runs beside the relays."""
        self._end_flood()

    def _on_parameters(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if parameter.name == 'fault':
                self._command(str(parameter.value))

    def _command(self, fault: str) -> None:
        self._end_flood()
        spoiler = SPOILERS.get(fault)
        for topic, relay in self._relays.items():
            relay.spoil = spoiler.make() if spoiler is not None and topic in spoiler.topics else None
        if fault.startswith('flood '):
            self._flood = Flood(self._relays[fault.removeprefix('flood ')].repeat)
        self.get_logger().info(f'fault: {fault}')

    def _end_flood(self) -> None:
        if self._flood is not None:
            self._flood.end()
            self._flood = None


class Flood:
    """A thread that does something at FLOOD_RATE until it is ended."""

    def __init__(self, send: Callable[[], None]) -> None:
        self._send, self._ended = send, threading.Event()
        self._thread = threading.Thread(target=self._run, name='flood', daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Send no more."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            self._send()
            due = max(due + 1.0 / FLOOD_RATE, time.monotonic() - 0.1)  # what is missed is not all made up for
            time.sleep(max(0.0, due - time.monotonic()))


def main() -> int:
    """Entry point: relay until SIGINT or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = FaultInjector()
    with spinning(node, lambda error: node.get_logger().error(repr(error))):
        ended.wait()
        node.close()
    node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
