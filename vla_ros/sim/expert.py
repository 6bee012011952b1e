"""A scripted expert: from any state of the world, the next joint target of somebody who knows how.

It is a velocity field, not a script over time, so it can take over from a bad policy in the middle of an episode. What
it is about to do follows from where things are: an object between open jaws is to be gripped, a gripped one to be
lifted, and one that slipped away to be approached anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from vla_ros.sim.expert_grasp import pick_goal, put_goal
from vla_ros.sim.expert_push import push_goal
from vla_ros.sim.kinematics import Kinematics
from vla_ros.sim.model import GRIPPER_CLOSED, REST_POSE
from vla_ros.sim.orders import Task, check_task, pushed_place
from vla_ros.sim.scene import PAN_AXIS_X
from vla_ros.sim.steering import JOINT_SPEED, PERIOD, Goal, Steering, funnel_height
from vla_ros.sim.world import World
from vla_ros.types import DoubleArray

__all__ = ['JOINT_SPEED', 'PERIOD', 'Expert', 'funnel_height']

DEPTH = 0.004
"""How far below an object's top the touch aims."""
PRESS = 6.0
"""Downward force in newtons that the servos are asked for on an object; friction in the joints takes a part of it."""
POINTING = 0.055
"""Height in metres above an object's top at which the fingertips point at it."""


class Expert:
    """Acts for one task in one world. Reads the true state, which nothing on the robot may do.

    A push is a distance from where the object stands when the expert is made, as the order is given then; all else
    follows from the present state.
    """

    def __init__(self, world: World, task: Task) -> None:
        check_task(task, world.scene)
        self.world, self.task = world, task
        self._steering = Steering(world)
        self._goal = self._skill()

    def action(self) -> DoubleArray:
        """Absolute joint target (6,) rad for 0.05 s from now, given the present state only."""
        return self._steering.target(self._goal())

    def _skill(self) -> Callable[[], Goal]:
        """What gives the present goal for this kind of task."""
        name, target, steering = self.task.object, self.task.target, self._steering
        if name is None or self.task.kind == 'home':
            rest = Kinematics().forward(REST_POSE)
            return lambda: Goal(rest.position, rest.tilt, REST_POSE[5])
        if target is not None and self.task.kind == 'push':
            place = pushed_place(self.world.object_position(name), target)
            return lambda: push_goal(steering, name, place, target)
        if target is not None and self.task.kind == 'put':
            return lambda: put_goal(steering, name, target)
        if self.task.kind == 'pick':
            return lambda: pick_goal(steering, name)
        if self.task.kind == 'point':
            return lambda: _over(self.world, name, POINTING)
        return lambda: _over(self.world, name, -DEPTH, press=PRESS, depth=DEPTH)


def comfortable_tilt(reach: float) -> float:
    """Angle of the approach axis from straight down in rad: outwards, the more the further."""
    return 0.30 + 0.20 * min(1.0, max(0.0, (reach - 0.16) / 0.095))


def _over(world: World, name: str, rise: float, *, press: float = 0.0, depth: float = 0.0) -> Goal:
    """Closed fingertips at ``rise`` metres above the object's top, or on it."""
    point = world.object_top(name) + np.array([0.0, 0.0, rise])
    tilt = comfortable_tilt(math.hypot(point[0] - PAN_AXIS_X, point[1]))
    return Goal(point, tilt, GRIPPER_CLOSED, press, depth)
