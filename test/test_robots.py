"""Robots by name: every file loads, its limits are complete and within what is published, and strangers are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from vla_ros.action.limits import absurdities, load_limits
from vla_ros.action.settings import planner_settings
from vla_ros.action.urdf import read_urdf
from vla_ros.bundle import load_bundle
from vla_ros.manifest import Manifest, RobotSpec
from vla_ros.paths import bundle_directory, config_file, share_directory
from vla_ros.robots import (
    START_JUMP,
    Robot,
    for_robot,
    limits_of,
    load_robot,
    require_made_for,
    robot_file,
    robot_names,
)
from vla_ros.types import VlaError

NAMES = ('franka_panda', 'so101', 'ur5e_robotiq', 'viperx_300')
NO_WORKSPACE = 'The file of limits has no workspace: links may go anywhere, through the table, too.'
ROUNDING = 1e-5


@pytest.fixture
def manifest() -> Manifest:
    return load_bundle(bundle_directory('tabletop')).manifest


def made_for(manifest: Manifest, robot: Robot, joints: tuple[str, ...] | None = None) -> Manifest:
    """The manifest of a bundle for another robot."""
    names = joints or robot.joint_names
    spec = RobotSpec(name=robot.name, joints=names, units='rad', rest=(0.0,) * len(names))
    return manifest.model_copy(update={'robot': spec})


def test_the_robots_are_those_that_are_promised() -> None:
    assert robot_names() == NAMES


@pytest.mark.parametrize('name', NAMES)
def test_limits_are_complete_and_nothing_exceeds_what_the_maker_publishes(name: str) -> None:
    robot = load_robot(name)
    limits = load_limits(limits_of(name), robot.joint_names)

    for index, joint in enumerate(robot.joints):
        assert joint.min - ROUNDING <= limits.min_position[index] < limits.max_position[index]
        assert limits.max_position[index] <= joint.max + ROUNDING
        assert limits.max_velocity[index] <= joint.velocity
        assert joint.acceleration is None or limits.max_acceleration[index] <= joint.acceleration
        assert joint.jerk is None or limits.max_jerk[index] <= joint.jerk


@pytest.mark.parametrize('name', NAMES)
def test_limits_look_sensible_and_say_themselves_where_there_is_no_workspace(name: str) -> None:
    limits = load_limits(limits_of(name), load_robot(name).joint_names)

    missing = [] if limits.workspace is not None else [NO_WORKSPACE]
    assert absurdities(limits) == missing
    assert not missing or 'There is no workspace here' in limits_of(name).read_text()


@pytest.mark.parametrize('name', NAMES)
def test_the_arm_rests_within_its_limits(name: str) -> None:
    robot = load_robot(name)
    limits = load_limits(limits_of(name), robot.joint_names)
    rest = np.array([joint.rest for joint in robot.joints])

    assert (limits.min_position <= rest).all() and (rest <= limits.max_position).all()


@pytest.mark.parametrize('name', NAMES)
def test_a_gripper_opens_and_closes_within_its_range_or_is_moved_by_somebody_else(name: str) -> None:
    robot = load_robot(name)
    assert robot.gripper is not None

    assert robot.moves_its_gripper is ('not vla_ros' not in robot.gripper.moved_by)
    if robot.moves_its_gripper:
        (joint,) = [joint for joint in robot.joints if joint.name == robot.gripper.joint]
        assert robot.gripper.unit == 'rad'
        for position in (robot.gripper.open, robot.gripper.closed):
            assert joint.min <= position <= joint.max
        assert joint.start_jump > START_JUMP, 'it would let go of what it holds'


def test_what_is_not_published_is_said_in_the_file_of_limits() -> None:
    for name in NAMES:
        robot = load_robot(name)
        if any(joint.acceleration is None for joint in robot.joints) and name != 'so101':
            assert 'not published' in limits_of(name).read_text()


def test_the_robot_that_comes_along_is_that_of_the_bundle_the_urdf_and_the_controller(
    manifest: Manifest,
) -> None:
    robot = load_robot('so101')
    urdf = {joint.name: joint for joint in read_urdf(share_directory() / robot.urdf.file).values()}
    controllers = yaml.safe_load(config_file('so101_controllers.yaml').read_text())

    assert robot.joint_names == manifest.robot.joints
    assert tuple(joint.rest for joint in robot.joints) == manifest.robot.rest
    assert {camera.name for camera in robot.cameras} == {camera.name for camera in manifest.cameras}
    assert controllers['joint_trajectory_controller']['ros__parameters']['joints'] == [*robot.joint_names]
    assert {robot.base, robot.end_effector} <= {j.parent for j in urdf.values()} | {
        j.child for j in read_urdf(share_directory() / robot.urdf.file).values()
    }
    for joint in robot.joints:
        limit = urdf[joint.name].limit
        assert limit is not None
        assert (limit.lower, limit.upper, limit.velocity) == (joint.min, joint.max, joint.velocity)


def test_remaps_lead_to_the_topics_that_are_called_otherwise() -> None:
    content = yaml.safe_load(robot_file('so101').read_text())
    content['joint_states'] = '/arm/joint_states'
    content['cameras'][1]['image'] = 'realsense/color/image_raw'

    assert Robot.model_validate(content).remaps == (
        ('joint_trajectory', 'joint_trajectory_controller/joint_trajectory'),
        ('joint_states', '/arm/joint_states'),
        ('camera/wrist/image_raw', 'realsense/color/image_raw'),
        ('camera/wrist/image_raw/compressed', 'realsense/color/image_raw/compressed'),
    )


def test_a_file_of_ones_own_is_as_good_as_a_name(tmp_path: Path) -> None:
    content = yaml.safe_load(robot_file('so101').read_text())
    content.update(name='mine', limits_file='my_limits.yaml')
    file = tmp_path / 'mine.yaml'
    file.write_text(yaml.safe_dump(content))

    assert load_robot(str(file)).name == 'mine'
    assert limits_of(str(file)) == tmp_path / 'my_limits.yaml'


def test_given_a_file_that_was_changed_it_is_read_again(tmp_path: Path) -> None:
    """A node that is configured again must not go by the limits of before."""
    content = yaml.safe_load(robot_file('so101').read_text())
    file = tmp_path / 'mine.yaml'
    for limits_file in ('loose.yaml', 'strict.yaml'):
        file.write_text(yaml.safe_dump({**content, 'name': 'mine', 'limits_file': limits_file}))
        assert limits_of(str(file)) == tmp_path / limits_file


def without(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.pop(key)


def joint(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content['joints'][0].update(values)


@pytest.mark.parametrize(
    ('spoil', 'sentence'),
    [
        (without('limits_file'), 'limits_file: Field required'),
        (without('sources'), 'sources: Field required'),
        (lambda content: content.update(colour='red'), 'colour: Extra inputs'),
        (
            joint(rest=3.0),
            r'joints.0: expected min <= rest <= max, found -1.91986, 3, 1.91986 of shoulder_pan',
        ),
        (joint(velocity=0.0), 'joints.0.velocity: .*greater than 0'),
        (joint(name='gripper'), 'joints: expected names that differ'),
        (lambda content: content['urdf'].update(url='so101.urdf'), 'urdf.url: '),
        (lambda content: content['controller'].update(topic='a b'), 'controller.topic: '),
        (lambda content: content.update(name='other'), "name: expected 'spoiled'.* found 'other'"),
    ],
)
def test_a_file_that_is_not_of_the_schema_is_refused_with_the_key(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    content = yaml.safe_load(robot_file('so101').read_text())
    content['name'] = 'spoiled'
    spoil(content)
    file = tmp_path / 'spoiled.yaml'
    file.write_text(yaml.safe_dump(content))

    with pytest.raises(VlaError, match=f'{file}: {sentence}'):
        load_robot(str(file))


@pytest.mark.parametrize('robot', ['r2d2', 'r2d2.yaml', '', 'config', '../robots/so101'])
def test_a_robot_that_there_is_not_is_refused_with_the_names_there_are(robot: str) -> None:
    with pytest.raises(VlaError, match="robot: expected one of .*'so101'.* found "):
        load_robot(robot)


@pytest.mark.parametrize('name', [name for name in NAMES if name != 'so101'])
def test_a_bundle_for_another_arm_is_refused_in_one_sentence(manifest: Manifest, name: str) -> None:
    with pytest.raises(VlaError) as refused:
        require_made_for(load_robot(name), manifest)

    sentence = str(refused.value)
    assert '\n' not in sentence
    assert f"robot '{name}'" in sentence and "of 'so101'" in sentence and 'choose another' in sentence


def test_the_order_of_joints_is_the_bundles_own_affair_their_number_is_not(manifest: Manifest) -> None:
    robot = load_robot('franka_panda')

    require_made_for(robot, made_for(manifest, robot, robot.joint_names[::-1]))
    with pytest.raises(VlaError, match='expected the 7 joints .* found the 6'):
        require_made_for(robot, made_for(manifest, robot, robot.joint_names[:-1]))


def test_what_is_left_open_comes_from_the_robot_of_the_bundle(manifest: Manifest) -> None:
    values = for_robot({'seed': 3, 'limits_file': '', 'start_jump': [0.0]}, manifest)

    assert values['seed'] == 3
    assert values['limits_file'] == str(config_file('joint_limits.yaml'))
    assert values['start_jump'] == [START_JUMP] * 5 + [1.0]
    assert planner_settings(values, manifest).stitch.start_jump == (*[START_JUMP] * 5, 1.0)


def test_what_is_given_wins_over_the_robot(manifest: Manifest, tmp_path: Path) -> None:
    given = {'robot': 'so101', 'limits_file': str(tmp_path / 'mine.yaml'), 'start_jump': [0.5]}

    assert for_robot(given, manifest) == given
    assert for_robot({'limits_file': 'joint_limits.yaml'}, manifest)['limits_file'] == str(
        config_file('joint_limits.yaml')
    )


def test_given_a_start_jump_of_some_joints_the_others_have_that_of_the_robot(manifest: Manifest) -> None:
    """Not none at all: such a joint would begin each plan where it is measured, behind the one before."""
    values = for_robot({'start_jump': [0.0, 0.5, 0.0, 0.0, 0.0, 0.0]}, manifest)

    assert values['start_jump'] == [START_JUMP, 0.5, START_JUMP, START_JUMP, START_JUMP, 1.0]


def test_given_a_start_jump_for_another_number_of_joints_it_is_refused_though_it_is_0(
    manifest: Manifest,
) -> None:
    with pytest.raises(VlaError, match="'start_jump': expected 1 or 6 values, found 2"):
        planner_settings(for_robot({'start_jump': [0.0, 0.0]}, manifest), manifest)


def test_the_robot_that_is_named_must_be_that_of_the_bundle(manifest: Manifest) -> None:
    with pytest.raises(VlaError, match='made for another arm'):
        for_robot({'robot': 'franka_panda'}, manifest)


def test_a_bundle_of_an_arm_that_nobody_knows_needs_its_own_limits(manifest: Manifest) -> None:
    spec = manifest.robot.model_copy(update={'name': 'home_made'})
    values = for_robot({}, manifest.model_copy(update={'robot': spec}))

    assert values == {'limits_file': '', 'start_jump': [START_JUMP] * 6}
