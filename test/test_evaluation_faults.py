"""The table of faults and its verdicts: each row can fail, and fails for what it is there to find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml
from test_evaluation_rest import LIMITS

from vla_ros.evaluation import faults
from vla_ros.evaluation.fault_report import fault_report
from vla_ros.evaluation.fault_verdict import (
    HELD,
    REST_WITHIN,
    WINDOW,
    Detection,
    Trial,
    is_inconclusive,
    judge,
    longest_wait,
)
from vla_ros.evaluation.faults import FAULTS, Expected, Signal, Spoil, choose
from vla_ros.evaluation.motion_log import Motion
from vla_ros.paths import config_file
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.types import VlaError

EPOCH = 1e9
STRUCK = 1.0
BY_NAME = {fault.name: fault for fault in FAULTS}
PEER, AGED, DIES, CONTROL = (
    BY_NAME[name] for name in ('reasoning_killed', 'cameras_silent', 'action_killed', 'control')
)


def moving_until(
    second: float, *, speed: float = 0.5, factor: float = 1.0, plan_every: float = 0.2, length: float = 6.0
) -> Motion:
    """An arm that stops at a time of the simulation, which passes ``factor`` times as fast as the wall's."""
    times = np.arange(0.0, length, 0.005)
    velocities = np.zeros((len(times), len(JOINT_NAMES)))
    velocities[:, 1] = np.where(times < second, speed, 0.0)
    positions = np.array([0.0, -1.5, 0.0, 0.0, 0.0, 0.0]) + np.cumsum(velocities, axis=0) * 0.005
    plans = np.floor(np.minimum(times, second) / plan_every).astype(np.int64)
    ends = np.full(len(times), second)
    return Motion(EPOCH + times / factor, times, plans, ends, positions, velocities, positions.copy())


def braked(after: float, reason: str, factor: float = 1.0) -> tuple[Detection, ...]:
    return (Detection(EPOCH + (STRUCK + after) / factor, 'action', reason),)


def trial(motion: Motion, brakes: tuple[Detection, ...] = (), factor: float = 1.0, **more: object) -> Trial:
    return Trial(EPOCH + STRUCK / factor, motion, brakes, recovered=True, **more)  # type: ignore[arg-type]


LOST = 'reasoning shows no life'
OLD = 'The observation is 0.510 s old; the most is 0.5 s.'
GOOD_PEER = trial(moving_until(1.35), braked(0.2, LOST))
GOOD_AGED = trial(moving_until(1.70), braked(0.5, OLD))
GOOD_DIES = trial(moving_until(1.80))
GOOD_CONTROL = trial(moving_until(9.0))


@pytest.mark.parametrize(
    ('fault', 'seen'), [(PEER, GOOD_PEER), (AGED, GOOD_AGED), (DIES, GOOD_DIES), (CONTROL, GOOD_CONTROL)]
)
def test_given_what_must_come_of_a_fault_then_its_row_passes(fault: faults.Fault, seen: Trial) -> None:
    row = judge(fault, seen, LIMITS)

    assert row.problems == ()
    assert row.passed


def test_the_numbers_of_a_row_are_those_of_the_motion() -> None:
    row = judge(PEER, GOOD_PEER, LIMITS)

    assert row.seconds_to_detect == pytest.approx(0.2, abs=0.006)
    assert row.seconds_to_rest == pytest.approx(0.15, abs=0.006)
    assert row.seconds_from_injection == pytest.approx(0.35, abs=0.006)
    assert row.real_time_factor == 1.0
    assert (row.detected_by, row.reason, row.recovered) == ('action', LOST, True)


MOVES_ON = moving_until(9.0)
WRONG: dict[str, tuple[faults.Fault, Trial, str]] = {
    'never rests': (PEER, trial(MOVES_ON, braked(0.2, LOST)), 'did not come to rest'),
    'rests and moves on': (
        PEER,
        trial(
            replace(
                moving_until(1.3),
                velocities=np.where((MOVES_ON.times > 5.5)[:, None], 0.5, moving_until(1.3).velocities),
                positions=moving_until(1.3).positions + 0.5 * np.maximum(MOVES_ON.times - 5.5, 0.0)[:, None],
            ),
            braked(0.2, LOST),
        ),
        'did not come to rest',
    ),
    'rests late': (PEER, trial(moving_until(1.6), braked(0.2, LOST)), 'at rest 0.400 s later'),
    'found out late': (PEER, trial(moving_until(1.6), braked(0.45, LOST)), 'detected after 0.450 s'),
    'not found out': (PEER, trial(moving_until(1.2)), "braked for 'nothing'"),
    'another reason': (PEER, trial(moving_until(1.35), braked(0.2, OLD)), 'not for the fault'),
    'an age, late': (AGED, trial(moving_until(1.85), braked(0.7, OLD)), 'detected after 0.700 s'),
    'goes on after its plan': (DIES, trial(replace(MOVES_ON, plan_ends=0 * MOVES_ON.times + 1.5)), 'rest'),
    'goes on too long after its plan': (
        DIES,
        trial(replace(moving_until(2.0), plan_ends=0 * MOVES_ON.times + 1.5)),
        'at rest 0.500 s later',
    ),
    'does not go on': (CONTROL, trial(moving_until(1.01)), 'moved 0.0'),
    'is sent nothing': (CONTROL, trial(moving_until(9.0, plan_every=1.0)), '1 plans after the fault'),
    'is braked': (CONTROL, trial(moving_until(9.0), braked(0.4, OLD)), 'braked for'),
    'is not seen': (CONTROL, trial(moving_until(9.0, length=2.0)), 'not seen for long enough'),
    'is not seen at all': (PEER, trial(moving_until(9.0, length=0.0)), 'not seen after the fault'),
    'jumps': (CONTROL, trial(moving_until(1.1, speed=24.0)), 'limit exceeded'),
    'was at rest': (PEER, trial(moving_until(0.5), braked(0.2, LOST)), 'not under way'),
    'does not obey again': (PEER, replace(GOOD_PEER, recovered=False), 'did not obey again'),
    'something else': (PEER, replace(GOOD_PEER, complaint='code 3'), 'code 3'),
}


@pytest.mark.parametrize(('fault', 'seen', 'says'), WRONG.values(), ids=WRONG)
def test_given_what_must_not_come_of_a_fault_then_its_row_fails(
    fault: faults.Fault, seen: Trial, says: str
) -> None:
    row = judge(fault, seen, LIMITS)

    assert not row.passed
    assert any(says in problem for problem in row.problems), row.problems


def test_given_a_slow_world_then_the_death_of_a_node_counts_by_the_wall_and_ages_by_the_world() -> None:
    half = 0.5
    lost = judge(PEER, trial(moving_until(1.3, factor=half), braked(0.2, LOST, half), half), LIMITS)
    aged = judge(AGED, trial(moving_until(1.7, factor=half), braked(0.55, OLD, half), half), LIMITS)

    assert any('detected after 0.400 s' in problem for problem in lost.problems)
    assert aged.passed
    assert aged.real_time_factor == half


def test_given_a_machine_that_is_far_too_busy_then_a_row_that_fails_says_so() -> None:
    seen = trial(moving_until(9.0, factor=0.1), braked(0.2, LOST, 0.1), 0.1)

    assert any('too busy' in problem for problem in judge(PEER, seen, LIMITS).problems)


def test_given_an_arm_that_rested_before_its_plans_were_refused_for_the_fault_then_it_passes() -> None:
    seen = trial(moving_until(1.1), refusals=('action: stale_observation',))

    assert judge(AGED, seen, LIMITS).passed
    assert not judge(AGED, replace(seen, refusals=('action: hold',)), LIMITS).passed


def test_only_what_the_model_did_by_itself_makes_a_row_inconclusive() -> None:
    assert is_inconclusive(judge(CONTROL, trial(moving_until(9.0), braked(0.4, HELD)), LIMITS))
    assert is_inconclusive(judge(AGED, trial(moving_until(1.2), braked(0.1, HELD)), LIMITS))
    assert not is_inconclusive(judge(AGED, trial(MOVES_ON, braked(0.1, HELD)), LIMITS))
    assert not is_inconclusive(judge(PEER, GOOD_PEER, LIMITS))
    assert not is_inconclusive(judge(PEER, replace(GOOD_PEER, recovered=False), LIMITS))


def test_there_are_enough_rows_each_with_a_name_of_its_own_and_one_is_the_control() -> None:
    assert len(BY_NAME) == len(FAULTS) >= 30
    assert FAULTS[0] is CONTROL


def test_every_node_is_killed_stopped_and_ended() -> None:
    signalled = {
        (node, fault.means.number)
        for fault in FAULTS
        if isinstance(fault.means, Signal)
        for node in fault.means.nodes
    }
    nodes, numbers = ('perception', 'reasoning', 'action'), ('SIGKILL', 'SIGSTOP', 'SIGTERM')
    assert signalled == {(node, number) for node in nodes for number in numbers}


def test_a_row_that_brakes_says_for_what_and_how_soon() -> None:
    for fault in FAULTS:
        braking = fault.expected is Expected.BRAKES
        assert bool(fault.reasons) is braking, fault.name
        assert (fault.within > 0) is braking, fault.name
        assert longest_wait(fault) >= (REST_WITHIN if fault.expected is not Expected.GOES_ON else WINDOW)


def test_the_ages_are_those_of_the_parameter_file() -> None:
    file = yaml.safe_load(config_file('vla.params.yaml').read_text(encoding='utf-8'))
    action = file['/**/action']['ros__parameters']
    assert action['max_token_age'] == faults.TOKEN_AGE
    assert action['max_thought_age'] == faults.THOUGHT_AGE
    assert action['max_joint_state_age'] == faults.JOINT_STATE_AGE


def test_some_are_chosen_by_name_in_the_order_of_the_table() -> None:
    assert choose(()) == FAULTS
    assert choose(('reasoning_killed', 'control')) == (CONTROL, PEER)
    with pytest.raises(VlaError, match="found 'gremlins'"):
        choose(('gremlins',))


def test_the_report_counts_what_passed_and_says_by_which_measure() -> None:
    rows = [judge(PEER, GOOD_PEER, LIMITS), judge(CONTROL, trial(moving_until(1.0)), LIMITS)]

    report = fault_report(rows, config_file('vla.params.yaml').parent, 0.0)

    assert (report['faults'], report['passed']) == (2, 1)
    assert report['measure']['seen_every_s'] == 0.005
    assert {'fault', 'passed', 'seconds_to_rest', 'recovered'} <= set(report['rows'][0])


def test_a_spoiled_row_is_named_after_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip('rclpy')
    from vla_ros.nodes.fault_injector import FAULTS as COMMANDS
    from vla_ros.nodes.fault_spoilers import SPOILERS

    spoiled = {fault.means.how for fault in FAULTS if isinstance(fault.means, Spoil)}
    assert spoiled == set(SPOILERS)
    flooded = {f'flood {fault.means.topic}' for fault in FAULTS if isinstance(fault.means, faults.Flood)}
    assert flooded <= set(COMMANDS)
