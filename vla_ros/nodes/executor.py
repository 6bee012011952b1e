"""A multi-threaded executor that goes on through what callbacks do, and ends cleanly."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from rclpy.exceptions import InvalidHandle, ROSInterruptException
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor


class CleanExecutor(MultiThreadedExecutor):
    """As rclpy's, but ``spin_until`` survives callbacks, and ``shutdown`` waits for those that still run."""

    def spin_until(self, stopping: threading.Event, on_error: Callable[[Exception], None]) -> None:
        """Spin until the event is set (and the executor woken) or the context ends.

        Args:
            on_error: is told what a callback raised.
        """
        while self.context.ok() and not stopping.is_set():
            try:
                self.spin_once(timeout_sec=0.5)
            except (ExternalShutdownException, ROSInterruptException):
                return
            except InvalidHandle:
                continue  # a topic was closed between looking at it and waiting for it
            except Exception as error:
                on_error(error)

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """See ``rclpy.executors.Executor.shutdown``. Waits for callbacks, however long; stop spinning before.

        Jazzy's own does not wait: what outlives it uses handles that are destroyed by then.
        """
        pool = getattr(self, '_executor', None)
        if isinstance(pool, ThreadPoolExecutor):
            pool.shutdown(wait=True)
        return bool(super().shutdown(timeout_sec))
