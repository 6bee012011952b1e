"""Plans that come late, early or by a clock that is wrong: by how much the command of a stock controller jumps.

An arm at constant velocity V replans every 125 ms; a new plan goes on at the same speed. The step of the command from
one update to the next is V * PERIOD then. A plan that begins on arrival is behind by V times what it came late.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from vla_ros.action.limits import JointLimits
from vla_ros.action.motion import Motion
from vla_ros.action.planner import Planner, PlannerSettings
from vla_ros.action.stitch import ExecutingPlan, StitchSettings
from vla_ros.evaluation.closed_loop import trajectory_message
from vla_ros.manifest import ChunkSpec
from vla_ros.sim.controller_settings import JAZZY, RELEASES, ControllerSettings
from vla_ros.sim.joint_trajectory_controller import JointTrajectoryController
from vla_ros.sim.trajectory_message import TrajectoryRejected
from vla_ros.types import NANOSECONDS, ActionChunk, DoubleArray, JointSample, Thought, VisualTokens

MS = 1_000_000
PERIOD = 10 * MS
REPLAN = 120 * MS
V = 1.0  # rad/s
LIMITS = JointLimits(
    ('pan',), -6.0 * np.ones(1), 6.0 * np.ones(1), 2.0 * np.ones(1), 12.0 * np.ones(1), 150.0 * np.ones(1)
)
TOKENS = np.zeros((1, 1), np.float32)


class Straight:
    """Wants the joint at V from 100 s on."""

    providers = ('none',)

    def act(self, tokens, thought, joints, noise, prefix=None) -> ActionChunk:
        due = tokens.stamp - 100 * NANOSECONDS + np.arange(1, 17) * 50 * MS
        return ActionChunk(tokens.stamp, 0.05, V * due[:, None] / NANOSECONDS)

    def warm_up(self) -> None:
        pass


def commands(
    delay: Callable[[int, bool], int],
    *,
    stamp_plans: bool,
    offset: int = 0,
    desired: bool = False,
    release: ControllerSettings = JAZZY,
    brake_at: int | None = None,
    lead: float = 0.01,
    lag: int = 30 * MS,
) -> DoubleArray:
    """What a controller commands at each update of 1.5 s, in rad.

    Args:
        delay: ns from sending message number i, which is a brake or not, to the controller.
        offset: ns by which the controller's clock, which stamps the joints, is ahead of the planner's.
        brake_at: ms after which a person says stop.
        lead: s that the planner allows for the way to the controller.
        lag: ns by which the arm is behind its command.
    """
    now = 100 * NANOSECONDS
    way: list[tuple[int, ExecutingPlan]] = []
    sent = 0

    def send(plan: ExecutingPlan) -> None:
        nonlocal sent
        way.append((now + delay(sent, not plan.chunks), plan))
        sent += 1

    motion = Motion(lambda: now, send, lambda _: None)
    spec = ChunkSpec(horizon=16, dt=0.05, representation='absolute', prefix=0)
    settings = PlannerSettings(stamp_plans=stamp_plans, stitch=StitchSettings(transport_lead=lead))
    motion.begin(Planner(Straight(), spec, LIMITS, settings), enabled=True)
    controller = JointTrajectoryController(
        ('pan',), replace(release, interpolate_from_desired_state=desired), update_period_ns=PERIOD
    )
    result = [np.zeros(1)] * (lag // PERIOD + 1)
    for tick in range(150):
        arm = result[-1 - lag // PERIOD]
        speed = (arm - result[max(-2 - lag // PERIOD, -len(result))]) / (PERIOD / NANOSECONDS)
        if tick % 2 == 0:
            motion.hear_joints(JointSample(now + offset, arm, speed))
        motion.hear_thought(Thought(now, np.ones((1, 1), np.float32)))
        if brake_at is not None and tick * PERIOD == brake_at * MS:
            motion.stop()
        elif now % REPLAN == 0:
            motion.plan(VisualTokens(now, TOKENS), settings)
        while way and way[0][0] <= now:
            message = trajectory_message(way.pop(0)[1])
            with contextlib.suppress(TrajectoryRejected):
                controller.accept(message, now + offset)
        result.append(controller.sample(now + offset, arm, speed)[0])
        now += PERIOD
    return np.array(result)[lag // PERIOD + 1 :, 0]


def jumps(path: DoubleArray) -> float:
    """The largest change from one step to the next, in rad; within the limits it is small."""
    return float(np.abs(np.diff(path, 2)).max())


STEADY = 60  # updates after which the joint has caught up and moves at V
CALM = 12.0 * (PERIOD / NANOSECONDS) ** 2  # rad: the acceleration limit over one update


@pytest.mark.parametrize('release', RELEASES.values(), ids=RELEASES)
@pytest.mark.parametrize('stamp_plans', [False, True])
def test_given_plans_that_come_when_foreseen_the_command_does_not_jump(
    stamp_plans: bool, release: ControllerSettings
):
    path = commands(lambda *_: 10 * MS, stamp_plans=stamp_plans, release=release)
    assert jumps(path) <= CALM
    assert path[-1] - path[-20] == pytest.approx(V * 0.19, abs=0.02)


@pytest.mark.parametrize('late', [20, 50, 100])
def test_given_a_plan_that_comes_late_it_is_behind_by_that_if_it_begins_on_arrival(late: int):
    def delay(message: int, _is_brake: bool) -> int:
        return (10 + late * (message % 2)) * MS

    path = commands(delay, stamp_plans=False)[STEADY:]
    assert jumps(path) == pytest.approx(V * late / 1000, rel=0.15)


@pytest.mark.parametrize('late', [20, 50, 100])
def test_given_a_plan_that_comes_late_with_a_stamp_the_command_does_not_jump(late: int):
    def delay(message: int, _is_brake: bool) -> int:
        return (10 + late * (message % 2)) * MS

    assert jumps(commands(delay, stamp_plans=True)[STEADY:]) <= CALM


@pytest.mark.parametrize('late', [20, 50, 100])
def test_given_a_brake_that_comes_late_the_stamp_leaves_what_the_brake_has_done_meanwhile(late: int):
    """On arrival: back by the way of the delay. By the stamp: at most the jerk limit's V-shaped start of the brake."""

    def delay(_message: int, is_brake: bool) -> int:
        return (10 + late * is_brake) * MS

    arrives, by_stamp = (
        jumps(commands(delay, stamp_plans=stamp_plans, brake_at=1000)[STEADY:])
        for stamp_plans in (False, True)
    )
    seconds = late / 1000
    assert by_stamp <= min(150.0 * seconds**3 / 6, 12.0 * seconds**2 / 2) + CALM
    assert arrives == pytest.approx(V * seconds, abs=by_stamp + CALM)


@pytest.mark.parametrize('desired', [False, True])
@pytest.mark.parametrize('late', [0, 20, 50])
def test_given_a_lead_that_is_longer_than_the_way_a_brake_with_a_stamp_is_seamless(late: int, desired: bool):
    """It comes early then, and the controller does not go back to where the arm is measured."""
    path = commands(lambda *_: (10 + late) * MS, stamp_plans=True, brake_at=1000, lead=0.06, desired=desired)
    assert jumps(path[STEADY:]) <= CALM


@pytest.mark.parametrize('release', RELEASES.values(), ids=RELEASES)
@pytest.mark.parametrize('desired', [False, True])
@pytest.mark.parametrize('offset', [-150, -60, -20, 20, 45])
def test_given_a_clock_that_differs_by_no_more_than_is_tolerated_the_command_does_not_jump(
    offset: int, desired: bool, release: ControllerSettings
):
    """Wherever the controller begins to interpolate: the first point is past for it, as the joint states show."""
    path = commands(lambda *_: 2 * MS, stamp_plans=True, offset=offset * MS, desired=desired, release=release)
    assert jumps(path[STEADY:]) <= CALM
    assert path[-1] - path[-20] == pytest.approx(V * 0.19, abs=0.02)


@pytest.mark.parametrize('stamp_plans', [False, True])
@pytest.mark.parametrize('offset', [-1000, 1000, -250, 80])
def test_given_a_clock_that_is_wrong_the_arm_does_not_move_at_all(offset: int, stamp_plans: bool):
    assert not commands(lambda *_: 10 * MS, stamp_plans=stamp_plans, offset=offset * MS).any()


@pytest.mark.parametrize('stamp_plans', [False, True])
def test_given_a_brake_it_ends_at_rest_sooner_than_the_plan_would(stamp_plans: bool):
    path = commands(lambda *_: 10 * MS, stamp_plans=stamp_plans, brake_at=700)
    assert np.abs(np.diff(path[95:])).max() == 0.0


@pytest.mark.parametrize('release', RELEASES.values(), ids=RELEASES)
@pytest.mark.parametrize('late', [350, 500])
@pytest.mark.parametrize('stamp_plans', [False, True])
def test_given_a_brake_that_comes_after_its_own_end_the_plan_before_does_not_go_on(
    stamp_plans: bool, late: int, release: ControllerSettings
):
    """The stop takes 0.2 s; a controller refuses what has ended by its stamp, and the plan has 0.8 s to go."""

    def delay(_message: int, is_brake: bool) -> int:
        return (10 + late * is_brake) * MS

    path = commands(delay, stamp_plans=stamp_plans, brake_at=600, release=release)
    heard = 60 + 1 + late // 10  # the update that knows of the brake
    assert np.abs(np.diff(path[heard + 25 :])).max() == 0.0
    assert path[-1] <= path[60] + 0.2 * V  # where the stop was to end
