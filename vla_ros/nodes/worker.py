"""One thread for slow work, outside the executor's callbacks; it takes only the newest job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Job = TypeVar('Job')


class LatestWorker(Generic[Job]):
    """Runs ``handle(job)`` in its own thread; a job that waits is replaced by a newer one.

    An exception of ``handle`` goes to ``on_error``, and the thread goes on with the next job.
    """

    def __init__(
        self, name: str, handle: Callable[[Job], None], on_error: Callable[[Exception], None]
    ) -> None:
        self._handle = handle
        self._on_error = on_error
        self._condition = threading.Condition()
        self._waiting: list[Job] = []
        self._stopping = False
        self._replaced = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def replaced(self) -> int:
        """How many jobs were never begun because a newer one came."""
        return self._replaced

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def submit(self, job: Job) -> None:
        """Leave a job for the thread, in place of any that waits; never blocks."""
        with self._condition:
            self._replaced += len(self._waiting)
            self._waiting = [job]
            self._condition.notify()

    def stop(self, timeout: float = 10.0) -> bool:
        """Drop what waits, let the running job end and join the thread; false if it did not end in time."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                job = self._waiting.pop()
            try:
                self._handle(job)
            except Exception as error:  # whatever a model raises on odd input must not end the thread
                self._on_error(error)
