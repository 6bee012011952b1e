"""Running nodes in a process that ends well: whatever stops it, the arm comes to rest first."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence

import rclpy
from rclpy.executors import Executor
from rclpy.signals import SignalHandlerOptions

from vla_ros.nodes.executor import make_executor, shut_down, spin_until
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.types import VlaError

LONGEST_SHUTDOWN = 10.0  # seconds a node may take; a brake takes less than one


def run(makers: Sequence[Callable[[], VlaNode]], threads: int = 1, args: Sequence[str] | None = None) -> int:
    """Spin nodes until SIGINT, SIGTERM or the end of the context; the exit code of the process.

    rclpy's own signal handlers end the context at once, and with it the publisher that would stop the arm. So
    signals only set a flag here; then each node shuts down, then the executor, then the context.
    """
    ended = threading.Event()
    _on_signals(ended)
    rclpy.init(args=list(args) if args is not None else None, signal_handler_options=SignalHandlerOptions.NO)
    rclpy.get_default_context().on_shutdown(ended.set)
    nodes: list[VlaNode] = []
    executor = make_executor(threads)
    try:
        for make in makers:
            node = make()
            nodes.append(node)
            executor.add_node(node)
    except VlaError as error:
        print(f'error: {error}', file=sys.stderr)
        _let_go(nodes, executor)
        return 1
    stopping = threading.Event()
    spinner = threading.Thread(target=spin_until, args=(executor, stopping, nodes[0].fail), name='executor')
    spinner.start()
    ended.wait()
    if rclpy.ok():
        for node in nodes:  # in the order given: what drives the arm before what it drives
            node.shut_down().wait(LONGEST_SHUTDOWN)
    stopping.set()
    executor.wake()
    spinner.join()
    _let_go(nodes, executor)
    return 0


def _on_signals(ended: threading.Event) -> None:
    signals = (signal.SIGINT, signal.SIGTERM)

    def end(_number: int, _frame: object) -> None:
        ended.set()
        for each in signals:
            signal.signal(each, signal.SIG_DFL)  # a second one ends a process that hangs

    for each in signals:
        signal.signal(each, end)


def _let_go(nodes: Sequence[VlaNode], executor: Executor) -> None:
    shut_down(executor)
    for node in nodes:
        node.destroy_node()
    rclpy.try_shutdown()
