"""Simulated time: what is to happen when, and workers that take as long as they are told to."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Generic, TypeVar

Job = TypeVar('Job')
Begun = TypeVar('Begun')


class Agenda:
    """What is due, in the order of times and, at one time, in the order in which it was noted. Nanoseconds."""

    def __init__(self) -> None:
        self.now = 0
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._number = count()

    def note(self, at: int, action: Callable[[], None]) -> None:
        """Do something at a time."""
        heapq.heappush(self._due, (at, next(self._number), action))

    def run_until(self, at: int) -> None:
        """Let time pass; what is due at ``at`` itself happens, too."""
        while self._due and self._due[0][0] <= at:
            due, _, action = heapq.heappop(self._due)
            self.now = max(self.now, due)
            action()
        self.now = max(self.now, at)


class SimulatedWorker(Generic[Job, Begun]):
    """A thread that takes the newest job, as the nodes have it, with a duration instead of a thread.

    Args:
        nanoseconds: that a job takes.
        begin: at the start of a job; its result is handed to ``end``. None ends the job at once.
        end: at its end.
    """

    def __init__(
        self,
        agenda: Agenda,
        nanoseconds: int,
        begin: Callable[[Job], Begun | None],
        end: Callable[[Job, Begun], None],
    ) -> None:
        self._agenda, self._takes, self._begin, self._end = agenda, nanoseconds, begin, end
        self._waiting: list[Job] = []
        self._busy = False
        self._generation = 0

    def submit(self, job: Job) -> None:
        """Leave a job, in place of any that waits."""
        self._waiting = [job]
        if not self._busy:
            self._next()

    def abandon(self) -> None:
        """Drop what waits and what is under way: its result is of no use any more."""
        self._waiting.clear()
        self._busy = False
        self._generation += 1

    def _next(self) -> None:
        while self._waiting and not self._busy:
            job = self._waiting.pop()
            begun = self._begin(job)
            if begun is not None:
                self._busy = True
                finish = partial(self._finish, self._generation, job, begun)
                self._agenda.note(self._agenda.now + self._takes, finish)

    def _finish(self, generation: int, job: Job, begun: Begun) -> None:
        if generation != self._generation:
            return
        self._busy = False
        self._end(job, begun)
        self._next()
