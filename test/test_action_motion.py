"""The arm moves only while it is enabled, not stopped, and a fresh thought says so; else it is braked once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from motion_bench import DT, HORIZON, SETTINGS, Bench, Ramp, is_brake, reason

from vla_ros.action.guard import GuardReason, Refusal
from vla_ros.action.motion import Distrust
from vla_ros.action.stitch import ExecutingPlan, planned_state
from vla_ros.types import NANOSECONDS, JointSample, Thought


def test_from_begin_the_arm_is_disabled_and_nothing_is_sent() -> None:
    bench = Bench()
    bench.hear()
    assert not bench.motion.wants_plans
    assert reason(bench.plan()) is GuardReason.NOT_ENABLED
    assert bench.sent == []


def test_enabled_with_a_fresh_thought_a_plan_follows_the_policy_and_ends_at_rest() -> None:
    bench = Bench().moving()
    (plan,) = bench.sent
    trajectory = plan.trajectory
    at_horizon = np.searchsorted(trajectory.times, HORIZON * DT - 1e-6)
    np.testing.assert_allclose(trajectory.positions[at_horizon], 0.5 * HORIZON * DT, atol=0.03)
    assert not trajectory.velocities[-1].any()
    assert bench.motion.is_moving


def test_each_plan_goes_on_from_the_planned_state_of_the_one_before() -> None:
    bench = Bench().moving()
    for _ in range(5):
        bench.later(0.125)
        at = bench.planner.plan
        assert at is not None
        # The arm follows its plan, as a servo does.
        seconds = (bench.now - at.started) / NANOSECONDS
        columns = at.trajectory.positions.T
        bench.hear([float(np.interp(seconds, at.trajectory.times, column)) for column in columns])
        assert isinstance(bench.plan(age=0.06), ExecutingPlan)
    for before, after in pairwise(bench.sent):
        begins = after.started + after.lead_in
        here, there = planned_state(after, begins), planned_state(before, begins)
        np.testing.assert_allclose(here.positions, there.positions, atol=1e-9)
        np.testing.assert_allclose(here.velocities, there.velocities, atol=1e-9)


@pytest.mark.parametrize(
    ('act', 'why'),
    [
        (lambda b: b.motion.stop(), 'stopped'),
        (lambda b: b.motion.disable(), 'disabled'),
        (lambda b: b.motion.hear_thought(Thought(b.now, np.zeros((0, 4), np.float32))), 'hold still'),
        (lambda b: b.motion.end(), 'deactivated'),
        (lambda b: b.motion.hear_tokens(b.now - NANOSECONDS), 'tokens went back'),
        (
            lambda b: b.motion.hear_joints(JointSample(b.now - NANOSECONDS, np.zeros(2), np.zeros(2))),
            'joint states',
        ),
    ],
    ids=['stop', 'disable', 'hold', 'deactivate', 'tokens back', 'joints back'],
)
def test_whatever_ends_the_motion_sends_one_braking_plan_from_the_planned_state(act, why) -> None:
    bench = Bench().moving()
    bench.later(0.3)
    act(bench)
    act(bench)
    first, brake = bench.sent
    assert is_brake(brake)
    begins = brake.started + brake.lead_in
    assert begins == bench.now + 10_000_000
    expected = planned_state(first, begins).positions
    np.testing.assert_allclose(planned_state(brake, begins).positions, expected, atol=1e-9)
    assert why in bench.brakes[0]
    assert len(bench.brakes) == 1


@pytest.mark.parametrize(
    ('late', 'expected'),
    [
        ('joint_state', GuardReason.STALE_JOINT_STATE),
        ('tokens', GuardReason.STALE_OBSERVATION),
        ('thought', GuardReason.STALE_THOUGHT),
    ],
)
def test_the_watch_brakes_as_soon_as_one_input_is_too_old(late, expected) -> None:
    bench = Bench(Ramp(speed=0.2)).moving()
    found: Refusal | None = None
    for _ in range(100):
        bench.later(0.05)
        if late != 'joint_state':
            plan = bench.planner.plan
            assert plan is not None
            bench.motion.hear_joints(JointSample(bench.now, plan.trajectory.positions[0], np.zeros(2)))
        if late != 'tokens':
            bench.motion.hear_tokens(bench.now)
        if late != 'thought':
            bench.motion.hear_thought(Thought(bench.now, np.ones((1, 4), np.float32)))
        elif not bench.motion.is_moving:
            bench.plan()
        found = bench.motion.watch(SETTINGS)
        if found is not None:
            break
        if late == 'thought':
            bench.plan()
    assert found is not None
    assert found.reason is expected
    assert is_brake(bench.sent[-1])
    assert bench.motion.watch(SETTINGS) is None, 'one brake is enough'


def test_a_stop_latches_until_reset_and_then_still_needs_enable() -> None:
    bench = Bench().moving()
    bench.motion.stop()
    assert bench.motion.enable() == 'stopped; call action/reset first'
    bench.hear()
    assert reason(bench.plan()) is GuardReason.STOPPED
    bench.motion.reset()
    assert reason(bench.plan()) is GuardReason.NOT_ENABLED
    assert bench.motion.enable() is None
    assert isinstance(bench.plan(), ExecutingPlan)


def test_after_a_brake_and_a_new_plan_the_next_hold_brakes_again() -> None:
    bench = Bench().moving()
    for _ in range(2):
        bench.later(0.1)
        bench.motion.hear_thought(Thought(bench.now, np.zeros((0, 4), np.float32)))
        bench.hear()
        assert isinstance(bench.plan(), ExecutingPlan)
    assert len(bench.brakes) == 2


def test_what_was_heard_before_the_beginning_does_not_count() -> None:
    bench = Bench()
    bench.hear()
    bench.motion.begin(bench.planner, enabled=True)
    assert set(bench.motion.stamps().values()) == {None}
    assert isinstance(bench.plan(), Refusal)
    bench.hear()
    assert isinstance(bench.plan(), ExecutingPlan)


def test_frames_from_before_the_first_joint_state_are_not_acted_on() -> None:
    bench = Bench()
    bench.hear()
    bench.motion.enable()
    assert reason(bench.plan(age=0.4)) is GuardReason.STALE_JOINT_STATE
    assert bench.policy.noises == [], 'the model is not even asked'


def test_deactivated_while_the_model_thinks_nothing_is_sent() -> None:
    bench = Bench()
    bench.hear()
    bench.motion.enable()
    bench.policy.meanwhile = bench.motion.end
    assert reason(bench.plan()) is GuardReason.NOT_ENABLED
    assert bench.plan() is None
    assert bench.sent == []


def test_a_stop_survives_deactivation() -> None:
    bench = Bench()
    bench.motion.stop()
    bench.motion.end()
    bench.motion.begin(bench.planner, enabled=True)
    assert not bench.motion.enabled
    assert bench.motion.enable() is not None


def test_a_stop_while_the_model_thinks_wins() -> None:
    bench = Bench()
    bench.hear()
    bench.motion.enable()
    bench.policy.meanwhile = bench.motion.stop
    assert reason(bench.plan()) is GuardReason.STOPPED
    assert bench.sent == []


def test_a_hold_while_the_model_thinks_wins_and_the_next_go_moves_again() -> None:
    bench = Bench()
    bench.hear()
    bench.motion.enable()
    bench.policy.meanwhile = lambda: bench.hear(rows=0)
    assert reason(bench.plan()) is GuardReason.HOLD
    bench.policy.meanwhile = lambda: None
    bench.hear()
    assert isinstance(bench.plan(), ExecutingPlan)


def test_tokens_that_grow_too_old_while_the_model_thinks_are_not_acted_on() -> None:
    bench = Bench()
    bench.hear()
    bench.motion.enable()

    def dawdle() -> None:
        stamp = bench.now
        bench.later(0.6)
        bench.motion.hear_joints(JointSample(bench.now, np.zeros(2), np.zeros(2)))
        bench.motion.hear_thought(Thought(stamp, np.ones((1, 4), np.float32)))

    bench.policy.meanwhile = dawdle
    assert reason(bench.plan()) is GuardReason.STALE_OBSERVATION
    assert bench.sent == []


def test_a_chunk_that_is_not_finite_is_refused_whole_and_the_arm_comes_to_rest_on_its_plan() -> None:
    bench = Bench().moving()
    bench.policy.speed = np.nan
    bench.later(0.1)
    bench.hear([0.05, 0.05])
    assert reason(bench.plan()) is GuardReason.NON_FINITE
    assert len(bench.sent) == 1


def test_a_dry_run_is_handed_over_but_never_executed() -> None:
    bench = Bench()
    bench.hear()
    bench.motion.enable()
    dry: list[ExecutingPlan] = []
    bench.plan(dry_run=dry.append)
    assert len(dry) == 1
    assert bench.sent == []
    assert not bench.motion.is_moving


def test_an_arm_that_is_measured_where_it_cannot_be_is_braked_and_disabled() -> None:
    bench = Bench().moving()
    bench.later(0.02)

    distrust = bench.motion.hear_joints(JointSample(bench.now, np.array([0.0, 0.6]), np.zeros(2)))

    assert distrust is Distrust.JUMPED
    assert is_brake(bench.sent[-1])
    assert not bench.motion.enabled
    assert 'lift jumped by 0.600 rad' in bench.brakes[-1]


def test_an_arm_that_is_not_enabled_may_be_moved_by_others() -> None:
    bench = Bench()
    bench.hear()
    bench.later(0.02)
    assert bench.motion.hear_joints(JointSample(bench.now, np.array([0.0, 0.6]), np.zeros(2))) is None


def test_enabling_an_arm_at_rest_starts_from_where_it_is_measured() -> None:
    bench = Bench().moving()
    bench.later(5.0)
    bench.motion.disable()
    bench.hear([0.3, -0.2])
    bench.motion.enable()
    bench.plan()
    np.testing.assert_allclose(bench.sent[-1].trajectory.positions[0], [0.3, -0.2])


def test_steps_that_pass_while_the_model_thinks_are_given_to_it_as_the_plan_fixes_them() -> None:
    bench = Bench().moving()
    bench.later(0.2)
    bench.hear([0.1, 0.1])
    bench.plan(age=0.13)
    assert bench.policy.prefixes[0] is None, 'at rest nothing is fixed'
    prefix = bench.policy.prefixes[1]
    assert prefix is not None
    assert prefix.shape == (2, 2)
    plan = bench.sent[0]
    due = (bench.now - round(0.13 * NANOSECONDS) - plan.started) / NANOSECONDS + DT * np.array([1, 2])
    expected = np.interp(due, plan.trajectory.times, plan.trajectory.positions[:, 0])
    np.testing.assert_allclose(prefix[:, 0], expected, atol=2e-3)


def test_an_arm_that_was_pushed_off_its_plan_has_nothing_fixed() -> None:
    bench = Bench().moving()
    bench.later(0.2)
    bench.hear([0.6, 0.1])
    bench.plan(age=0.13)
    assert bench.policy.prefixes == [None, None]


def test_without_a_trained_prefix_none_is_given() -> None:
    bench = Bench(prefix=0).moving()
    bench.later(0.2)
    bench.hear([0.1, 0.1])
    bench.plan(age=0.13)
    assert bench.policy.prefixes == [None, None]


def test_noise_is_a_function_of_seed_and_stamp_alone() -> None:
    first, second = Bench().moving(), Bench().moving()
    np.testing.assert_array_equal(first.policy.noises[0], second.policy.noises[0])
    np.testing.assert_array_equal(first.sent[0].trajectory.positions, second.sent[0].trajectory.positions)
    second.later(0.05)
    second.hear([0.02, 0.02])
    second.plan()
    assert (second.policy.noises[0] != second.policy.noises[1]).any()
