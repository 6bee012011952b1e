"""Faults where the arm moves: how soon it rests is measured, and a model or a setting that lets it go on is caught."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import command_line
import numpy as np
import pytest
from replay_bags import GO, NO, make_model, ros_messages, stream, write_bag

from vla_ros.evaluation.recording import Recording
from vla_ros.evaluation.replay.faults import KINDS, inject
from vla_ros.evaluation.replay.lockstep import lockstep
from vla_ros.evaluation.replay.stream import Joints
from vla_ros.evaluation.replay.strikes import BRAKING, LEAD, moments, seconds_allowed, strike
from vla_ros.evaluation.replay.transcript import timeline
from vla_ros.types import JointTrajectory

LEAST = 3.0


def halves(k: int) -> np.ndarray:
    """A picture whose left is darker than its right, by another amount in each frame."""
    image = np.full((6, 8, 3), 200, np.uint8)
    image[:, :4] = k % 150
    return image


def going_on(seconds: float) -> list[Any]:
    """An arm whose joints go on at 0.2 rad/s, and cameras that show something."""
    found = []
    for message in stream(seconds, image=halves):
        if isinstance(message, Joints):
            place = np.full(2, 0.2e-9 * message.at - 0.7)
            message = replace(message, sample=replace(message.sample, positions=place))
        found.append(message)
    return found


def struck(kind: str, seconds: float, **settings: Any):
    """How a model does with a kind of fault in that many seconds."""
    model = make_model(min_contrast=LEAST, **settings)

    def run(faults):
        messages = going_on(seconds)
        for fault in faults:
            messages = list(inject(messages, fault))
        return lockstep(messages, model)

    (found,) = strike(run, run(()), model, (kind,))
    return found


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_given_any_fault_while_the_arm_moves_then_it_rests_in_time_and_something_is_counted(
    kind: str,
) -> None:
    found = struck(kind, 7.0)

    assert found.passed is True
    assert all(rest.moved for rest in found.rests)
    assert found.counted != {}


@pytest.mark.parametrize(
    ('kind', 'setting'),
    [('frozen_camera', {'max_unseen_motion': 0.0}), ('black_camera', {'min_contrast': 0.0})],
)
def test_given_a_setting_that_believes_every_picture_then_the_fault_is_not_noticed_and_does_not_pass(
    kind: str, setting: dict[str, float]
) -> None:
    model = make_model(**{'min_contrast': LEAST, **setting})

    def run(faults):
        messages = going_on(5.0)
        for fault in faults:
            messages = list(inject(messages, fault))
        return lockstep(messages, model)

    (found,) = strike(run, run(()), model, (kind,))

    assert found.passed is False
    assert [rest.seconds_to_rest for rest in found.rests] == [None]


def test_the_arm_may_go_on_for_the_age_that_is_allowed_and_a_brake() -> None:
    model = make_model()
    guard = model.make_planner().settings.guard

    assert seconds_allowed('camera_gap', model) == guard.max_observation_age + BRAKING
    assert seconds_allowed('joints_gap', model) == guard.max_joint_state_age + BRAKING
    assert seconds_allowed('thought_gap', model) == guard.max_thought_age + BRAKING
    assert seconds_allowed('clock_back', model) == BRAKING


def moving(*stretches: tuple[float, float]) -> Recording:
    """A run in which one joint is commanded to move at 1 rad/s from each beginning to each end."""
    plans = []
    for begin, end in stretches:
        knots = np.array([0.0, end - begin])
        plan = JointTrajectory(('pan',), knots, knots[:, None], np.ones((2, 1)), np.zeros((2, 1)))
        plans.append((begin, plan))
    return Recording(joint_names=('pan',), joints=timeline([(0.0, np.zeros(1))]), plans=timeline(plans))


def test_moments_are_in_motions_that_go_on_for_long_enough_and_not_too_near_to_each_other() -> None:
    run = moving((1.0, 1.4), (2.0, 4.0), (5.0, 7.0), (9.0, 11.0))

    assert moments(run, 12.0, lasting=1.0, apart=0.0) == pytest.approx(
        [2 + LEAD, 5 + LEAD, 9 + LEAD], abs=0.011
    )
    assert moments(run, 12.0, lasting=1.0, apart=4.0) == pytest.approx([2 + LEAD, 9 + LEAD], abs=0.011)
    assert moments(run, 12.0, lasting=3.0, apart=0.0) == []
    assert moments(run, 10.0, lasting=1.0, apart=0.0) == pytest.approx([2 + LEAD, 5 + LEAD], abs=0.011)


def test_a_short_rest_between_two_plans_does_not_end_a_motion() -> None:
    assert moments(moving((1.0, 2.0), (2.1, 4.0)), 5.0, 2.0, 0.0) == pytest.approx([1 + LEAD], abs=0.011)
    assert moments(moving((1.0, 2.0), (2.5, 4.0)), 5.0, 2.0, 0.0) == []


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command with a model without weights; its exit code."""

    def run(*arguments: object, **settings: Any) -> int:
        monkeypatch.setattr('vla_ros.evaluation.replay.model.load_model', lambda *_: make_model(**settings))
        return command_line.run(monkeypatch, 'eval', 'replay', *arguments)

    return run


def test_the_command_tells_each_fault_in_numbers_and_fails_when_one_is_not_noticed(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_bag(tmp_path / 'kitchen', ros_messages(4.0))

    # Nobody can see that such pictures are frozen or black: they have one colour, and the arm of the bag is at rest.
    assert run(bag, '--json', tmp_path / 'r.json') == 1

    assert 'joints_gap' in capsys.readouterr().out
    result = json.loads((tmp_path / 'r.json').read_text())
    rows = {row['kind']: row for row in result['kinds']}
    assert rows.keys() == KINDS.keys()
    assert (rows['joints_gap']['passed'], rows['frozen_camera']['passed']) == (True, False)
    assert rows['joints_gap']['seconds_to_rest']['largest'] <= rows['joints_gap']['seconds_allowed']
    assert rows['frozen_camera']['seconds_to_rest'] == {'never': 1}
    assert rows['thought_gap']['passed'] is None, 'the bag is too short for that'
    assert result['without_faults']['against'] == 'nothing'


def test_a_bag_in_which_nothing_moves_cannot_be_struck(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag = write_bag(tmp_path / 'kitchen', ros_messages(2.0))

    assert run(bag, '--instruction', NO) == 2
    assert 'found none' in capsys.readouterr().err
    assert run('/no/such/bag', '--instruction', GO) == 2
