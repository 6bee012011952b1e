"""What the motion makes of clocks that go wrong: it brakes, and by a clock only if that is right."""

from __future__ import annotations

import numpy as np
import pytest
from motion_bench import SETTINGS, Bench, is_brake

from vla_ros.action.stitch import ExecutingPlan, planned_state
from vla_ros.types import NANOSECONDS, JointSample


def brake_of(bench: Bench) -> ExecutingPlan:
    bench.motion.stop()
    plan, brake = bench.sent
    assert is_brake(brake)
    return brake


def moving(stamp_seconds: float = 0.0) -> Bench:
    """Moving for 0.3 s; the joints that came last are stamped so much later than the clock says."""
    bench = Bench().moving()
    bench.later(0.3)
    stamp = bench.now + round(stamp_seconds * NANOSECONDS)
    bench.motion.hear_joints(JointSample(stamp, np.full(2, 0.15), np.zeros(2)))
    return bench


@pytest.mark.parametrize(('seconds', 'ahead'), [(-0.19, 0.0), (0.0, 0.0), (0.04, 0.04), (0.19, 0.19)])
def test_given_joints_by_our_clock_a_brake_says_when_it_begins(seconds: float, ahead: float) -> None:
    """By the clock of the joints, the controller's, if ours is behind: it may have stood still for a moment."""
    bench = moving(seconds)
    brake = brake_of(bench)
    begins = brake.stamp + brake.lead_in
    assert begins == bench.now + round(ahead * NANOSECONDS) + 10_000_000
    np.testing.assert_allclose(
        planned_state(brake, begins).positions, planned_state(bench.sent[0], begins).positions, atol=1e-9
    )


def test_given_joints_that_became_old_meanwhile_their_clock_still_counts() -> None:
    bench = moving()
    bench.later(0.21)
    assert brake_of(bench).stamped


@pytest.mark.parametrize('seconds', [0.21, 1.0, 1000.0, -0.21])
def test_given_joints_by_another_clock_a_brake_begins_on_arrival(seconds: float) -> None:
    """By the stamp it would be over before it came, or be waited for."""
    assert brake_of(moving(seconds)).stamp == 0


def test_given_joints_that_go_back_a_brake_begins_on_arrival() -> None:
    bench = moving()
    bench.motion.hear_joints(JointSample(bench.now - NANOSECONDS, np.full(2, 0.15), np.zeros(2)))
    plan, brake = bench.sent
    assert is_brake(brake)
    assert brake.stamp == 0


def test_given_a_clock_that_jumped_the_brake_begins_on_arrival() -> None:
    bench = moving()
    bench.motion.lose_time()
    assert bench.sent[-1].stamp == 0


def test_given_no_joints_heard_since_it_began_nothing_is_known_of_clocks() -> None:
    bench = Bench().moving()
    bench.motion.begin(bench.planner, enabled=False)
    assert bench.motion.stamps()['joint state'] is None


def test_a_clock_that_went_back_disarms_and_brakes_from_where_the_plan_was_before() -> None:
    bench = Bench().moving()
    bench.later(0.3)
    bench.hear([0.1, 0.1])
    bench.later(-5.0)
    assert bench.motion.clock_went_back

    bench.motion.lose_time()

    plan, brake = bench.sent
    assert is_brake(brake)
    before = np.interp(0.3, plan.trajectory.times, plan.trajectory.positions[:, 0])
    assert brake.trajectory.positions[0, 0] == pytest.approx(before, abs=0.02)
    assert not bench.motion.enabled
    assert not bench.motion.is_moving
    assert not bench.motion.clock_went_back


def test_a_brake_after_the_clock_went_back_unnoticed_begins_where_the_plan_was_before() -> None:
    bench = Bench().moving()
    bench.later(0.3)
    bench.hear([0.1, 0.1])
    bench.later(-0.2)

    bench.motion.stop()

    plan, brake = bench.sent
    before = np.interp(0.3, plan.trajectory.times, plan.trajectory.positions[:, 0])
    assert brake.trajectory.positions[0, 0] == pytest.approx(before, abs=0.02)


@pytest.mark.parametrize(('seconds', 'back'), [(0.02, False), (0.2, True)])
def test_a_clock_goes_back_if_it_does_so_by_more_than_stamps_may_be_apart(seconds: float, back: bool) -> None:
    bench = Bench().moving()
    bench.motion.watch(SETTINGS)
    bench.later(-seconds)
    assert bench.motion.clock_went_back is back
