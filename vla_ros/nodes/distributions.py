"""What rclpy calls differently, or does not have, from Humble to Kilted. Everything else of it is the same for us."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import QoSLivelinessChangedInfo, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import QoSLivelinessChangedInfo, SubscriptionEventCallbacks  # noqa: F401


def after_change(node: Node, act: Callable[[list[Parameter]], None]) -> None:
    """Let a node act on changes of its parameters once they are made.

    Humble cannot say when that is. There ``act`` is called in the next callback of the node, even if somebody else
    refused the change in between: it looks at the present values.
    """
    if hasattr(node, 'add_post_set_parameters_callback'):
        node.add_post_set_parameters_callback(act)
        return

    def accept(parameters: list[Parameter]) -> SetParametersResult:
        def once() -> None:
            node.destroy_timer(timer)
            act(parameters)

        timer = node.create_timer(0.001, once, clock=Clock(clock_type=ClockType.STEADY_TIME))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(accept)


def with_arrival(receive: Callable[[Any, int], None]) -> Callable[..., None]:
    """A callback for a subscription that is told when the middleware got the message, in ns; 0 if nobody knows.

    Humble tells messages only.
    """
    return _with_time('received_timestamp', receive)


def with_departure(receive: Callable[[Any, int], None]) -> Callable[..., None]:
    """As ``with_arrival``, but when it was sent, by the system clock of the sender."""
    return _with_time('source_timestamp', receive)


def _with_time(key: str, receive: Callable[[Any, int], None]) -> Callable[..., None]:
    if not hasattr(Subscription, 'CallbackType'):
        return lambda message: receive(message, 0)

    def told(message: Any, info: dict[str, Any]) -> None:
        receive(message, info[key])

    return told
