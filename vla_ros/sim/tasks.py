"""Tasks on the table and the referee that decides, from the true state, whether one was done."""

from __future__ import annotations

from vla_ros.sim.model import TIME_STEP
from vla_ros.sim.orders import DIRECTIONS, TIME_LIMITS, Task, check_task
from vla_ros.sim.rules import Home, Point, Rule, Touch
from vla_ros.sim.rules_moving import Pick, Push, Put
from vla_ros.sim.world import World

__all__ = ['DIRECTIONS', 'TIME_LIMITS', 'Referee', 'Task']

_RULES: dict[str, type[Rule]] = {
    'touch': Touch,
    'home': Home,
    'point': Point,
    'pick': Pick,
    'put': Put,
    'push': Push,
}


class Referee:
    """Watches one attempt at a task; call ``update`` after every physics step.

    Attributes:
        success: latched as soon as the task is done.
        failure: '' while nothing is lost. At once: 'wrong_object' (another object was touched, pointed at, or taken
            instead), 'disturbed' (another object was moved by more than 2 cm), 'dropped' (it fell off the table, or a
            push knocked it over). When time is up: 'missed' (the fingertips came down beside the object, pointed
            beside it, or pushed it elsewhere), 'missed_grasp' (they went down to it and did not lift it), 'dropped'
            (it was lifted and let go), 'wrong_target' (it lies in another bowl or plate) or 'timeout'.
    """

    def __init__(self, world: World, task: Task) -> None:
        check_task(task, world.scene)
        self.world, self.task = world, task
        self.time_limit = TIME_LIMITS[task.kind]
        self.success = False
        self.failure = ''
        self._rule = _RULES[task.kind](world, task)
        self._began = world.time

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
        self._rule.judge()
        self.success, self.failure = self._rule.success, self._rule.failure
        if not self.done and self.elapsed >= self.time_limit - TIME_STEP / 2:
            self.failure = self._rule.late()
