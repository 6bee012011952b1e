"""An arm is at rest when it has stopped and stays so: the verdict on one that moves on must fail."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vla_ros.action.limits import load_limits
from vla_ros.evaluation.motion_log import RECORD, Motion, MotionWriter, read_motion, steps_written
from vla_ros.evaluation.rest import (
    COMMAND_JUMP,
    POSITION_SLACK,
    REST_SPEED,
    SPEED_OVER,
    STAYS,
    limits_exceeded,
    rest_time,
)
from vla_ros.paths import config_file
from vla_ros.sim.model import JOINT_NAMES

STEP = 0.005
LIMITS = load_limits(config_file('joint_limits.yaml'), JOINT_NAMES)
TIMES = np.arange(0.0, 3.0, STEP)


def stops_at(second: float) -> np.ndarray:
    return np.where(second > TIMES, 1.0, 0.0)


def rest_of(speeds: np.ndarray) -> float | None:
    """When one joint of these speeds is at rest."""
    return rest_time(TIMES, np.cumsum(speeds)[:, None] * STEP, speeds[:, None])


def arm(positions: np.ndarray, joint: int = 1) -> Motion:
    """An arm one joint of which moves; its command is where it is."""
    count = len(positions)
    places = np.zeros((count, len(JOINT_NAMES)))
    places[:, joint] = positions
    rates = np.gradient(places, STEP, axis=0)
    times = np.arange(count) * STEP
    plans = np.zeros(count, np.int64)
    return Motion(times + 1e9, times, plans, np.zeros(count), places, rates, places.copy())


def test_given_an_arm_that_stops_then_it_is_at_rest_from_then_on() -> None:
    assert rest_of(stops_at(1.0)) == pytest.approx(1.0, abs=STEP)


@pytest.mark.parametrize(
    ('speeds', 'why'),
    [
        (np.ones_like(TIMES), 'never stops'),
        (stops_at(3.0 - STAYS + 0.1), 'has stopped only just now'),
        (np.where(np.abs(TIMES - 1.5) < 0.5, 0.0, 1.0), 'pauses and moves on'),
        (np.full_like(TIMES, 1.1 * REST_SPEED), 'creeps'),
        (np.where(TIMES > 2.9, np.nan, 0.0), 'is nobody knows where'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_given_an_arm_that_does_not_stay_at_rest_then_it_is_none(speeds: np.ndarray, why: str) -> None:
    assert rest_of(speeds) is None


def test_given_a_twitch_after_the_stop_then_rest_begins_after_the_twitch() -> None:
    speeds = stops_at(1.0)
    speeds[300:320] = 0.3  # over 30 mrad

    assert rest_of(speeds) == pytest.approx(TIMES[320])


def test_given_an_arm_that_leans_on_something_and_trembles_then_it_is_at_rest() -> None:
    leans_from = 200
    speeds = np.where(np.arange(len(TIMES)) < leans_from, 0.5, 0.09 * np.cos(90.0 * TIMES))  # by 1 mrad

    found = rest_of(speeds)

    assert np.abs(speeds[leans_from:]).max() > REST_SPEED
    assert found is not None
    assert TIMES[leans_from] <= found <= TIMES[leans_from] + SPEED_OVER


def test_given_no_velocities_then_the_way_decides() -> None:
    unknown = np.full((len(TIMES), 1), np.inf)

    assert rest_time(TIMES, np.zeros((len(TIMES), 1)), unknown) == pytest.approx(SPEED_OVER, abs=STEP)
    assert rest_time(TIMES, TIMES[:, None], unknown) is None


def test_given_nothing_seen_then_it_is_not_at_rest() -> None:
    assert rest_time(np.zeros(0), np.zeros((0, 1)), np.zeros((0, 1))) is None


def test_given_a_motion_within_the_limits_then_nothing_is_exceeded() -> None:
    assert limits_exceeded(arm(0.5 * np.sin(TIMES)), LIMITS) == []


@pytest.mark.parametrize(
    ('positions', 'says'),
    [
        (np.full(600, LIMITS.max_position[1] + 2 * POSITION_SLACK), 'outside of its limits'),
        (12 * LIMITS.max_velocity[1] * np.arange(12) * STEP, 'commanded to jump'),
        (np.where(np.arange(600) < 300, 0.0, 2 * COMMAND_JUMP), 'commanded to jump'),
    ],
)
def test_given_a_limit_that_is_exceeded_then_the_joint_is_named(positions: np.ndarray, says: str) -> None:
    found = limits_exceeded(arm(positions), LIMITS)

    assert any(sentence.startswith(JOINT_NAMES[1]) and says in sentence for sentence in found)


def test_what_the_simulator_writes_is_read_while_the_file_grows(tmp_path: Path) -> None:
    path = tmp_path / 'log' / 'motion.bin'
    writer = MotionWriter(path)
    joints = len(JOINT_NAMES)
    for i in range(3):
        writer.add(
            wall=10**9 * i,
            time=5_000_000 * i,
            plans=i,
            plan_end=7 * 10**9,
            positions=np.full(joints, 0.1 * i),
            velocities=np.full(joints, -0.2 * i),
            command=np.full(joints, 0.3 * i),
        )
    with path.open('ab') as file:
        file.write(bytes(RECORD.itemsize // 2))

    motion = read_motion(path, start=1)

    assert steps_written(path) == 3
    assert len(motion) == 2
    assert motion.times.tolist() == [0.005, 0.01]
    assert motion.plans.tolist() == [1, 2]
    assert motion.plan_ends.tolist() == [7.0, 7.0]
    assert motion.speeds.tolist() == pytest.approx([0.2, 0.4])
    assert motion.commands[1] == pytest.approx(np.full(joints, 0.6))
    assert motion.time_at(1.5) == pytest.approx(0.0075)
    assert len(motion.since(0.01)) == 1
    writer.close()
    assert len(read_motion(tmp_path / 'none')) == 0
