"""Executors that go on through what callbacks do, and end cleanly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rclpy.context import Context
from rclpy.exceptions import InvalidHandle, ROSInterruptException
from rclpy.executors import (
    Executor,
    ExternalShutdownException,
    MultiThreadedExecutor,
    SingleThreadedExecutor,
)


def make_executor(threads: int, context: Context | None = None) -> Executor:
    """An executor with so many threads. One costs about half as much computing as several."""
    if threads == 1:
        return SingleThreadedExecutor(context=context)
    return MultiThreadedExecutor(threads, context=context)


def spin_until(executor: Executor, stopping: threading.Event, on_error: Callable[[Exception], None]) -> None:
    """Spin until the event is set (and the executor woken) or the context ends.

    Args:
        on_error: is told what a callback raised.
    """
    while executor.context.ok() and not stopping.is_set():
        try:
            executor.spin_once(timeout_sec=0.5)
        except (ExternalShutdownException, ROSInterruptException):
            return
        except InvalidHandle:
            continue  # a topic was closed between looking at it and waiting for it
        except Exception as error:
            on_error(error)


def shut_down(executor: Any) -> None:
    """End an executor that spins no more, after the callbacks that still run, however long they take.

    rclpy's own ``shutdown`` (Jazzy) does not wait: what outlives it uses handles that are destroyed by then.
    """
    pool = getattr(executor, '_executor', None)
    if isinstance(pool, ThreadPoolExecutor):
        pool.shutdown(wait=True)
    executor.shutdown()
