"""Several tasks one after another: the referee of them all, and how many are done."""

from __future__ import annotations

from collections.abc import Sequence

from vla_ros.sim.orders import TIME_LIMITS, Task, check_task
from vla_ros.sim.tasks import Referee
from vla_ros.sim.world import World


class SequenceReferee:
    """Judges one task after the other; call ``update`` after every physics step.

    The next task is judged from the moment on at which the one before is done and the fingers are free of what they
    were at, as they may be on an object that is no concern of the next.

    Attributes:
        step: the index of the task that is under way.
        success, failure: as of ``Referee``; a failure is that of the task that it happened in.
        time_limit: seconds for the task that is under way, from the moment on at which it was the next.
    """

    def __init__(self, world: World, tasks: Sequence[Task], time_limit: float = 0.0) -> None:
        """``time_limit`` is in seconds, for each of them; 0 is that of its kind."""
        for task in tasks:
            check_task(task, world.scene)
        self.world, self.tasks = world, tuple(tasks)
        self.step = 0
        self.success = False
        self.failure = ''
        self._limit = time_limit
        self._referee: Referee | None = None
        self._began = self._next_since = world.time
        self._begin()

    @property
    def task(self) -> Task:
        """The task that is under way."""
        return self.tasks[self.step]

    @property
    def time_limit(self) -> float:
        return self._limit or TIME_LIMITS[self.task.kind]

    @property
    def done(self) -> bool:
        """Nothing more can change the outcome."""
        return self.success or bool(self.failure)

    @property
    def elapsed(self) -> float:
        """Seconds of simulated time since the referee began."""
        return self.world.time - self._began

    def update(self) -> None:
        """Judge the present state."""
        if self.done:
            return
        if self._referee is None:
            self._begin()
            return
        self._referee.update()
        if self._referee.success and self.step < len(self.tasks) - 1:
            self.step += 1
            self._next_since = self.world.time
            self._referee = None
            self._begin()
            return
        self.success, self.failure = self._referee.success, self._referee.failure

    def _begin(self) -> None:
        if self.world.time - self._next_since >= self.time_limit:
            self.failure = 'timeout'
        elif fingers_are_free(self.world, self.task):
            self._referee = Referee(self.world, self.task)
            self._referee.time_limit = self.time_limit - (self.world.time - self._next_since)


def fingers_are_free(world: World, task: Task) -> bool:
    """Whether the gripper touches nothing but what the task is about."""
    return not world.contacts() - {task.object}
