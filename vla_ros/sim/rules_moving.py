"""What counts as done, and as lost, for the kinds of task that move an object: pick, put and push."""

from __future__ import annotations

import math

import numpy as np

from vla_ros.sim.model import TIME_STEP
from vla_ros.sim.orders import Task, pushed_place
from vla_ros.sim.rules import Rule, Span
from vla_ros.sim.world import World

UNMOVED = 0.01
"""Metres within which the named object still counts as standing where it stood."""
OFF_THE_TABLE = -0.01
"""Height in metres of an object's centre below which it has fallen off the table."""

LIFTED = 0.02
"""Metres of lift from which on an object was grasped and can be dropped."""
PICK_HEIGHT = 0.05
"""Metres of lift that count as picked up."""
PICK_DURATION = 0.50
"""Seconds for which it must be held up there."""

RETREAT = 0.06
"""Metres from the object's centre to the fingertips beyond which the gripper has retreated."""
RESTING = 0.02
"""Speed in m/s below which an object rests."""
REST_DURATION = 0.25
"""Seconds for which it must rest where it was put or pushed."""

PUSH_TOLERANCE = 0.025
"""Metres from where a push should have brought the object."""
UPRIGHT, LYING = 0.95, 0.5
"""Cosine of the lean above which a cylinder stands and below which it has been knocked over."""
STANDING = 0.003
"""Metres that the centre of a standing object may be higher or lower than before."""


class Moving(Rule):
    """What the three have in common: other objects stay in their places, and nothing falls off the table.

    An object nobody asked for that was moved is the 'wrong_object' if the gripper touches it while the named one still
    stands where it stood; otherwise it was only in the way, and 'disturbed'.
    """

    def __init__(self, world: World, task: Task) -> None:
        super().__init__(world, task)
        self.start = world.object_position(self.object)
        self.was_lifted = False
        self.went_down = False

    @property
    def position(self) -> np.ndarray:
        """Where the named object is, (3,)."""
        return self.world.object_position(self.object)

    @property
    def lift(self) -> float:
        """Metres that the named object is higher than it was."""
        return float(self.position[2] - self.start[2])

    def judge(self) -> None:
        self.went_down = self.went_down or self.came_down()
        self.was_lifted = self.was_lifted or (self.lift > LIFTED and self._touched())
        moved = self.moved_others()
        if moved:
            chosen = bool(moved & self.world.contacts()) and self.shift() < UNMOVED
            self.failure = 'wrong_object' if chosen else 'disturbed'
        elif self.position[2] < OFF_THE_TABLE:
            self.failure = 'dropped'

    def late(self) -> str:
        if self.was_lifted:
            return 'timeout' if self._touched() else 'dropped'
        return 'missed_grasp' if self.went_down else 'timeout'

    def shift(self) -> float:
        """Metres that the named object has come from where it stood."""
        return float(np.linalg.norm(self.position - self.start))

    def _touched(self) -> bool:
        return self.object in self.world.contacts()


class Pick(Moving):
    """The named object is held up by the gripper for PICK_DURATION.

    Late are: 'dropped' (it was lifted, and lies again), 'missed_grasp' (the fingertips went down to it in vain) and
    'timeout'.
    """

    def __init__(self, world: World, task: Task) -> None:
        super().__init__(world, task)
        self._up = Span(world)

    def judge(self) -> None:
        super().judge()
        held_for = self._up.lasts(self.lift > PICK_HEIGHT and self._touched())
        self.success = not self.failure and held_for >= PICK_DURATION - TIME_STEP / 2


class Put(Moving):
    """The named object rests in the target, and the gripper has let go of it and retreated.

    Late are those of Pick, and 'wrong_target' (it lies in another bowl or on another plate).
    """

    def __init__(self, world: World, task: Task) -> None:
        super().__init__(world, task)
        assert task.target is not None
        self._target = task.target
        self._rest = Span(world)

    def judge(self) -> None:
        super().judge()
        world, tip = self.world, self.world.gripper_tip()
        lies = (
            world.inside(self.object, self._target)
            and world.object_speed(self.object) < RESTING
            and not self._touched()
            and float(np.linalg.norm(tip - self.position)) > RETREAT
        )
        self.success = not self.failure and self._rest.lasts(lies) >= REST_DURATION - TIME_STEP / 2

    def late(self) -> str:
        if self.world.inside(self.object, self._target):
            return 'timeout'
        others = (c.name for c in self.world.scene.objects if c.is_container and c.name != self._target)
        if not self._touched() and any(self.world.inside(self.object, name) for name in others):
            return 'wrong_target'
        return super().late()


class Push(Moving):
    """The named object rests, standing, within PUSH_TOLERANCE of where the push belongs, not gripped.

    A knocked-over one is 'dropped' at once. Late are 'missed' (moved to another place, or the fingertips went down in
    vain) and 'timeout'.
    """

    def __init__(self, world: World, task: Task) -> None:
        super().__init__(world, task)
        assert task.target is not None
        self._goal = pushed_place(self.start, task.target)
        self._rest = Span(world)

    def judge(self) -> None:
        super().judge()
        if not self.failure and self._lean() < LYING:
            self.failure = 'dropped'
        away = self.position[:2] - self._goal
        stands = (
            math.hypot(*away) < PUSH_TOLERANCE
            and self._lean() > UPRIGHT
            and abs(self.lift) < STANDING
            and self.world.object_speed(self.object) < RESTING
            and self.object not in self.world.held()
        )
        self.success = not self.failure and self._rest.lasts(stands) >= REST_DURATION - TIME_STEP / 2

    def late(self) -> str:
        return 'missed' if self.went_down or self.shift() > UNMOVED else 'timeout'

    def _lean(self) -> float:
        """Cosine of the angle between up and the nearest axis on which the object stands; a cube has three."""
        axes = np.abs(self.world.object_rotation(self.object)[2])
        upright = axes if self.world.scene.object(self.object).shape == 'cube' else axes[2:]
        return float(upright.max())
