"""The guard: a plan passes whole or is refused whole, for a reason that is counted."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vla_ros.action.guard import (
    Circumstances,
    Guard,
    GuardReason,
    GuardSettings,
    Refusal,
)
from vla_ros.action.limits import load_limits
from vla_ros.action.shape import brake, shape
from vla_ros.action.spline import resample
from vla_ros.action.stitch import PlannedState
from vla_ros.types import ActionChunk, DoubleArray, JointSample, JointTrajectory, VlaError

JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
# Where links go is a matter of test_action_workspace.
LIMITS = replace(
    load_limits(Path(__file__).parents[1] / 'config' / 'joint_limits.yaml', JOINTS), workspace=None
)
GUARD = Guard(LIMITS)
HOME = PlannedState(np.array([0.0, -1.35, 1.25, 0.95, 0.0, 0.3]), np.zeros(6), np.zeros(6))
DUE = 0.05 * np.arange(1, 17)
MS = 1_000_000
NOW = 1_000_000 * MS

GOOD = shape(HOME, DUE, HOME.positions + 0.3 * DUE[:, None] / 0.8 * np.ones(6), LIMITS)
CALM = Circumstances(
    now=NOW,
    enabled=True,
    stopped=False,
    holds_still=False,
    observation=NOW - 100 * MS,
    thought=NOW - 800 * MS,
    joints=JointSample(NOW - 10 * MS, HOME.positions, HOME.velocities),
)


def reason(refusal: Refusal | None) -> GuardReason | None:
    return None if refusal is None else refusal.reason


def changed(field: str, index: Any, value: float) -> JointTrajectory:
    """The good plan with one number replaced."""
    plan = copy.deepcopy(GOOD)
    getattr(plan, field)[index] = value
    return plan


def test_given_a_good_plan_in_calm_circumstances_it_passes():
    assert GUARD.check(GOOD, CALM) is None


@pytest.mark.parametrize(
    ('circumstances', 'expected'),
    [
        (replace(CALM, enabled=False), GuardReason.NOT_ENABLED),
        (replace(CALM, stopped=True), GuardReason.STOPPED),
        (replace(CALM, stopped=True, enabled=False), GuardReason.STOPPED),
        (replace(CALM, holds_still=True), GuardReason.HOLD),
        (replace(CALM, observation=NOW - 501 * MS), GuardReason.STALE_OBSERVATION),
        (replace(CALM, observation=NOW + 51 * MS), GuardReason.STALE_OBSERVATION),
        (replace(CALM, observation=None), GuardReason.STALE_OBSERVATION),
        (replace(CALM, thought=NOW - 3001 * MS), GuardReason.STALE_THOUGHT),
        (replace(CALM, thought=NOW + 51 * MS), GuardReason.STALE_THOUGHT),
        (replace(CALM, thought=None), GuardReason.STALE_THOUGHT),
        (replace(CALM, joints=None), GuardReason.STALE_JOINT_STATE),
        (
            replace(CALM, joints=JointSample(NOW - 201 * MS, HOME.positions, HOME.velocities)),
            GuardReason.STALE_JOINT_STATE,
        ),
        (
            replace(CALM, joints=JointSample(NOW + 51 * MS, HOME.positions, HOME.velocities)),
            GuardReason.STALE_JOINT_STATE,
        ),
        (
            replace(CALM, joints=JointSample(NOW, HOME.positions * np.nan, HOME.velocities)),
            GuardReason.STALE_JOINT_STATE,
        ),
        (
            replace(CALM, joints=JointSample(NOW, HOME.positions[:5], HOME.velocities[:5])),
            GuardReason.STALE_JOINT_STATE,
        ),
        (
            replace(CALM, joints=JointSample(NOW, HOME.positions + [0, 0, 0.31, 0, 0, 0], HOME.velocities)),
            GuardReason.START_JUMP,
        ),
    ],
)
def test_given_circumstances_that_forbid_it_a_good_plan_is_refused(
    circumstances: Circumstances, expected: GuardReason
):
    refusal = GUARD.check(GOOD, circumstances)
    assert reason(refusal) is expected


@pytest.mark.parametrize(
    'circumstances',
    [
        replace(CALM, observation=NOW - 500 * MS),
        replace(CALM, observation=NOW + 50 * MS),
        replace(CALM, thought=NOW - 3000 * MS),
        replace(CALM, joints=JointSample(NOW - 200 * MS, HOME.positions + 0.29, HOME.velocities)),
    ],
)
def test_given_circumstances_just_good_enough_the_plan_passes(circumstances: Circumstances):
    assert GUARD.check(GOOD, circumstances) is None


@pytest.mark.parametrize(
    ('plan', 'expected'),
    [
        (JointTrajectory(JOINTS, np.empty(0), *[np.empty((0, 6))] * 3), 'EMPTY'),
        (replace(GOOD, joint_names=JOINTS[::-1]), 'WRONG_JOINTS'),
        (replace(GOOD, joint_names=JOINTS[:5]), 'WRONG_JOINTS'),
        (replace(GOOD, velocities=GOOD.velocities[:, :5]), 'WRONG_JOINTS'),
        (replace(GOOD, positions=GOOD.positions[:-1]), 'WRONG_JOINTS'),
        (changed('positions', (3, 2), np.nan), 'NON_FINITE'),
        (changed('velocities', (3, 2), np.inf), 'NON_FINITE'),
        (changed('accelerations', (3, 2), -np.inf), 'NON_FINITE'),
        (changed('times', 3, np.nan), 'NON_FINITE'),
        (changed('times', 3, GOOD.times[2]), 'NOT_INCREASING'),
        (changed('times', 3, GOOD.times[2] + 1e-10), 'NOT_INCREASING'),
        (changed('times', 3, 0.0), 'NOT_INCREASING'),
        (changed('times', 0, 0.01), 'NOT_INCREASING'),
        (changed('times', 0, -0.05), 'NOT_INCREASING'),
        (changed('times', -1, 5.01), 'TOO_LONG'),
        (changed('velocities', (-1, 2), 1e-6), 'NOT_AT_REST_AT_END'),
        (changed('accelerations', (-1, 2), 1e-6), 'NOT_AT_REST_AT_END'),
        (changed('velocities', (5, 2), 2.1), 'VELOCITY_LIMIT'),
        (changed('accelerations', (5, 2), 12.5), 'ACCELERATION_LIMIT'),
        (changed('positions', (-1, 2), 1.6916), 'POSITION_LIMIT'),
        (changed('positions', (-1, 2), 1.4), 'VELOCITY_LIMIT'),
        (changed('accelerations', (5, 2), 4.0), 'JERK_LIMIT'),
    ],
)
def test_given_one_number_that_is_wrong_the_plan_is_refused_for_that(plan: JointTrajectory, expected: str):
    refusal = GUARD.check(plan, CALM)
    assert reason(refusal) is GuardReason[expected]
    assert refusal is not None
    assert refusal.sentence.endswith('.')


@pytest.mark.parametrize(
    ('limit', 'expected'),
    [
        ('max_velocity', GuardReason.VELOCITY_LIMIT),
        ('max_acceleration', GuardReason.ACCELERATION_LIMIT),
        ('max_jerk', GuardReason.JERK_LIMIT),
        ('max_position', GuardReason.POSITION_LIMIT),
    ],
)
def test_given_a_plan_at_just_its_own_extremes_a_slightly_lower_limit_refuses_it(
    limit: str, expected: GuardReason
):
    """The good plan against limits made of its own extremes on the way, lowered or raised by 2 %."""
    states = np.stack([GOOD.positions, GOOD.velocities, GOOD.accelerations], axis=1)
    motion = np.abs(resample(states, np.diff(GOOD.times), np.linspace(0, 1, 101))).max(axis=(1, 2))
    extremes = {'max_velocity': motion[1], 'max_acceleration': motion[2], 'max_jerk': motion[3]}
    extremes['max_position'] = GOOD.positions.max(axis=0)
    sign = np.sign(extremes[limit])
    lower = replace(LIMITS, **{limit: extremes[limit] - 0.02 * sign * extremes[limit]})
    higher = replace(LIMITS, **{limit: extremes[limit] + 0.02 * sign * extremes[limit]})
    assert reason(Guard(lower).check(GOOD, CALM)) is expected
    assert Guard(higher).check(GOOD, CALM) is None


def test_given_a_spline_that_overshoots_between_good_points_it_is_refused():
    """Points inside of the limits, velocities that carry the arm out of them in between."""
    top = LIMITS.max_position[0]
    start = np.array([top - 0.01, *HOME.positions[1:]])
    speed = np.zeros((4, 6))
    speed[1:3, 0] = [0.5, -0.5]
    plan = JointTrajectory(
        JOINTS, np.array([0.0, 0.5, 1.0, 1.5]), np.repeat(start[None], 4, axis=0), speed, np.zeros((4, 6))
    )
    circumstances = replace(CALM, joints=JointSample(NOW, start, np.zeros(6)))
    assert reason(GUARD.check(plan, circumstances)) is GuardReason.POSITION_LIMIT


@pytest.mark.parametrize('side', [2.0, -2.0])
def test_given_an_arm_outside_of_its_limits_it_may_come_back_but_go_no_further(side: float):
    outside = replace(HOME, positions=HOME.positions + [side, 0, 0, 0, 0, 0])
    circumstances = replace(CALM, joints=JointSample(NOW, outside.positions, np.zeros(6)))
    back = shape(outside, DUE, np.repeat(HOME.positions[None], 16, axis=0), LIMITS)
    assert GUARD.check(back, circumstances) is None
    further = replace(back, positions=2 * back.positions[0] - back.positions, velocities=-back.velocities)
    further = replace(further, accelerations=-back.accelerations)
    assert reason(GUARD.check(further, circumstances)) is GuardReason.POSITION_LIMIT


def test_given_a_gripper_with_its_own_jump_it_may_press_on_what_blocks_it():
    guard = Guard(LIMITS, GuardSettings(start_jump=(0.3, 0.3, 0.3, 0.3, 0.3, 2.0)))
    blocked = replace(CALM, joints=JointSample(NOW, HOME.positions + [0, 0, 0, 0, 0, 0.9], np.zeros(6)))
    assert reason(GUARD.check(GOOD, blocked)) is GuardReason.START_JUMP
    assert guard.check(GOOD, blocked) is None
    with pytest.raises(VlaError, match='start_jump'):
        Guard(LIMITS, GuardSettings(start_jump=(0.3, 0.3)))


@settings(max_examples=60, deadline=None)
@given(positions=arrays(float, (16, 6), elements=st.floats(-4, 4)))
def test_given_any_way_points_what_the_shaper_makes_of_them_passes(positions: DoubleArray):
    assert GUARD.check(shape(HOME, DUE, positions, LIMITS), CALM) is None


def test_given_a_brake_it_passes_whatever_is_forbidden_and_however_fast_the_arm_is():
    fast = replace(HOME, velocities=np.full(6, 3.0))
    assert GUARD.check_brake(brake(fast, LIMITS)) is None
    assert reason(GUARD.check_brake(changed('velocities', (-1, 0), 0.1))) is GuardReason.NOT_AT_REST_AT_END
    assert reason(GUARD.check_brake(changed('positions', (1, 0), np.nan))) is GuardReason.NON_FINITE


def chunk(positions: DoubleArray, dt: float = 0.05) -> ActionChunk:
    return ActionChunk(NOW, dt, positions)


CENTRE = np.repeat(HOME.positions[None], 16, axis=0)


@pytest.mark.parametrize(
    ('raw', 'expected'),
    [
        (chunk(CENTRE), None),
        (chunk(CENTRE[:1]), None),
        (chunk(np.repeat(LIMITS.max_position[None] + 0.02, 16, axis=0)), None),
        (chunk(np.repeat(LIMITS.min_position[None] - 0.02, 16, axis=0)), None),
        (
            chunk(np.repeat(LIMITS.max_position[None] + GuardSettings.position_margin + 0.001, 16, axis=0)),
            GuardReason.POSITION_LIMIT,
        ),
        (
            chunk(np.repeat(LIMITS.min_position[None] - GuardSettings.position_margin - 0.001, 16, axis=0)),
            GuardReason.POSITION_LIMIT,
        ),
        (chunk(np.empty((0, 6))), GuardReason.EMPTY),
        (chunk(CENTRE[:, :5]), GuardReason.WRONG_JOINTS),
        (chunk(CENTRE.ravel()), GuardReason.WRONG_JOINTS),
        (chunk(CENTRE * np.nan), GuardReason.NON_FINITE),
        (chunk(CENTRE, dt=np.nan), GuardReason.NON_FINITE),
        (chunk(CENTRE, dt=0.0), GuardReason.NOT_INCREASING),
        (chunk(CENTRE, dt=-0.05), GuardReason.NOT_INCREASING),
        (chunk(CENTRE, dt=0.4), GuardReason.TOO_LONG),
    ],
)
def test_given_a_raw_chunk_it_is_refused_if_it_is_not_worth_shaping(
    raw: ActionChunk, expected: GuardReason | None
):
    assert reason(GUARD.check_chunk(raw)) is expected


def test_given_a_check_nothing_is_modified():
    plan, raw = copy.deepcopy(GOOD), chunk(CENTRE + 1.0)
    GUARD.check(plan, CALM)
    GUARD.check_chunk(raw)
    for field in ('times', 'positions', 'velocities', 'accelerations'):
        np.testing.assert_array_equal(getattr(plan, field), getattr(GOOD, field))
    np.testing.assert_array_equal(raw.positions, CENTRE + 1.0)
