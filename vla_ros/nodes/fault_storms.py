"""People and programs that ask too much of the nodes, each until it is told to end."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import rclpy
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from vla_ros.action.shape import ShapeSettings
from vla_ros.nodes.client import Client as Person
from vla_ros.nodes.executor import spinning

PAUSE = 0.005  # seconds between two instructions
ANSWER = 5.0  # seconds for a service
VALUES: tuple[tuple[str, float | str], ...] = (
    ('smoothing', 0.1),
    ('replan_rate', 6.0),
    ('max_token_age', -1.0),  # out of range
    ('limits_file', '/nowhere'),  # read-only
    ('replan_rate', 'often'),  # of another type
    ('replan_rate', 5.0),
    ('smoothing', ShapeSettings.smoothing),
)
"""At the end all is as it was."""


def instructions(client: Person, orders: Sequence[str], ended: threading.Event) -> int:
    """Give one order after another; how many."""
    for count, words in enumerate(itertools.cycle(orders), start=1):
        client.instruct(words)
        if ended.wait(PAUSE):
            return count
    raise AssertionError('no orders')


@contextmanager
def parameter_service() -> Iterator[Client]:
    """A node of its own that has found the service by which parameters of the action node are set."""
    context = Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    node = Node('parameter_storm', context=context)
    try:
        with spinning(node, lambda error: None):
            service = node.create_client(SetParameters, 'action/set_parameters')
            service.wait_for_service(ANSWER)
            yield service
    finally:
        node.destroy_node()
        context.try_shutdown()


def parameters(service: Client, ended: threading.Event) -> int:
    """Set parameters of the action node, good and bad ones, each as soon as the last is answered; how many."""
    count = 0
    while not ended.is_set():
        count += sum(_is_answered(service, name, value) for name, value in VALUES)
    return count


def _is_answered(service: Client, name: str, value: float | str) -> bool:
    answered = threading.Event()
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    service.call_async(request).add_done_callback(lambda _: answered.set())
    return answered.wait(ANSWER)
