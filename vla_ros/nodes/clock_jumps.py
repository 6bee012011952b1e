"""To be told when a clock jumps."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import JumpHandle, JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node

from vla_ros.types import NANOSECONDS


def on_jump(node: Node, act: Callable[[], None], forward: float | None = None) -> JumpHandle:
    """Call ``act`` when the node's clock goes back, becomes another one, or goes on by ``forward`` seconds at once.

    ``act`` must do no more than leave a mark: the clock is locked then. The handle is to be kept.
    """
    threshold = JumpThreshold(
        min_forward=None if forward is None else Duration(nanoseconds=round(forward * NANOSECONDS)),
        min_backward=Duration(nanoseconds=-1),
        on_clock_change=True,
    )
    return node.get_clock().create_jump_callback(threshold, post_callback=lambda _: act())
