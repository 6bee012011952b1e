"""Whether a task can be done in a scene as it stands at the start; lists of episodes draw another one if not."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from vla_ros.sim.expert_push import FINGER_HALF, GAP, PushPose, extent_along, push_pose
from vla_ros.sim.kinematics import Kinematics
from vla_ros.sim.orders import DIRECTIONS, PUSH_DISTANCE, Task, check_task
from vla_ros.sim.scene import Scene, SceneObject
from vla_ros.types import DoubleArray

HAND_HALF = 0.021
"""Half the breadth in metres of the closed fingers, on their broad side."""
MARGIN = 0.006
"""Metres that a lane is broader on each side than what goes through it."""
MOST_LEAN = 0.06
"""Tangent of the greatest lean of the fingers over an object ahead of them; more would knock it over."""
REACH_ERROR = 0.002
"""Metres by which the fingertips may miss a point that counts as within reach."""


def why_infeasible(scene: Scene, task: Task) -> str:
    """'' when the task can be done with the objects as the scene has them, else one reason as a sentence.

    A push is infeasible when something stands in its lane or where the fingers come down, when the fingers cannot get
    behind the object, and when they would lean over it. Everything else only has to be within reach.

    Raises:
        VlaError: what cannot even be asked.
    """
    check_task(task, scene)
    if task.object is None:
        return ''
    thing = scene.object(task.object)
    if task.kind == 'push' and task.target is not None:
        return _why_no_push(scene, thing, np.array(DIRECTIONS[task.target]))
    things = [thing] if task.kind != 'put' or task.target is None else [thing, scene.object(task.target)]
    for it in things:
        if not _within_reach(np.array([it.position[0], it.position[1], it.height]), 0.0):
            return f'the {it.name} is out of reach'
    return ''


def is_feasible(scene: Scene, task: Task) -> bool:
    """Whether nothing speaks against the task; see ``why_infeasible``."""
    return not why_infeasible(scene, task)


def _why_no_push(scene: Scene, thing: SceneObject, aim: DoubleArray) -> str:
    place = np.array(thing.position[:2])
    contact = extent_along(thing, _turned(thing.yaw), aim) + FINGER_HALF
    first = push_pose(place, aim, contact + GAP, 0.0)
    last = push_pose(place + PUSH_DISTANCE * aim, aim, contact, 0.0)
    for other in scene.objects:
        if other.name == thing.name:
            continue
        lane = max(_footprint(thing), HAND_HALF) + MARGIN
        away = _distance_to_line(np.array(other.position[:2]), first.point[:2], place + PUSH_DISTANCE * aim)
        if away < lane + _footprint(other):
            return f'the {other.name} is in the way of the {thing.name}'
    for pose in (first, last):
        if not _within_reach(pose.point, pose.tilt, pose.roll):
            return f'the fingers cannot get behind the {thing.name}'
    if _lean(first, aim) > MOST_LEAN:
        return f'the fingers would lean over the {thing.name}'
    return ''


@lru_cache(maxsize=1)
def _kinematics() -> Kinematics:
    return Kinematics()


def _within_reach(point: DoubleArray, tilt: float, roll: float = 0.0) -> bool:
    return _kinematics().solve(point, tilt=tilt, roll=roll)[1] < REACH_ERROR


def _lean(pose: PushPose, aim: DoubleArray) -> float:
    """Tangent of the angle by which the fingers lean over what is ahead of them along the push."""
    joints, _ = _kinematics().solve(pose.point, tilt=pose.tilt, roll=pose.roll)
    tip = _kinematics().forward([*joints, 0.0])
    outward = float(aim @ np.array([math.cos(tip.azimuth), math.sin(tip.azimuth)]))
    return -outward * math.tan(tip.tilt)


def _footprint(thing: SceneObject) -> float:
    """Radius in metres of a circle around the object, seen from above."""
    return thing.radius * (math.sqrt(2.0) if thing.shape == 'cube' else 1.0)


def _turned(yaw: float) -> DoubleArray:
    cosine, sine = math.cos(yaw), math.sin(yaw)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _distance_to_line(point: DoubleArray, start: DoubleArray, end: DoubleArray) -> float:
    """Metres from a point (2,) to the straight line between two others."""
    way = end - start
    share = float(np.clip((point - start) @ way / (way @ way), 0.0, 1.0))
    return float(np.linalg.norm(point - start - share * way))
