"""What counts as done, and as lost, for the kinds of task that leave every object where it is."""

from __future__ import annotations

import math

import numpy as np

from vla_ros.sim.model import REST_POSE, TIME_STEP
from vla_ros.sim.orders import Task
from vla_ros.sim.world import World

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

POINT_HEIGHT = (0.03, 0.08)
"""Metres above an object's top between which the fingertips point at it."""
POINT_RADIUS = 0.02
"""Metres beside the object's centre within which they do."""
POINT_DURATION = 0.30
"""Seconds for which they must."""
FINGERS_CLOSED = 0.0
"""Gripper joint in rad below which the fingers are closed."""
STILL = 0.25
"""Speed in rad/s of the fastest joint of the arm below which it is held still."""


class Rule:
    """Judges one task in one world.

    Attributes:
        success: the task is done in the present state.
        failure: '' or why it is lost in the present state.
    """

    def __init__(self, world: World, task: Task) -> None:
        self.world, self.task = world, task
        self.success = False
        self.failure = ''
        self._places = {
            thing.name: world.object_position(thing.name)
            for thing in world.scene.objects
            if thing.name != task.object and not thing.is_container
        }

    def judge(self) -> None:
        """Look at the present state and set ``success`` or ``failure``."""
        raise NotImplementedError

    def late(self) -> str:
        """The failure when time is up."""
        return 'timeout'

    @property
    def object(self) -> str:
        """The name of the object that is asked about."""
        assert self.task.object is not None
        return self.task.object

    def moved_others(self) -> set[str]:
        """The objects that nobody asked about and that were moved all the same."""
        return {
            name
            for name, place in self._places.items()
            if float(np.linalg.norm(self.world.object_position(name) - place)) > DISTURBANCE
        }

    def came_down(self) -> bool:
        """Whether the fingertips are as low as the named object."""
        top = self.world.object_top(self.object)
        return bool(self.world.gripper_tip()[2] < top[2] + CAME_DOWN)


class Span:
    """How long something has been so without a break, in simulated seconds."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._since: float | None = None

    def lasts(self, so: bool) -> float:
        """Seconds since it became so; 0 when it is not."""
        if not so:
            self._since = None
            return 0.0
        if self._since is None:
            self._since = self._world.time
        return self._world.time - self._since


class Touch(Rule):
    """The gripper is in contact with the named object for TOUCH_DURATION, before any other."""

    def __init__(self, world: World, task: Task) -> None:
        super().__init__(world, task)
        self._held_for = 0.0
        self._gap = 0.0
        self._came_down = False

    def judge(self) -> None:
        touched = self.world.contacts()
        if touched - {self.object}:
            self.failure = 'wrong_object'
        elif self.moved_others():
            self.failure = 'disturbed'
        else:
            self._count_contact(self.object in touched)
            self.success = self._held_for >= TOUCH_DURATION
        self._came_down = self._came_down or self.came_down()

    def late(self) -> str:
        return 'missed' if self._came_down else 'timeout'

    def _count_contact(self, touching: bool) -> None:
        if touching:
            self._held_for += self._gap + TIME_STEP
            self._gap = 0.0
            return
        self._gap += TIME_STEP
        if self._gap > CONTACT_GAP:
            self._held_for = 0.0
            self._gap = 0.0


class Home(Rule):
    """The arm is at rest in its rest pose."""

    def judge(self) -> None:
        joints = self.world.joints()
        if self.moved_others():
            self.failure = 'disturbed'
        near = np.abs(joints.positions - np.array(REST_POSE)).max() < HOME_TOLERANCE
        still = np.abs(joints.velocities).max() < HOME_TOLERANCE
        self.success = not self.failure and bool(near and still)


class Point(Rule):
    """The closed fingertips are held still above the named object and touch nothing, for POINT_DURATION.

    Pointing at another object for as long is 'wrong_object', and so is touching one. Who touches the named object
    does not point at it and may still do better, unless it is moved: that is 'disturbed'.
    """

    def __init__(self, world: World, task: Task) -> None:
        super().__init__(world, task)
        self._start = world.object_position(self.object)
        self._spans = {thing.name: Span(world) for thing in world.scene.objects}
        self._elsewhere = Span(world)
        self._missed = False

    def judge(self) -> None:
        touched = self.world.contacts()
        joints = self.world.joints()
        posed = (
            not touched
            and joints.positions[5] < FINGERS_CLOSED
            and float(np.abs(joints.velocities[:5]).max()) < STILL
        )
        pointed = {
            name
            for name, span in self._spans.items()
            if span.lasts(posed and self._above(name)) >= POINT_DURATION - TIME_STEP / 2
        }
        low = posed and self.world.gripper_tip()[2] < self._highest()
        self._missed = self._missed or self._elsewhere.lasts(low) >= POINT_DURATION
        shift = float(np.linalg.norm(self.world.object_position(self.object) - self._start))
        if self.object in pointed:
            self.success = True
        elif pointed or touched - {self.object}:
            self.failure = 'wrong_object'
        elif shift > DISTURBANCE or self.moved_others():
            self.failure = 'disturbed'

    def late(self) -> str:
        return 'missed' if self._missed else 'timeout'

    def _above(self, name: str) -> bool:
        rise = self.world.gripper_tip() - self.world.object_top(name)
        return math.hypot(rise[0], rise[1]) < POINT_RADIUS and POINT_HEIGHT[0] < rise[2] < POINT_HEIGHT[1]

    def _highest(self) -> float:
        return float(self.world.object_top(self.object)[2]) + POINT_HEIGHT[1]
