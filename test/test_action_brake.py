"""Braking: as fast as it can, inside of limits and workspace; and what passes while the policy thinks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.action.guard import Circumstances, Guard
from vla_ros.action.limits import JointLimits, load_limits
from vla_ros.action.planner import Planner, PlannerSettings
from vla_ros.action.shape import brake, shape
from vla_ros.action.slow_down import slow_down
from vla_ros.action.stitch import ExecutingPlan, PlannedState, StitchSettings, planned_state
from vla_ros.manifest import ChunkSpec
from vla_ros.types import NANOSECONDS, ActionChunk, DoubleArray, JointSample, Thought, VisualTokens

JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
# A lower jerk than the arm's makes longer stops, and with them what these tests are about.
LIMITS = replace(
    load_limits(Path(__file__).parents[1] / 'config' / 'joint_limits.yaml', JOINTS),
    max_jerk=np.full(6, 150.0),
)
HOME = np.array([0.0, -1.35, 1.25, 0.95, 0.0, 0.3])
DUE = 0.05 * np.arange(1, 17)
MS = 1_000_000
NOW = 1_000_000 * MS
SPEC = ChunkSpec(horizon=16, dt=0.05, representation='absolute', prefix=6)


def plan_to(goal: DoubleArray, limits: JointLimits = LIMITS) -> ExecutingPlan:
    still = PlannedState(HOME, np.zeros(6), np.zeros(6))
    return ExecutingPlan(shape(still, DUE, np.repeat(goal[None], 16, axis=0), limits), NOW)


def planner_with(plan: ExecutingPlan, limits: JointLimits = LIMITS) -> Planner:
    stitch = StitchSettings(transport_lead=0.0)
    planner = Planner(Still(), SPEC, limits, PlannerSettings(stitch=stitch))
    planner.plan = plan
    return planner


class Still:
    """A policy that wants to stay; remembers what it was told."""

    providers = ('none',)

    def __init__(self) -> None:
        self.prefixes: list[DoubleArray | None] = []

    def act(self, tokens, thought, joints, noise, prefix=None) -> ActionChunk:
        self.prefixes.append(prefix)
        return ActionChunk(tokens.stamp, 0.05, np.repeat(joints.positions[None], 16, axis=0))

    def warm_up(self) -> None:
        pass


@given(seconds=st.floats(0.1, 1.5), at=st.floats(0.0, 1.2), seed=st.integers(1_000_000, 1_000_100))
def test_given_any_plan_slowing_down_goes_on_from_its_state_stays_on_its_way_and_ends_at_rest(
    seconds: float, at: float, seed: int
):
    goal = HOME + np.random.default_rng(seed).uniform(-0.5, 0.5, 6)
    plan = plan_to(goal, replace(LIMITS, workspace=None))
    starts = NOW + round(at * NANOSECONDS)
    slowed = slow_down(plan, starts, seconds, 0.05)
    begin = planned_state(plan, starts)
    np.testing.assert_allclose(slowed.positions[0], begin.positions, atol=1e-12)
    np.testing.assert_allclose(slowed.velocities[0], begin.velocities, atol=1e-12)
    np.testing.assert_allclose(slowed.accelerations[0], begin.accelerations, atol=1e-9)
    assert not slowed.velocities[-1].any()
    assert not slowed.accelerations[-1].any()
    assert seconds <= slowed.times[-1] + 1e-9 < seconds + 0.05 + 1e-9
    way = np.array([planned_state(plan, starts + k * MS).positions for k in range(1600)])
    distance = np.abs(slowed.positions[:, None] - way[None]).max(axis=2).min(axis=1)
    assert distance.max() < 2e-3


def test_given_a_plan_in_the_open_the_brake_is_the_fastest_stop():
    plan = plan_to(HOME + [0.5, 0.0, -0.3, 0.0, 0.3, 0.0])
    at = NOW + 250 * MS
    braked = planner_with(plan).braking_plan(at)
    assert isinstance(braked, ExecutingPlan)
    np.testing.assert_array_equal(
        braked.trajectory.positions, brake(planned_state(plan, at), LIMITS).positions
    )


def edge(plan: ExecutingPlan, at: int) -> JointLimits:
    """Limits whose table the plan keeps above of, and the fastest stop does not."""
    assert LIMITS.workspace is not None
    heights = [
        LIMITS.workspace.kinematics.origins(positions)[..., 2].min(axis=0)
        for positions in (plan.trajectory.positions, brake(planned_state(plan, at), LIMITS).positions)
    ]
    between = heights[0] - 1e-3
    assert (heights[1] < between - 1e-3).any()
    return replace(LIMITS, workspace=replace(LIMITS.workspace, lowest=between))


def descent() -> tuple[ExecutingPlan, int]:
    """A plan whose joints, each stopped as fast as it can be, would bring a link 2 cm lower than the plan does."""
    goals = HOME + np.cumsum(np.random.default_rng(1_000_049).normal(0, 0.12, (16, 6)), axis=0)
    still = PlannedState(HOME, np.zeros(6), np.zeros(6))
    plan = ExecutingPlan(shape(still, DUE, goals, replace(LIMITS, workspace=None)), NOW)
    return plan, NOW + 400 * MS


def test_given_a_stop_that_would_leave_the_workspace_the_arm_slows_down_along_its_way():
    plan, at = descent()
    limits = edge(plan, at)
    guard = Guard(limits)
    assert guard.check_path(brake(planned_state(plan, at), limits)) is not None
    braked = planner_with(plan, limits).braking_plan(at)
    assert isinstance(braked, ExecutingPlan)
    assert guard.check_path(braked.trajectory) is None
    assert braked.trajectory.times[-1] < (plan.trajectory.times[-1] - 0.3)


def test_given_no_way_to_stop_inside_the_plan_goes_on_to_its_own_end(monkeypatch: pytest.MonkeyPatch):
    plan, at = descent()
    limits = edge(plan, at)
    monkeypatch.setattr('vla_ros.action.planner.DURATIONS', ())
    assert planner_with(plan, limits).braking_plan(at) is None


@settings(max_examples=20)
@given(thinking_ms=st.integers(0, 400))
def test_given_a_policy_that_thinks_what_passes_meanwhile_is_frozen_from_then_on(thinking_ms: int):
    plan = plan_to(HOME + [0.5, 0.0, -0.3, 0.0, 0.3, 0.0])
    planner = planner_with(plan)
    policy = planner._policy
    assert isinstance(policy, Still)
    thought = Thought(NOW, np.ones((1, 1), np.float32))
    for k in range(2):
        now = NOW + k * 450 * MS
        joints = JointSample(now, planned_state(plan, now).positions, np.zeros(6))
        tokens = VisualTokens(now, np.ones((1, 1), np.float32))
        planner.chunk(tokens, thought, joints, joints, now)
        later = now + thinking_ms * MS
        stopped = Circumstances(later, False, False, False, now, now, joints)
        planner.next_plan(ActionChunk(now, 0.05, np.repeat(HOME[None], 16, axis=0)), stopped)
    first, second = policy.prefixes
    assert first is None  # nobody knew yet how long it would take
    expected = min(6, thinking_ms // 50)
    assert (0 if second is None else len(second)) == expected
