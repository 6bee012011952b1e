"""The adversary finds nothing; the judge, who shares no code with the guard, finds whatever is planted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('mujoco')

from vla_ros.action.guard import Guard
from vla_ros.action.limits import load_limits
from vla_ros.action.shape import brake, shape
from vla_ros.action.stitch import PlannedState, StitchSettings, stitch
from vla_ros.evaluation.adversary import CHUNKS, Place, disturb
from vla_ros.evaluation.plan_checker import PlanChecker, Promises, Situation
from vla_ros.evaluation.safety import attack
from vla_ros.evaluation.safety_report import summary
from vla_ros.evaluation.sent_plan import Sent
from vla_ros.types import NANOSECONDS, ActionChunk, DoubleArray, JointSample, JointTrajectory

JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
LIMITS = load_limits(Path(__file__).parents[1] / 'config' / 'joint_limits.yaml', JOINTS)
PROMISES = Promises(0.5, 3.0, 0.2, 0.05, 0.3, 0.25, 5.0)
HOME = np.array([0.0, -1.35, 1.25, 0.95, 0.0, 0.3])
STILL = np.zeros(6)
DUE = 0.05 * np.arange(1, 17)
NOW = 1_000 * NANOSECONDS

GOOD = shape(PlannedState(HOME, STILL, STILL), DUE, HOME + 0.2 * DUE[:, None] * [1, 0, -1, 0, 1, 1], LIMITS)
CALM = Situation(NOW, True, NOW, NOW, JointSample(NOW, HOME, STILL), None)


def judged(plan: JointTrajectory, situation: Situation = CALM, started: int = NOW) -> str:
    return '; '.join(PlanChecker(LIMITS, PROMISES).violations(Sent(plan, started), situation))


def changed(field: str, index: tuple[int, ...] | int, value: float) -> JointTrajectory:
    plan = copy.deepcopy(GOOD)
    getattr(plan, field)[index] = value
    return plan


def reach(goal: DoubleArray, start: DoubleArray = HOME) -> JointTrajectory:
    return shape(PlannedState(start, STILL, STILL), DUE, np.repeat(goal[None], 16, axis=0), LIMITS)


def test_given_a_good_plan_the_judge_finds_nothing():
    assert judged(GOOD) == ''


@pytest.mark.parametrize(
    ('plan', 'sentence'),
    [
        (replace(GOOD, joint_names=JOINTS[::-1]), 'names'),
        (changed('times', 3, GOOD.times[2]), 'times not'),
        (changed('times', 3, 0.01), 'times not'),
        (changed('times', 0, 0.01), 'times not'),
        (changed('positions', (3, 2), np.nan), 'not finite'),
        (replace(GOOD, velocities=GOOD.velocities[:, :5]), 'rows of shape'),
        (changed('times', -1, 5.1), '5.100 s long'),
        (changed('velocities', (-1, 2), 1e-6), 'not at rest'),
        (changed('accelerations', (-1, 2), 1e-6), 'not at rest'),
        (changed('velocities', (-1, 2), 1e-6), 'a stock controller rejects it'),
        (changed('velocities', (5, 2), 2.01), 'velocity limit exceeded'),
        (changed('accelerations', (5, 2), 12.1), 'acceleration limit exceeded'),
        (changed('accelerations', (5, 2), 4.0), 'jerk limit exceeded'),
        (changed('positions', (-1, 2), 1.6901), 'position limit exceeded'),
    ],
)
def test_given_one_number_that_is_wrong_the_judge_says_so(plan: JointTrajectory, sentence: str):
    assert sentence in judged(plan)


@pytest.mark.parametrize(
    ('situation', 'sentence'),
    [
        (replace(CALM, may_move=False), 'may not move'),
        (replace(CALM, observation=NOW - 501_000_000), 'observation of age'),
        (replace(CALM, observation=NOW + 51_000_000), 'observation of age'),
        (replace(CALM, observation=None), 'observation of age'),
        (replace(CALM, thought=NOW - 3_001_000_000), 'thought of age'),
        (replace(CALM, joints=None), 'joint state of age'),
        (replace(CALM, joints=JointSample(NOW - 201_000_000, HOME, STILL)), 'joint state of age'),
        (replace(CALM, joints=JointSample(NOW, HOME + 0.31, STILL)), 'rad from the arm'),
        (replace(CALM, joints=JointSample(NOW, HOME + 1e-4, STILL)), 'the position jumps'),
        (replace(CALM, joints=JointSample(NOW, HOME, STILL + 1e-3)), 'the velocity jumps'),
    ],
)
def test_given_circumstances_that_forbid_it_the_judge_says_so(situation: Situation, sentence: str):
    assert sentence in judged(GOOD, situation)


def test_given_a_plan_that_does_not_go_on_from_the_one_before_the_judge_says_so():
    before = Sent(GOOD, NOW)
    later = NOW + 300_000_000
    at = JointSample(later, GOOD.positions[6], GOOD.velocities[6])
    measured = replace(CALM, now=later, observation=later, joints=at, before=before)
    on = stitch(
        ActionChunk(later, 0.05, GOOD.positions[7:]),
        now=later,
        plan=None,
        measured=at,
        settings=StitchSettings(transport_lead=0.0),
    )
    from_rest = shape(on.start, on.times, on.positions, LIMITS)
    assert 'the acceleration jumps' in judged(from_rest, measured, later)
    state = PlannedState(GOOD.positions[6], GOOD.velocities[6], GOOD.accelerations[6])
    assert judged(shape(state, on.times, on.positions, LIMITS), measured, later) == ''
    assert judged(brake(state, LIMITS), replace(measured, may_move=False, brake=True), later) == ''


def led(seconds: float, straying: float = 0.0) -> Sent:
    """GOOD from rest, led into for so long; on the way a joint strays by so many rad."""
    ends = np.array([0.0, 0.5, 1.0]) * seconds

    def rows(new: DoubleArray) -> DoubleArray:
        return np.concatenate([np.repeat(new[:1], 2, axis=0), new])

    times = np.concatenate([ends[:2], seconds + GOOD.times])
    plan = JointTrajectory(
        JOINTS, times, rows(GOOD.positions), rows(GOOD.velocities), rows(GOOD.accelerations)
    )
    plan.positions[1, 2] += straying
    begins = NOW - round(seconds * NANOSECONDS)
    return Sent(plan, begins, begins, round(seconds * NANOSECONDS))


@pytest.mark.parametrize(
    ('plan', 'sentence'),
    [
        (led(0.1), ''),
        (led(0.21), 'a lead-in of 0.210 s'),
        (led(0.1, 1e-4), 'departs'),
        (replace(led(0.1), stamp=NOW - 10 * NANOSECONDS), 'a stock controller rejects it'),
    ],
)
def test_given_a_lead_in_the_judge_looks_at_it_too(plan: Sent, sentence: str):
    found = '; '.join(PlanChecker(LIMITS, PROMISES).violations(plan, CALM))
    assert sentence in found if sentence else found == ''


@pytest.mark.parametrize(
    ('plan', 'sentence'),
    [
        (reach(HOME + [0.0, 0.35, 0.3, 0.0, 0.0, 0.0]), 'too near to the table'),
        (reach(np.array([0, 0.9, -1.4, 0, 0, 0.3]), HOME + [0, 0.8, -1.0, 0, 0, 0]), 'outside of the box'),
    ],
)
def test_given_a_plan_out_of_the_workspace_the_judge_says_so(plan: JointTrajectory, sentence: str):
    at = replace(CALM, joints=JointSample(NOW, plan.positions[0], STILL))
    assert sentence in judged(plan, at)


def test_given_a_spline_that_leaves_the_limits_between_its_points_the_judge_says_so():
    top = np.array([LIMITS.max_position[0] - 0.01, *HOME[1:]])
    speed = np.zeros((4, 6))
    speed[1:3, 0] = [0.5, -0.5]
    plan = JointTrajectory(
        JOINTS, np.array([0.0, 0.5, 1.0, 1.5]), np.repeat(top[None], 4, axis=0), speed, 0 * speed
    )
    assert 'position limit exceeded' in judged(plan, replace(CALM, joints=JointSample(NOW, top, STILL)))


@settings(max_examples=12)
@given(seed=st.integers(1_000_000, 1_999_999))
def test_given_any_adversary_no_plan_that_goes_out_breaks_a_promise(seed: int):
    result = attack(LIMITS, chunks=60, seed=seed)
    assert result['violations'] == 0, result['examples']
    assert result['accepted'] > 0
    assert result['accepted'] + sum(result['refused'].values()) >= 60


@pytest.mark.parametrize('check', ['check', 'check_chunk'])
def test_given_a_guard_that_sleeps_the_judge_finds_what_goes_out(monkeypatch: pytest.MonkeyPatch, check: str):
    """The promise is kept by the guard, and the judge would notice if it were not."""

    def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(Guard, check, nothing)
    with np.errstate(invalid='ignore'):  # steps of NaN seconds get as far as the stitching then
        result = attack(LIMITS, chunks=400, seed=1_000_007)
    assert result['violations'] > 0


def test_given_the_same_seed_the_attack_is_the_same():
    first, second = (attack(LIMITS, chunks=60, seed=1_000_001) for _ in range(2))
    for key in ('accepted', 'refused', 'attacks', 'largest_share_of_limit'):
        assert first[key] == second[key]


def test_a_report_says_what_a_person_asks_for_first():
    result = attack(LIMITS, chunks=20, seed=1_000_002)
    lines = summary(result)
    assert lines['violations'] == '0'
    assert '(p99)' in lines['plan under attack']


@pytest.mark.parametrize('kind', list(CHUNKS))
def test_each_attack_makes_a_chunk_of_the_observation(kind: str):
    make: Callable[..., ActionChunk] = CHUNKS[kind]
    place = Place(NOW, HOME, LIMITS)
    with np.errstate(all='ignore'):
        made = make(np.random.default_rng(0), place)
    assert (made.stamp == NOW) is (kind != 'other_stamp')


def test_every_disturbance_of_the_joints_comes_up():
    generator, sample = np.random.default_rng(0), JointSample(NOW, HOME, STILL)
    kinds = {disturb(generator, sample, LIMITS)[0] for _ in range(1000)}
    assert len(kinds) == 10
