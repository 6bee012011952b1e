"""Shaping: whatever the way-points, what the controller executes is within limits and ends at rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vla_ros.action.limits import JointLimits, load_limits
from vla_ros.action.shape import ShapeSettings, brake, shape
from vla_ros.action.spline import resample
from vla_ros.action.stitch import ExecutingPlan, PlannedState, StitchSettings, planned_state, stitch
from vla_ros.sim.joint_trajectory_controller import JointTrajectoryController
from vla_ros.sim.trajectory_message import TrajectoryMessage, TrajectoryPoint
from vla_ros.types import ActionChunk, DoubleArray, JointSample, JointTrajectory, VlaError

JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
LIMITS = load_limits(Path(__file__).parents[1] / 'config' / 'joint_limits.yaml', JOINTS)
HOME = PlannedState(np.array([0.0, -1.35, 1.25, 0.95, 0.0, 0.3]), np.zeros(6), np.zeros(6))
DUE = 0.05 * np.arange(1, 17)
MS = 1_000_000

# The plan keeps inside of the limits by construction; between the samples of 1 kHz nothing can grow by this much.
SLACK = 1e-6


def executed(plan: JointTrajectory) -> DoubleArray:
    """(4, S, J): positions, velocities, accelerations, jerks at 1 kHz, as a controller interpolates."""
    states = np.stack([plan.positions, plan.velocities, plan.accelerations], axis=1)
    fractions = np.linspace(0, 1, 51)
    return resample(states, np.diff(plan.times), fractions).reshape(4, -1, len(plan.joint_names))


def assert_within(plan: JointTrajectory, limits: JointLimits) -> None:
    positions, velocities, accelerations, jerks = executed(plan)
    assert (positions >= limits.min_position - SLACK).all()
    assert (positions <= limits.max_position + SLACK).all()
    assert (np.abs(velocities) <= limits.max_velocity + SLACK).all()
    assert (np.abs(accelerations) <= limits.max_acceleration + SLACK).all()
    assert (np.abs(jerks) <= limits.max_jerk + SLACK).all()


def assert_complete(plan: JointTrajectory, start: PlannedState) -> None:
    """It begins where it should, its times increase and it ends at rest."""
    assert plan.times[0] == 0.0
    assert (np.diff(plan.times) > 0).all()
    np.testing.assert_array_equal(plan.positions[0], start.positions)
    np.testing.assert_array_equal(plan.velocities[0], start.velocities)
    np.testing.assert_array_equal(plan.accelerations[0], start.accelerations)
    np.testing.assert_array_equal(plan.velocities[-1], 0.0)
    np.testing.assert_array_equal(plan.accelerations[-1], 0.0)


def minimum_jerk(seconds: DoubleArray, duration: float, distance: float) -> DoubleArray:
    """Rest to rest, the fastest at 15 / 8 of the mean speed. Returns (N, 6) from HOME, alternating direction."""
    u = np.clip(seconds / duration, 0, 1)
    travelled = distance * (10 * u**3 - 15 * u**4 + 6 * u**5)
    return HOME.positions + travelled[:, None] * np.array([1, 1, -1, -1, 1, 1])


chunks = st.one_of(
    arrays(float, (16, 6), elements=st.floats(-4, 4)),
    arrays(float, (1, 6), elements=st.floats(-4, 4)).map(lambda goal: np.repeat(goal, 16, axis=0)),
    arrays(float, (16, 6), elements=st.floats(-0.1, 0.1)).map(
        lambda d: HOME.positions + np.cumsum(d, axis=0)
    ),
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    wanted=st.lists(chunks, min_size=1, max_size=6),
    delays=st.lists(st.integers(1, 700), min_size=6, max_size=6),
)
def test_given_wild_chunks_one_upon_the_other_every_plan_is_within_limits(
    wanted: list[DoubleArray], delays: list[int]
):
    now, plan = 0, None
    measured = JointSample(0, HOME.positions, HOME.velocities)
    for positions, delay in zip(wanted, delays, strict=False):
        if plan is not None:
            measured = JointSample(now, planned_state(plan, now).positions, np.zeros(6))
        stitched = stitch(ActionChunk(now - 80 * MS, 0.05, positions), now=now, plan=plan, measured=measured)
        trajectory = shape(stitched.start, stitched.times, stitched.positions, LIMITS)
        assert_complete(trajectory, stitched.start)
        assert_within(trajectory, LIMITS)
        plan = ExecutingPlan(trajectory, stitched.starts)
        now += delay * MS


@settings(max_examples=40, deadline=None)
@given(
    positions=arrays(float, (16, 2), elements=st.floats(-4, 4)),
    velocity=st.floats(0.1, 6),
    to_full_speed=st.floats(0.05, 1.0),
    to_full_acceleration=st.floats(0.02, 0.5),
    dt=st.sampled_from([0.02, 0.05, 0.1]),
)
def test_given_other_limits_and_spacings_every_plan_is_within_limits(
    positions: DoubleArray, velocity: float, to_full_speed: float, to_full_acceleration: float, dt: float
):
    acceleration = velocity / to_full_speed
    jerk = acceleration / to_full_acceleration
    limits = JointLimits(
        ('slide', 'turn'),
        np.array([-1.0, -np.inf]),
        np.array([2.0, np.inf]),
        np.array([velocity, 2 * velocity]),
        np.array([acceleration, 2 * acceleration]),
        np.array([jerk, jerk / 2]),
    )
    start = PlannedState(np.array([0.5, -3.0]), np.zeros(2), np.zeros(2))
    plan = shape(start, DUE, positions, limits, ShapeSettings(dt=dt))
    assert_complete(plan, start)
    assert_within(plan, limits)
    halfway = planned_state(ExecutingPlan(plan, 0), round(plan.times[-1] / 3 * 1e9))
    assert_within(shape(halfway, DUE, -positions, limits, ShapeSettings(dt=dt)), limits)


@settings(max_examples=10, deadline=None)
@given(positions=arrays(float, (16, 6), elements=st.floats(-4, 4)))
def test_given_a_plan_the_controller_executes_it_within_limits_at_a_kilohertz(positions: DoubleArray):
    """The controller itself, not our idea of it; accelerations as differences of its velocities."""
    plan = shape(HOME, DUE, positions, LIMITS)
    controller = JointTrajectoryController(JOINTS, update_period_ns=MS)
    controller.accept(message(plan), 1000 * MS)
    samples = [
        controller.sample((1000 + k) * MS, HOME.positions) for k in range(round(plan.times[-1] * 1000) + 20)
    ]
    path, speeds = (np.array(column) for column in zip(*samples, strict=True))
    assert (path >= LIMITS.min_position - SLACK).all()
    assert (path <= LIMITS.max_position + SLACK).all()
    assert (np.abs(speeds) <= LIMITS.max_velocity + SLACK).all()
    assert (np.abs(np.diff(speeds, axis=0)) <= 0.001 * LIMITS.max_acceleration + SLACK).all()
    assert (np.abs(np.diff(speeds, 2, axis=0)) <= 0.001**2 * LIMITS.max_jerk + SLACK).all()
    np.testing.assert_array_equal(path[-1], plan.positions[-1])
    np.testing.assert_array_equal(speeds[-1], 0.0)


def message(plan: JointTrajectory) -> TrajectoryMessage:
    rows = zip(plan.times, plan.positions, plan.velocities, plan.accelerations, strict=True)
    points = tuple(TrajectoryPoint(tuple(p), tuple(v), tuple(a), float(t)) for t, p, v, a in rows)
    return TrajectoryMessage(0, plan.joint_names, points)


def replanned(noise: float, period: float = 0.1, age: float = 0.08) -> tuple[DoubleArray, DoubleArray]:
    """Follow a minimum-jerk motion, 0.64 rad in 1 s, at most 1.2 rad/s, from chunks that come late and noisy.

    Returns:
        (S, 6) tracking error and (4, S, 6) motion, of what is executed between one plan and the next.
    """
    generator = np.random.default_rng(1)
    now, plan = 0, None
    errors, motions = [], []
    for _ in range(20):
        stamp = now - round(age * 1e9)
        positions = minimum_jerk(stamp / 1e9 - 0.3 + DUE, 1.0, 0.64)
        positions = positions + noise * generator.standard_normal(positions.shape)
        measured = JointSample(now, HOME.positions, np.zeros(6))
        if plan is not None:
            measured = JointSample(now, planned_state(plan, now).positions, np.zeros(6))
        stitched = stitch(
            ActionChunk(stamp, 0.05, positions),
            now=now,
            plan=plan,
            measured=measured,
            settings=StitchSettings(transport_lead=0.0),
        )
        trajectory = shape(stitched.start, stitched.times, stitched.positions, LIMITS)
        plan = ExecutingPlan(trajectory, now)
        steps = round(period / 0.05)
        fractions = np.linspace(0, 1, 51)
        states = np.stack([trajectory.positions, trajectory.velocities, trajectory.accelerations], axis=1)
        motion = resample(states[: steps + 1], np.diff(trajectory.times[: steps + 1]), fractions)
        seconds = now / 1e9 + trajectory.times[:steps, None] + 0.05 * fractions
        errors.append(motion[0].reshape(-1, 6) - minimum_jerk(seconds.ravel() - 0.3, 1.0, 0.64))
        motions.append(motion.reshape(4, -1, 6))
        now += round(period * 1e9)
    return np.concatenate(errors), np.concatenate(motions, axis=1)


def test_given_a_smooth_reference_the_arm_does_not_lag_behind_it():
    errors, _ = replanned(noise=0.0)
    assert np.abs(errors).max() < 0.005


def test_given_a_noisy_reference_the_motion_is_smoother_and_nearer_to_the_truth_than_the_noise():
    errors, motion = replanned(noise=0.01)
    assert np.abs(errors).max() < 0.02
    assert np.sqrt(np.square(errors).mean()) < 0.005  # half of the noise
    exact = np.array([0.64 * 60 / 1.0**3])  # the largest jerk of the true motion
    assert np.sqrt(np.square(motion[3]).mean()) < exact
    assert np.abs(motion[2]).max() < LIMITS.max_acceleration.min() / 2


def test_given_a_step_the_arm_goes_there_nearly_as_fast_as_the_limits_allow():
    """0.3 rad at 12 rad/s^2 and 450 rad/s^3 take at least 0.35 s; here it is there, within 8 %, after 0.6 s."""
    goal = HOME.positions + 0.3
    plan = shape(HOME, DUE, np.repeat(goal[None], 16, axis=0), LIMITS)
    assert_within(plan, LIMITS)
    late = plan.times > 0.625
    np.testing.assert_allclose(plan.positions[late], np.broadcast_to(goal, (late.sum(), 6)), atol=0.024)


def test_given_joints_that_ask_for_little_and_much_the_much_does_not_disturb_the_little():
    gentle = minimum_jerk(DUE, 0.8, 0.2)
    wild = gentle.copy()
    wild[:, 0] = np.where(np.arange(16) % 2, 1.9, -1.9)
    calm = shape(HOME, DUE, gentle, LIMITS)
    both = shape(HOME, DUE, wild, LIMITS)
    np.testing.assert_allclose(both.positions[: len(calm.times), 1:], calm.positions[:, 1:], atol=1e-9)


@pytest.mark.parametrize('beyond', [0.02, 2.0])
@pytest.mark.parametrize(('limit', 'side'), [(LIMITS.max_position, 1), (LIMITS.min_position, -1)])
def test_given_way_points_outside_of_the_limits_it_stops_at_the_limits(
    limit: DoubleArray, side: int, beyond: float
):
    goals = np.repeat((limit + side * beyond)[None], 16, axis=0)
    start = PlannedState(limit - side * 0.1, np.zeros(6), np.zeros(6))
    for _ in range(4):
        trajectory = shape(start, DUE, goals, LIMITS)
        assert_within(trajectory, LIMITS)
        start = planned_state(ExecutingPlan(trajectory, 0), 400 * MS)
    np.testing.assert_allclose(trajectory.positions[-1], limit, atol=0.004)


def test_given_an_arm_outside_of_its_limits_it_comes_back_and_goes_no_further():
    outside = LIMITS.max_position + 0.05
    start = PlannedState(outside, np.zeros(6), np.zeros(6))
    plan = shape(start, DUE, np.repeat((LIMITS.max_position - 0.2)[None], 16, axis=0), LIMITS)
    positions = executed(plan)[0]
    assert (positions <= outside + 1e-6).all()
    assert (positions[-1] < LIMITS.max_position).all()


def test_given_an_arm_that_was_pushed_too_fast_it_is_braked_at_the_limits():
    start = PlannedState(HOME.positions, np.full(6, 4.0), np.zeros(6))
    plan = shape(start, DUE, np.repeat(HOME.positions[None], 16, axis=0), LIMITS)
    _, velocities, accelerations, jerks = executed(plan)
    assert velocities.max() <= 4.0 + SLACK
    assert (np.abs(accelerations) <= LIMITS.max_acceleration + SLACK).all()
    assert (np.abs(jerks) <= LIMITS.max_jerk + SLACK).all()
    assert_complete(plan, start)


def test_given_nothing_left_to_do_it_brakes_as_fast_as_the_limits_allow():
    """From 1 rad/s at rest acceleration, v / a + a / j at the least."""
    start = PlannedState(HOME.positions, np.ones(6), np.zeros(6))
    plan = brake(start, LIMITS)
    assert_complete(plan, start)
    assert_within(plan, LIMITS)
    assert 1 / 12 + 12 / 450 <= plan.times[-1] <= 0.2
    empty = shape(start, np.empty(0), np.empty((0, 6)), LIMITS)
    np.testing.assert_array_equal(empty.positions, plan.positions)


def test_given_an_arm_at_rest_and_nothing_to_do_it_stays():
    plan = brake(HOME, LIMITS)
    assert_complete(plan, HOME)
    np.testing.assert_array_equal(plan.positions, np.broadcast_to(HOME.positions, plan.positions.shape))


def test_given_the_same_input_the_plan_is_the_same_bit_for_bit():
    wild = np.random.default_rng(3).uniform(-3, 3, (16, 6))
    first, second = (shape(HOME, DUE, wild, LIMITS) for _ in range(2))
    for name in ('times', 'positions', 'velocities', 'accelerations'):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_given_numbers_that_are_not_finite_or_do_not_fit_it_says_so():
    bad = np.zeros((16, 6))
    bad[3, 2] = np.nan
    with pytest.raises(VlaError, match='not finite'):
        shape(HOME, DUE, bad, LIMITS)
    with pytest.raises(VlaError, match='way-points'):
        shape(HOME, DUE, np.zeros((16, 5)), LIMITS)
    with pytest.raises(VlaError, match='way-points'):
        shape(HOME, DUE[:3], np.zeros((16, 6)), LIMITS)


def test_given_a_horizon_or_a_speed_beyond_all_reason_it_says_so():
    with pytest.raises(VlaError, match='too long'):
        shape(HOME, np.array([1000.0]), HOME.positions[None], LIMITS)
    with pytest.raises(VlaError, match='too long'):
        brake(PlannedState(HOME.positions, np.full(6, 1e4), np.zeros(6)), LIMITS)
