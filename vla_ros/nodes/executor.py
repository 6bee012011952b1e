"""One executor thread a node, that goes on through what callbacks do and ends cleanly.

Not a MultiThreadedExecutor: for each callback it looks at all topics of all its nodes several times over. That
cost the action node three times the computing, and callbacks here are short.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rclpy.exceptions import InvalidHandle, ROSInterruptException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node


@contextmanager
def spinning(node: Node, on_error: Callable[[Exception], None]) -> Iterator[None]:
    """Spin a node in a thread of its own until the end of the block; its running callback still ends.

    Args:
        on_error: is told what a callback raised.
    """
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    stopping = threading.Event()

    def spin() -> None:
        while node.context.ok() and not stopping.is_set():
            try:
                executor.spin_once(timeout_sec=0.5)
            except (ExternalShutdownException, ROSInterruptException):
                return
            except InvalidHandle:
                continue  # a topic was closed between looking at it and waiting for it
            except Exception as error:
                on_error(error)

    thread = threading.Thread(target=spin, name=f'{node.get_name()} callbacks')
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        executor.wake()
        thread.join()
        executor.shutdown()
