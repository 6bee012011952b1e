"""Hears what the action node brakes for, and counts what nodes refuse, while faults are made."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import rclpy
from rcl_interfaces.msg import Log
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions

from vla_ros.evaluation.fault_verdict import Detection
from vla_ros.nodes.executor import spinning
from vla_ros.nodes.messages import nanoseconds
from vla_ros.types import NANOSECONDS

BRAKING = 'braking: '
REFUSED = 'refused '


class Witness:
    """A node with a thread of its own. Use it as a context manager."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._brakes: list[Detection] = []
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node('fault_witness', context=self._context)
        self._node.create_subscription(Log, '/rosout', self._on_log, QoSProfile(depth=100))
        self._spinning = spinning(self._node, lambda error: None)

    def __enter__(self) -> Witness:
        self._spinning.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._spinning.__exit__(None, None, None)
        self._node.destroy_node()
        self._context.try_shutdown()

    def brakes(self, since: float) -> tuple[Detection, ...]:
        """What the action node has braked for since a time of the wall clock (s)."""
        with self._lock:
            return tuple(brake for brake in self._brakes if brake.wall >= since)

    def _on_log(self, message: Log) -> None:
        if not message.msg.startswith(BRAKING):
            return
        wall = nanoseconds(message.stamp) / NANOSECONDS
        with self._lock:
            self._brakes.append(Detection(wall, message.name, message.msg.removeprefix(BRAKING)))


def refusals(reports: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """How often each node has counted each refusal, as 'node: reason', by what it says on /diagnostics."""
    return {
        f'{node}: {key.removeprefix(REFUSED)}': int(value)
        for node, values in reports.items()
        for key, value in values.items()
        if key.startswith(REFUSED)
    }


def grown(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[str, ...]:
    """Which counts have changed; those of a node that was started again begin at zero."""
    return tuple(sorted(reason for reason, count in after.items() if count != before.get(reason, 0)))
