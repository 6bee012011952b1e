"""Tasks on the table and the referee that decides, from the true state, whether one was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vla_ros.sim.model import REST_POSE, TIME_STEP
from vla_ros.sim.scene import CONTAINERS
from vla_ros.sim.world import World
from vla_ros.types import VlaError

TOUCH_DURATION = 0.10
"""Seconds of contact that count as a touch; shorter ones are brushes."""
CONTACT_GAP = 0.02
"""A contact may flicker for this long in seconds without starting anew."""
DISTURBANCE = 0.02
"""Metres that an object nobody asked about may be moved."""
CAME_DOWN = 0.015
"""Metres above the named object's top below which the fingertips count as having come down."""
HOME_TOLERANCE = 0.10
"""Radians from the rest pose, each joint, that count as home."""

TIME_LIMITS: dict[str, float] = {'touch': 8.0, 'home': 6.0}
"""Seconds of simulated time for each kind of task."""


@dataclass(frozen=True)
class Task:
    """What is asked: ``kind`` ('touch', 'home'), the named ``object`` and, for later kinds, a ``target``."""

    kind: str
    object: str | None = None
    target: str | None = None


class Referee:
    """Watches one attempt at a task; call ``update`` after every physics step.

    Attributes:
        success: latched as soon as the task is done.
        failure: '' while nothing is lost, else 'wrong_object' (touched another object first), 'disturbed' (another
            object was moved by more than 2 cm), 'missed' (time is up; the fingertips came down beside the object)
            or 'timeout' (time is up).
    """

    def __init__(self, world: World, task: Task) -> None:
        if task.kind not in _RULES:
            raise VlaError(f'task: expected a kind of {sorted(_RULES)}, found {task.kind!r}')
        if task.object is not None:
            world.scene.object(task.object)
        elif task.kind == 'touch':
            raise VlaError("task: expected the name of an object for 'touch', found none")
        self.world, self.task = world, task
        self.time_limit = TIME_LIMITS[task.kind]
        self.success = False
        self.failure = ''
        self._rule = _RULES[task.kind]
        self._began = world.time
        self._others = [
            o.name for o in world.scene.objects if o.name != task.object and o.shape not in CONTAINERS
        ]
        self._places = {name: world.object_position(name) for name in self._others}
        self._held_for = 0.0
        self._gap = 0.0
        self._came_down = False

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
        self._rule(self)
        if not self.done and self.elapsed >= self.time_limit - TIME_STEP / 2:
            self.failure = 'missed' if self._came_down else 'timeout'

    def _disturbed(self) -> bool:
        moved = (float(np.linalg.norm(self.world.object_position(n) - p)) for n, p in self._places.items())
        return any(distance > DISTURBANCE for distance in moved)

    def _judge_touch(self) -> None:
        assert self.task.object is not None
        touched = self.world.contacts()
        if touched - {self.task.object}:
            self.failure = 'wrong_object'
        elif self._disturbed():
            self.failure = 'disturbed'
        else:
            self._count_contact(self.task.object in touched)
            self.success = self._held_for >= TOUCH_DURATION
        top = self.world.object_top(self.task.object)
        self._came_down = self._came_down or bool(self.world.gripper_tip()[2] < top[2] + CAME_DOWN)

    def _count_contact(self, touching: bool) -> None:
        if touching:
            self._held_for += self._gap + TIME_STEP
            self._gap = 0.0
            return
        self._gap += TIME_STEP
        if self._gap > CONTACT_GAP:
            self._held_for = 0.0
            self._gap = 0.0

    def _judge_home(self) -> None:
        joints = self.world.joints()
        if self._disturbed():
            self.failure = 'disturbed'
        near = np.abs(joints.positions - np.array(REST_POSE)).max() < HOME_TOLERANCE
        still = np.abs(joints.velocities).max() < HOME_TOLERANCE
        self.success = not self.failure and bool(near and still)


_RULES: dict[str, Callable[[Referee], None]] = {'touch': Referee._judge_touch, 'home': Referee._judge_home}
