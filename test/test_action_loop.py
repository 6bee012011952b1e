"""Chunk to stitch to shape to guard to controller to a lagging arm, and round again: the motion stays smooth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from vla_ros.action.guard import Circumstances, Guard
from vla_ros.action.limits import load_limits
from vla_ros.action.shape import shape
from vla_ros.action.stitch import ExecutingPlan, StitchSettings, stitch
from vla_ros.sim.controller_settings import JAZZY
from vla_ros.sim.joint_trajectory_controller import JointTrajectoryController
from vla_ros.sim.trajectory_message import TrajectoryMessage, TrajectoryPoint
from vla_ros.types import ActionChunk, DoubleArray, JointSample, JointTrajectory

JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
LIMITS = load_limits(Path(__file__).parents[1] / 'config' / 'joint_limits.yaml', JOINTS)
HOME = np.array([0.0, -1.35, 1.25, 0.95, 0.0, 0.3])
MS = 1_000_000
PERIOD = 5  # ms, of the controller
SERVO = 0.023  # s by which the arm lags behind its command


@dataclass(frozen=True)
class Motion:
    """What the controller commanded, (S, 6) every PERIOD, and how far it was from the truth."""

    positions: DoubleArray
    velocities: DoubleArray
    errors: DoubleArray


def reference(milliseconds: float) -> DoubleArray:
    """0.64 rad in one second, 1.2 rad/s in the middle, after half a second of rest."""
    u = np.clip((milliseconds - 500) / 1000, 0, 1)
    travelled = 0.64 * (10 * u**3 - 15 * u**4 + 6 * u**5)
    return HOME + travelled * np.array([1, 1, -1, -1, 1, 1])


def message(plan: JointTrajectory, stamp: int) -> TrajectoryMessage:
    rows = zip(plan.times, plan.positions, plan.velocities, plan.accelerations, strict=True)
    points = tuple(TrajectoryPoint(tuple(p), tuple(v), tuple(a), float(t)) for t, p, v, a in rows)
    return TrajectoryMessage(stamp, plan.joint_names, points)


def run(
    *,
    desired: bool,
    transport: Callable[[int], int] = lambda turn: 10,
    stamped: bool = False,
    dies_at: int | None = None,
    duration: int = 2500,
) -> Motion:
    """Replan every 100 ms from chunks that are 80 ms old and noisy (0.01 rad); all times in ms."""
    generator = np.random.default_rng(0)
    guard = Guard(LIMITS)
    controller = JointTrajectoryController(
        JOINTS, replace(JAZZY, interpolate_from_desired_state=desired), update_period_ns=PERIOD * MS
    )
    began = 1_000_000 * MS
    arm, speed = HOME.copy(), np.zeros(6)
    plan: ExecutingPlan | None = None
    sent: list[tuple[int, TrajectoryMessage]] = []
    commands = []
    for at in range(0, duration, PERIOD):
        now = began + at * MS
        if at % 100 == 0 and (dies_at is None or at < dies_at):
            wanted = np.stack([reference(at - 80 + 50 * (i + 1)) for i in range(16)])
            chunk = ActionChunk(now - 80 * MS, 0.05, wanted + 0.01 * generator.standard_normal((16, 6)))
            measured = JointSample(now, arm, speed)
            # A stamp in the future would make the controller forget the old plan before the new one begins.
            settings = StitchSettings(transport_lead=0.0 if stamped else 0.01)
            stitched = stitch(chunk, now=now, plan=plan, measured=measured, settings=settings)
            trajectory = shape(stitched.start, stitched.times, stitched.positions, LIMITS)
            calm = Circumstances(now, True, False, False, chunk.stamp, chunk.stamp, measured)
            assert guard.check(trajectory, calm) is None
            plan = ExecutingPlan(trajectory, stitched.starts)
            sent.append((at + transport(at // 100), message(trajectory, stitched.starts if stamped else 0)))
        while sent and sent[0][0] <= at:
            controller.accept(sent.pop(0)[1], now)
        positions, velocities = controller.sample(now, arm, speed)
        moved = arm + (positions - arm) * (1 - np.exp(-PERIOD / 1000 / SERVO))
        speed, arm = (moved - arm) / (PERIOD / 1000), moved
        commands.append((positions, velocities))
    path, speeds = (np.array(column) for column in zip(*commands, strict=True))
    truth = np.stack([reference(at + PERIOD) for at in range(0, duration, PERIOD)])
    return Motion(path, speeds, path - truth)


def accelerations(motion: Motion) -> DoubleArray:
    """Second differences of the commanded positions: a jump of the command shows as a spike."""
    return np.abs(np.diff(motion.positions, 2, axis=0)) / (PERIOD / 1000) ** 2


@pytest.mark.parametrize('desired', [False, True])
def test_given_messages_that_arrive_when_foreseen_the_command_is_smooth_and_near_the_truth(desired: bool):
    """Whether the controller starts from the measured or the desired state does not matter."""
    motion = run(desired=desired)
    assert np.abs(motion.errors).max() < 0.02
    assert accelerations(motion).max() < 6.0
    assert np.abs(motion.velocities).max() < 1.4


def test_given_stamped_messages_their_delay_does_not_matter():
    delays = [0, 5, 10, 15, 20]
    motion = run(desired=False, stamped=True, transport=lambda turn: delays[turn % 5])
    assert np.abs(motion.errors).max() < 0.02
    assert accelerations(motion).max() < 6.0


def test_given_messages_that_start_on_arrival_the_command_jumps_by_the_way_of_the_delay_at_most():
    delays = [0, 20, 10, 15, 5]
    motion = run(desired=False, transport=lambda turn: delays[turn % 5])
    steps = np.abs(np.diff(motion.positions, axis=0))
    assert steps.max() < (PERIOD / 1000 + 0.020) * 1.3


def test_given_everything_upstream_dies_in_full_motion_the_arm_comes_to_rest():
    motion = run(desired=False, dies_at=1000)
    assert np.abs(motion.velocities[1000 // PERIOD]).max() > 1.0
    np.testing.assert_array_equal(motion.velocities[-1], 0.0)
    assert accelerations(motion).max() < LIMITS.max_acceleration.max()


def test_given_the_same_chunks_the_same_commands_come_out_bit_for_bit():
    first, second = run(desired=True, duration=600), run(desired=True, duration=600)
    np.testing.assert_array_equal(first.positions, second.positions)
