"""Joint limits: MoveIt's keys in, arrays out, or one sentence that says what to mend."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from vla_ros.action.limits import absurdities, load_limits
from vla_ros.types import VlaError

SHIPPED = Path(__file__).parents[1] / 'config' / 'joint_limits.yaml'
SO101 = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')

ELBOW = {
    'has_position_limits': True,
    'min_position': -1.0,
    'max_position': 2,
    'has_velocity_limits': True,
    'max_velocity': 1.5,
    'has_acceleration_limits': True,
    'max_acceleration': 10.0,
    'has_jerk_limits': True,
    'max_jerk': 100.0,
}


def written(folder: Path, content: Any) -> Path:
    path = folder / 'joint_limits.yaml'
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_given_a_file_the_limits_come_in_the_order_asked_for(tmp_path: Path):
    wrist = ELBOW | {'min_position': -0.5, 'max_velocity': 3.0}
    path = written(tmp_path, {'joint_limits': {'elbow': ELBOW, 'wrist': wrist, 'unused': {}}})
    limits = load_limits(path, ['wrist', 'elbow'])
    assert limits.names == ('wrist', 'elbow')
    np.testing.assert_array_equal(limits.min_position, [-0.5, -1.0])
    np.testing.assert_array_equal(limits.max_position, [2.0, 2.0])
    np.testing.assert_array_equal(limits.max_velocity, [3.0, 1.5])
    np.testing.assert_array_equal(limits.max_acceleration, [10.0, 10.0])
    np.testing.assert_array_equal(limits.max_jerk, [100.0, 100.0])


def test_given_a_joint_that_turns_freely_its_positions_are_unlimited(tmp_path: Path):
    path = written(tmp_path, {'joint_limits': {'elbow': ELBOW | {'has_position_limits': False}}})
    limits = load_limits(path, ['elbow'])
    assert (limits.min_position[0], limits.max_position[0]) == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        ({'has_velocity_limits': False}, 'elbow.has_velocity_limits'),
        ({'has_acceleration_limits': False}, 'elbow.has_acceleration_limits'),
        ({'has_jerk_limits': None}, 'elbow.has_jerk_limits'),
        ({'has_position_limits': 'yes please'}, 'elbow.has_position_limits'),
        ({'max_velocity': None}, 'elbow.max_velocity'),
        ({'max_velocity': True}, 'elbow.max_velocity'),
        ({'max_jerk': 'fast'}, 'elbow.max_jerk'),
        ({'max_acceleration': 0.0}, 'elbow.max_acceleration'),
        ({'max_velocity': -1.0}, 'elbow.max_velocity'),
        ({'max_velocity': math.nan}, 'elbow.max_velocity'),
        ({'min_position': -math.inf}, 'elbow.min_position'),
        ({'min_position': 2.0}, 'min_position 2 is not below max_position 2'),
    ],
)
def test_given_a_key_that_cannot_be_meant_the_error_names_it(
    tmp_path: Path, change: dict[str, Any], named: str
):
    path = written(tmp_path, {'joint_limits': {'elbow': ELBOW | change}})
    with pytest.raises(VlaError) as error:
        load_limits(path, ['elbow'])
    assert named in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize('key', sorted(ELBOW))
def test_given_any_key_is_missing_the_error_names_it(tmp_path: Path, key: str):
    entry = copy.copy(ELBOW)
    del entry[key]
    path = written(tmp_path, {'joint_limits': {'elbow': entry}})
    with pytest.raises(VlaError, match=f'elbow.{key}'):
        load_limits(path, ['elbow'])


@pytest.mark.parametrize('content', ['', '[1, 2]', 'joint_limits: 3', '{unclosed', '\x00'])
def test_given_a_file_without_limits_nothing_moves(tmp_path: Path, content: str):
    with pytest.raises(VlaError):
        load_limits(written(tmp_path, content), ['elbow'])


def test_given_no_file_or_no_joint_the_error_says_so(tmp_path: Path):
    with pytest.raises(VlaError, match='cannot be read'):
        load_limits(tmp_path / 'absent.yaml', ['elbow'])
    path = written(tmp_path, {'joint_limits': {'elbow': ELBOW}})
    with pytest.raises(VlaError, match=r'joint_limits\.wrist is missing'):
        load_limits(path, ['elbow', 'wrist'])
    with pytest.raises(VlaError, match='no joint names'):
        load_limits(path, [])


def test_given_the_shipped_file_it_fits_the_arm_and_is_not_absurd():
    limits = load_limits(SHIPPED, SO101)
    rest_pose = np.array([0.0, -1.35, 1.25, 0.95, 0.0, 0.3])
    assert (limits.min_position < rest_pose).all()
    assert (rest_pose < limits.max_position).all()
    assert (limits.max_velocity > 1.2).all()  # what the demonstrations need
    assert absurdities(limits) == []


def test_given_limits_in_degrees_each_absurd_value_is_pointed_out(tmp_path: Path):
    degrees = ELBOW | {'min_position': -90.0, 'max_position': 90.0, 'max_velocity': 120.0}
    path = written(tmp_path, {'joint_limits': {'elbow': degrees}})
    *sentences, last = absurdities(load_limits(path, ['elbow']))
    assert 'no workspace' in last
    assert len(sentences) == 2
    assert all('elbow' in sentence for sentence in sentences)
    assert any('max_velocity' in sentence for sentence in sentences)
    assert any('position range' in sentence for sentence in sentences)
