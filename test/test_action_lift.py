"""Lifting: a way a few millimetres too low becomes one that the guard accepts; nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.action.guard import Guard
from vla_ros.action.lift import DEEPEST, SPARE, lifted
from vla_ros.action.limits import load_limits
from vla_ros.action.refusal import GuardReason, Refusal
from vla_ros.action.shape import shape
from vla_ros.action.stitch import PlannedState
from vla_ros.types import DoubleArray

JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
LIMITS = load_limits(Path(__file__).parents[1] / 'config' / 'joint_limits.yaml', JOINTS)
assert LIMITS.workspace is not None
WORKSPACE = LIMITS.workspace
HOME = np.array([0.0, -1.35, 1.25, 0.95, 0.0, 0.3])
LOW = HOME + [0.0, 0.35, 0.3, 0.0, 0.0, 0.0]  # fingertips in the table
poses = st.tuples(
    st.floats(-1.0, 1.0),
    st.floats(-0.4, 0.4),
    st.floats(-0.5, 0.5),
    st.floats(-1.0, 0.5),
    st.floats(-1.5, 1.5),
).map(lambda moves: np.clip(HOME + [*moves, 0.0], LIMITS.min_position, LIMITS.max_position))


def depth(positions: DoubleArray) -> DoubleArray:
    """How far (N,) the lowest link is below its least height."""
    below: DoubleArray = (WORKSPACE.lowest - WORKSPACE.kinematics.origins(positions)[:, :, 2]).max(axis=1)
    return below


def at_depth(metres: float) -> DoubleArray:
    """The point on the way from HOME to LOW at which the lowest link is so far too low."""
    shares = np.linspace(0.0, 1.0, 4001)[:, None]
    way = HOME + shares * (LOW - HOME)
    point: DoubleArray = way[int(np.abs(depth(way) - metres).argmin())]
    return point


def plan_to(goal: DoubleArray) -> Refusal | None:
    """What the guard says of a plan from rest above the table to a goal that waits there."""
    times = np.linspace(0.05, 0.8, 16, dtype=np.float64)
    start = PlannedState(HOME, np.zeros(6), np.zeros(6))
    way = lifted(np.repeat(goal[None], 16, axis=0), WORKSPACE)
    return Guard(LIMITS).check_path(shape(start, times, way, LIMITS))


@given(st.lists(poses, min_size=1, max_size=8).map(np.array))
def test_what_is_a_little_too_low_is_lifted_clear_and_all_else_is_as_it_was(positions: DoubleArray) -> None:
    found, before = lifted(positions, WORKSPACE), depth(positions)
    curable = before <= DEEPEST
    assert (depth(found[curable]) <= 0).all()
    clear = before <= -SPARE
    np.testing.assert_array_equal(found[clear | ~curable], positions[clear | ~curable])


@given(poses)
def test_lifting_is_a_small_motion(pose: DoubleArray) -> None:
    (found,) = lifted(pose[None], WORKSPACE)
    assert np.linalg.norm(found - pose) < 0.2


def test_given_a_goal_a_few_millimetres_too_low_the_guard_accepts_the_way_to_it() -> None:
    goal = at_depth(0.006)
    assert 0.005 < depth(goal[None])[0] < 0.007
    assert plan_to(goal) is None


def test_given_a_goal_deep_in_the_table_the_guard_still_refuses() -> None:
    goal = at_depth(DEEPEST + 0.005)
    refusal = plan_to(goal)
    assert refusal is not None
    assert refusal.reason is GuardReason.BELOW_TABLE


def test_without_a_workspace_nothing_is_lifted() -> None:
    limits = replace(LIMITS, workspace=None)
    np.testing.assert_array_equal(lifted(LOW[None], limits.workspace), LOW[None])
