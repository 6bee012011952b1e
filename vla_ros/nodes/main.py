"""Running nodes in a process that ends well: whatever stops it, the arm comes to rest first."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import rclpy

from vla_ros.nodes.executor import spinning
from vla_ros.nodes.joining import join_graph
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.types import VlaError

LONGEST_SHUTDOWN = 10.0  # seconds a node may take; a brake takes less than one
ONE_WISH = 2.0  # seconds in which further signals say the same again


def run(makers: Sequence[Callable[[], VlaNode]], args: Sequence[str] | None = None) -> int:
    """Spin nodes, each in a thread of its own, until SIGINT, SIGTERM or the end of the context.

    rclpy's own signal handlers end the context at once, and with it the publisher that would stop the arm. So
    signals only set a flag here; then each node shuts down, then the executors, then the context.

    Returns:
        The exit code of the process.
    """
    ended = threading.Event()
    _on_signals(ended)
    nodes: list[VlaNode] = []
    try:
        join_graph(args)
        rclpy.get_default_context().on_shutdown(ended.set)
        for make in makers:
            nodes.append(make())
        with ExitStack() as executors:
            for node in nodes:
                executors.enter_context(spinning(node, node.fail))
            ended.wait()
            for node in nodes if rclpy.ok() else []:  # in the order given: what drives the arm ends first
                node.shut_down().wait(LONGEST_SHUTDOWN)
        return 0
    except VlaError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    finally:
        for node in nodes:
            node.destroy_node()
        rclpy.try_shutdown()


def _on_signals(ended: threading.Event) -> None:
    """Set the flag at the first signal; one that comes late ends a process that hangs.

    Ctrl-C reaches a node twice where a launch system passes it on that the terminal has sent already, and more often
    from a person in a hurry: none of them may cut the brake short.
    """
    first: list[float] = []

    def end(number: int, _frame: object) -> None:
        now = time.monotonic()
        if first and now - first[0] > ONE_WISH:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        if not first:
            first.append(now)
        ended.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
