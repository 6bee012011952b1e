"""A multi-threaded executor that ends cleanly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from rclpy.executors import MultiThreadedExecutor


class CleanExecutor(MultiThreadedExecutor):
    """Waits in ``shutdown`` until the callbacks in its threads have ended; rclpy's own (Jazzy) does not.

    What outlives the executor would use handles that are destroyed by then. Spin no more before shutting down.
    """

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """See ``rclpy.executors.Executor.shutdown``; the timeout does not limit running callbacks."""
        pool = getattr(self, '_executor', None)
        if isinstance(pool, ThreadPoolExecutor):
            pool.shutdown(wait=True)
        return bool(super().shutdown(timeout_sec))
