"""Forward kinematics from a URDF, and what a URDF must say for it: judged by MuJoCo and by geometry."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from vla_ros.action.kinematics import Kinematics, rotation_from_rpy
from vla_ros.action.urdf import read_urdf, urdf_absurdities
from vla_ros.types import VlaError

SO101 = Path(__file__).parents[1] / 'config' / 'robots' / 'so101.urdf'
JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll', 'gripper')
LIMIT = '<limit lower="-1" upper="1" effort="3" velocity="4"/>'


def urdf(folder: Path, *joints: str) -> Path:
    path = folder / 'robot.urdf'
    path.write_text(f'<robot name="r">{"".join(joints)}</robot>')
    return path


def joint(name: str, parent: str, child: str, inside: str = LIMIT, kind: str = 'revolute') -> str:
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>{inside}</joint>'
    )


def test_given_random_joints_the_links_of_the_so101_are_where_the_simulator_has_them():
    mujoco = pytest.importorskip('mujoco')
    from vla_ros.sim.model import ROBOT_FILE

    model = mujoco.MjModel.from_xml_path(str(ROBOT_FILE))
    data = mujoco.MjData(model)
    bodies = ('shoulder', 'upper_arm', 'lower_arm', 'wrist', 'gripper', 'moving_jaw')
    kinematics = Kinematics(SO101, read_urdf(SO101), JOINTS, (*bodies, 'gripper_tip'))
    configurations = np.random.default_rng(1_000_000).uniform(*model.jnt_range.T, (200, 6))
    found = kinematics.origins(configurations)
    for positions, points in zip(configurations, found, strict=True):
        data.qpos[:] = positions
        mujoco.mj_kinematics(model, data)
        truth = [data.body(name).xpos for name in bodies] + [data.site('gripper_tip').xpos]
        np.testing.assert_allclose(points, truth, atol=1e-6)


def test_given_closed_jaws_their_ends_meet():
    kinematics = Kinematics(SO101, read_urdf(SO101), JOINTS, ('gripper_tip', 'jaw_tip'))
    closed, wide = kinematics.origins(np.array([[0, 0, 0, 0, 0, -0.16], [0, 0, 0, 0, 0, 1.2]]))
    assert np.linalg.norm(closed[0] - closed[1]) < 0.006
    assert np.linalg.norm(wide[0] - wide[1]) > 0.06


def test_given_a_sliding_joint_a_turning_one_and_a_fixed_one_they_add_up(tmp_path: Path):
    path = urdf(
        tmp_path,
        joint('slide', 'base', 'cart', '<origin xyz="0 0 1"/><axis xyz="0 2 0"/>' + LIMIT, 'prismatic'),
        joint('turn', 'cart', 'arm', '<axis xyz="0 0 1"/>' + LIMIT),
        joint('tool', 'arm', 'tip', '<origin xyz="0.5 0 0"/>', 'fixed'),
    )
    kinematics = Kinematics(path, read_urdf(path), ('turn', 'slide'), ('tip', 'cart'))
    (points,) = kinematics.origins(np.array([[math.pi / 2, 0.3]]))
    np.testing.assert_allclose(points, [[0.0, 0.8, 1.0], [0.0, 0.3, 1.0]], atol=1e-12)


def test_roll_pitch_and_yaw_turn_about_fixed_axes_in_this_order():
    np.testing.assert_allclose(rotation_from_rpy(math.pi / 2, 0, 0) @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(rotation_from_rpy(0, math.pi / 2, 0) @ [1, 0, 0], [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(
        rotation_from_rpy(math.pi / 2, 0, math.pi / 2) @ [0, 1, 0], [0, 0, 1], atol=1e-12
    )


@pytest.mark.parametrize(
    ('joints', 'sentence'),
    [
        ([], 'expected joints, found none'),
        ([joint('a', 'base', 'x', kind='floating')], "found 'floating'"),
        ([joint('a', 'base', 'x', '<mimic joint="b"/>')], 'mimics'),
        ([joint('a', 'base', 'x', '<axis xyz="0 0 0"/>')], 'no direction'),
        ([joint('a', 'base', 'x', '<axis xyz="0 0"/>')], 'three numbers'),
        ([joint('a', 'base', 'x', '<origin xyz="0 0 nan"/>')], 'finite'),
        ([joint('a', 'base', 'x', '<limit lower="low"/>')], 'finite'),
        ([joint('a', 'base', 'x'), joint('b', 'base', 'x')], 'child of two joints'),
        (['<joint name="a" type="fixed"><parent link="p"/></joint>'], 'child is missing'),
    ],
)
def test_given_a_urdf_that_cannot_be_used_the_error_says_why(tmp_path: Path, joints, sentence: str):
    with pytest.raises(VlaError, match=sentence):
        read_urdf(urdf(tmp_path, *joints))


@pytest.mark.parametrize('content', ['', 'xacro', '<model/>', '<robot>'])
def test_given_no_urdf_at_all_the_error_names_the_file(tmp_path: Path, content: str):
    path = tmp_path / 'robot.urdf'
    path.write_text(content)
    with pytest.raises(VlaError, match='robot.urdf'):
        read_urdf(path)
    with pytest.raises(VlaError, match=r'none\.urdf'):
        read_urdf(tmp_path / 'none.urdf')


@pytest.mark.parametrize(
    ('joints', 'links', 'sentence'),
    [
        ([joint('a', 'base', 'x')], ['y'], "no joint carries a link 'y'"),
        ([joint('a', 'base', 'x')], ['base'], "no joint carries a link 'base'"),
        ([joint('b', 'base', 'x')], ['x'], "'b' is not a joint of this robot"),
        ([joint('a', 'y', 'x'), joint('a', 'x', 'y')], ['x'], 'loop'),
    ],
)
def test_given_a_chain_that_does_not_fit_the_error_says_why(tmp_path: Path, joints, links, sentence: str):
    path = urdf(tmp_path, *joints)
    with pytest.raises(VlaError, match=sentence):
        Kinematics(path, read_urdf(path), ['a'], links)


def test_the_shipped_urdf_has_sensible_limits():
    assert urdf_absurdities(read_urdf(SO101), JOINTS) == []


@pytest.mark.parametrize(
    ('inside', 'kind', 'sentence'),
    [
        ('', 'revolute', 'gives no limits'),
        (
            '<limit effort="0" velocity="1" lower="-1" upper="1"/>',
            'revolute',
            'effort limit of the URDF is 0,',
        ),
        ('<limit effort="1" velocity="0" lower="-1" upper="1"/>', 'revolute', 'forbids every motion'),
        ('<limit effort="1" velocity="1e3" lower="-1" upper="1"/>', 'revolute', 'limits nothing'),
        ('<limit effort="1e6" velocity="1" lower="-1" upper="1"/>', 'revolute', 'limits nothing'),
        ('<limit effort="1" lower="-1" upper="1"/>', 'revolute', 'no velocity limit'),
        ('<limit velocity="1" lower="-1" upper="1"/>', 'revolute', 'no effort limit'),
        ('<limit effort="1" velocity="1" lower="1" upper="1"/>', 'revolute', 'is not below'),
        ('<limit effort="1" velocity="1" lower="1"/>', 'revolute', 'no position limits'),
        ('<limit effort="1" velocity="1"/>', 'continuous', None),
        (LIMIT, 'revolute', None),
    ],
)
def test_given_limits_of_a_urdf_that_are_hardly_meant_they_are_pointed_out(
    tmp_path: Path, inside: str, kind: str, sentence: str | None
):
    found = urdf_absurdities(read_urdf(urdf(tmp_path, joint('a', 'base', 'x', inside, kind))), ['a'])
    if sentence is None:
        assert found == []
    else:
        assert len(found) == 1
        assert sentence in found[0]


def test_given_a_joint_that_the_urdf_does_not_have_it_is_pointed_out(tmp_path: Path):
    assert 'no such joint' in urdf_absurdities(read_urdf(urdf(tmp_path, joint('a', 'base', 'x'))), ['b'])[0]
