"""Going from chunk to chunk: prefix, ramp and ensemble, each against the formula that was published for it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.action.clean_prefix import CleanPrefix
from vla_ros.action.ensemble import TemporalEnsemble
from vla_ros.action.guard import Circumstances
from vla_ros.action.limits import JointLimits
from vla_ros.action.planner import Planner, PlannerSettings
from vla_ros.action.ramp import FreezeAndRamp, soft_mask
from vla_ros.action.shape import shape
from vla_ros.action.stitch import ExecutingPlan, StitchSettings, planned_state, stitch
from vla_ros.action.stitching import CHOICES, MOST_CHUNKS, make_stitching, not_over
from vla_ros.manifest import ChunkSpec
from vla_ros.types import (
    NANOSECONDS,
    ActionChunk,
    DoubleArray,
    JointSample,
    JointTrajectory,
    Thought,
    VisualTokens,
    VlaError,
)

MS = 1_000_000
NOW = 5_000 * MS
DT = 0.05


def chunk(stamp_ms: int, positions: DoubleArray) -> ActionChunk:
    return ActionChunk(NOW + stamp_ms * MS, DT, positions)


def steady_plan(stamp_ms: int, chunks: tuple[ActionChunk, ...]) -> ExecutingPlan:
    """Two joints at 0.5 and -0.5 rad/s from 0 for 4 s."""
    times, speed = np.array([0.0, 4.0]), np.array([0.5, -0.5])
    still = np.zeros((2, 2))
    trajectory = JointTrajectory(('a', 'b'), times, times[:, None] * speed, still + speed, still)
    return ExecutingPlan(trajectory, NOW + stamp_ms * MS, chunks)


# The soft mask of real-time chunking.


@pytest.mark.parametrize('delay', [0, 2, 3])
@pytest.mark.parametrize('executed', [3, 4, 5])
def test_the_soft_mask_is_equation_5_of_real_time_chunking(delay: int, executed: int):
    """arXiv 2506.07339: H steps, s executed between chunks, d of delay."""
    horizon = 8
    expected = []
    for i in range(horizon):
        if i < delay:
            expected.append(1.0)
        elif i < horizon - executed:
            c = (horizon - executed - i) / (horizon - executed - delay + 1)
            expected.append(c * (math.exp(c) - 1) / (math.e - 1))
        else:
            expected.append(0.0)
    np.testing.assert_allclose(soft_mask(horizon, delay, horizon - executed), expected, atol=1e-15)


def test_the_soft_mask_is_that_of_the_reference_implementation():
    """Numbers of the kinetix reference for start 2, end 6, total 10, schedule exp."""
    golden = [1, 1, 0.571, 0.287, 0.114, 0.026, 0, 0, 0, 0]
    np.testing.assert_allclose(soft_mask(10, 2, 6), golden, atol=5e-4)


@given(horizon=st.integers(1, 60), delay=st.integers(-5, 70), overlap=st.integers(-5, 70))
def test_given_any_delay_and_overlap_the_soft_mask_falls_from_1_to_0(horizon: int, delay: int, overlap: int):
    mask = soft_mask(horizon, delay, overlap)
    assert mask.shape == (horizon,)
    assert (np.diff(mask) <= 0).all()
    assert ((mask >= 0) & (mask <= 1)).all()
    assert (mask[max(0, overlap) :] == 0).all()


# Freeze and ramp.


def test_given_a_plan_its_steps_are_frozen_then_the_new_chunk_fades_in():
    """The plan is 150 ms old, the chunk was seen 100 ms ago: 2 steps of delay, 3 executed, 5 overlap."""
    earlier = chunk(-250, np.zeros((8, 2)))
    plan = steady_plan(-200, (earlier,))
    new = chunk(-100, np.full((8, 2), 7.0))
    merged = FreezeAndRamp().merge(new, (earlier,), plan, NOW)
    weights = soft_mask(8, 2, 5)[:, None]
    planned = np.array([planned_state(plan, new.stamp + (i + 1) * 50 * MS).positions for i in range(8)])
    np.testing.assert_allclose(merged.positions, weights * planned + (1 - weights) * 7.0, atol=1e-12)
    np.testing.assert_allclose(merged.positions[:2], planned[:2])
    np.testing.assert_array_equal(merged.positions[5:], 7.0)
    assert (merged.stamp, merged.dt) == (new.stamp, new.dt)


@pytest.mark.parametrize('stitching', [CleanPrefix(), FreezeAndRamp(), TemporalEnsemble()])
def test_given_nothing_before_a_chunk_is_left_as_it_is(stitching):
    new = chunk(0, np.arange(16.0).reshape(8, 2))
    for plan in (None, steady_plan(-100, ())):
        np.testing.assert_allclose(stitching.merge(new, (), plan, NOW).positions, new.positions)


def test_given_a_chunk_before_that_is_over_the_new_one_is_left_as_it_is():
    old, new = chunk(-500, np.zeros((8, 2))), chunk(0, np.ones((8, 2)))
    merged = FreezeAndRamp().merge(new, (old,), steady_plan(-500, (old,)), NOW)
    np.testing.assert_array_equal(merged.positions, 1.0)


def test_given_a_prefix_the_policy_was_told_and_its_answer_is_left_as_it_is():
    old, new = chunk(-100, np.zeros((8, 2))), chunk(0, np.ones((8, 2)))
    assert CleanPrefix().merge(new, (old,), steady_plan(-100, (old,)), NOW) is new


# Temporal ensembling.


@pytest.mark.parametrize('decay', [0.0, 0.01, 0.5])
def test_the_ensemble_is_algorithm_2_of_act(decay: float):
    """arXiv 2304.13705: asked at every step, the action is the average with weights exp(-m i), i = 0 the oldest."""
    horizon, generator = 6, np.random.default_rng(1)
    answers = [chunk(50 * t, generator.normal(size=(horizon, 2))) for t in range(9)]
    ensemble = TemporalEnsemble(decay)
    for t in range(9):
        earlier = not_over(answers[:t], answers[t].stamp)
        first = ensemble.merge(answers[t], earlier, None, answers[t].stamp).positions[0]
        opinions = [answers[k].positions[t - k] for k in range(max(0, t - horizon + 1), t + 1)]
        weights = np.exp(-decay * np.arange(len(opinions)))
        expected = (weights[:, None] * np.array(opinions)).sum(axis=0) / weights.sum()
        np.testing.assert_allclose(first, expected, atol=1e-12)


def test_given_chunks_between_each_others_steps_they_are_read_along_straight_lines():
    line = np.arange(1.0, 9.0)[:, None] * [1.0, -2.0]
    old, new = chunk(-70, line), chunk(0, line + 70 / 50 * np.array([1.0, -2.0]))
    merged = TemporalEnsemble(0.3).merge(new, (old,), None, NOW)
    np.testing.assert_allclose(merged.positions, new.positions, atol=1e-9)


@given(seed=st.integers(0, 1000), count=st.integers(1, 5))
def test_given_any_chunks_the_ensemble_is_nowhere_beyond_all_of_them(seed: int, count: int):
    generator = np.random.default_rng(seed)
    many = [chunk(int(37 * k), generator.normal(size=(8, 2))) for k in range(count)]
    merged = TemporalEnsemble(0.1).merge(many[-1], many[:-1], None, NOW).positions
    assert np.abs(merged).max() <= max(np.abs(one.positions).max() for one in many) + 1e-12


# Which one, and what is remembered.


def test_given_a_name_it_is_that_stitching_and_auto_is_the_best_that_the_bundle_can():
    made = {name: make_stitching(name, 6).name for name in CHOICES}
    assert made == {'auto': 'prefix', 'prefix': 'prefix', 'ramp': 'ramp', 'ensemble': 'ensemble'}
    assert make_stitching('auto', 0).name == 'ramp'
    assert make_stitching('ensemble', 0, 0.3) == TemporalEnsemble(0.3)


def test_given_a_bundle_without_prefixes_prefix_is_refused_and_the_sentence_says_what_to_choose():
    with pytest.raises(VlaError, match=r"chunk\.prefix is 0; choose 'ramp', 'ensemble' or 'auto'"):
        make_stitching('prefix', 0)
    with pytest.raises(VlaError, match="found 'none'"):
        make_stitching('none', 6)


def test_chunks_are_remembered_until_they_are_over_and_not_too_many_of_them():
    chunks = tuple(chunk(k, np.zeros((8, 2))) for k in range(-500, 0, 10))
    left = not_over(chunks, NOW)
    assert left == chunks[-MOST_CHUNKS:]
    assert not_over(chunks[:11], NOW) == ()  # the youngest of them ends now


class Steps:
    """A policy that wants to be at ever higher places."""

    providers = ('none',)

    def __init__(self) -> None:
        self.prefixes: list[DoubleArray | None] = []

    def act(self, tokens, thought, joints, noise, prefix=None) -> ActionChunk:
        self.prefixes.append(prefix)
        return ActionChunk(tokens.stamp, DT, np.full((16, 2), 0.05 * len(self.prefixes)))

    def warm_up(self) -> None:
        pass


@pytest.mark.parametrize('name', ['prefix', 'ramp', 'ensemble'])
def test_given_a_stitching_the_planner_uses_it_and_forgets_after_a_brake(name: str):
    each, policy = np.ones(2), Steps()
    limits = JointLimits(('a', 'b'), -2 * each, 2 * each, 2 * each, 12 * each, 150 * each)
    stitching = make_stitching(name, 6)
    settings = PlannerSettings(stitching=stitching, stitch=StitchSettings(transport_lead=0.0))
    planner = Planner(
        policy, ChunkSpec(horizon=16, dt=DT, representation='absolute', prefix=6), limits, settings
    )
    thought, tokens = Thought(0, np.ones((1, 1), np.float32)), np.ones((1, 1), np.float32)
    for k in range(4):
        now = NOW + k * NANOSECONDS // 10
        at = np.zeros(2) if planner.plan is None else planned_state(planner.plan, now).positions
        joints = JointSample(now, at, np.zeros(2))
        seen = VisualTokens(now - 100 * MS, tokens)
        wanted = planner.chunk(seen, thought, joints, joints, now)
        calm = Circumstances(now, True, False, False, seen.stamp, seen.stamp, joints)
        earlier = () if planner.plan is None else planner.plan.chunks
        expected = stitching.merge(wanted, earlier, planner.plan, now)
        left = stitch(expected, now=now, plan=planner.plan, measured=joints, settings=settings.stitch)
        plan = planner.next_plan(wanted, calm)
        assert isinstance(plan, ExecutingPlan)
        np.testing.assert_array_equal(
            plan.trajectory.positions, shape(left.start, left.times, left.positions, limits).positions
        )
        assert len(plan.chunks) == k + 1
        planner.plan = plan
    assert [prefix is not None for prefix in policy.prefixes] == [False] + [name == 'prefix'] * 3
    brake = planner.braking_plan(now)
    assert isinstance(brake, ExecutingPlan)
    assert brake.chunks == ()
