"""The visible shapes of a URDF: judged by MuJoCo, of the SO-101 and by hand; what cannot be drawn is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vla_ros.paths import config_file
from vla_ros.types import VlaError
from vla_ros.viz.robot_shapes import PLAIN, RobotShapes

SO101 = config_file('robots/so101.urdf').read_text(encoding='utf-8')
BODY = '<geometry><box size="0.2 0.1 0.1"/></geometry>'


def one_joint(visual: str, extra: str = '') -> str:
    """An arm that turns about z half a metre above its base, with a visual on the arm."""
    return f"""<robot name="r"><link name="base_link"/><link name="arm">{visual}</link>{extra}
      <joint name="turn" type="revolute"><parent link="base_link"/><child link="arm"/><origin xyz="0 0 0.5"/>
      <axis xyz="0 0 1"/><limit lower="-2" upper="2" effort="1" velocity="1"/></joint></robot>"""


def test_the_shapes_of_the_so101_are_those_of_the_simulator_where_it_has_them() -> None:
    mujoco = pytest.importorskip('mujoco')
    from vla_ros.sim.model import JOINT_NAMES, ROBOT_FILE

    model = mujoco.MjModel.from_xml_path(str(ROBOT_FILE))
    data = mujoco.MjData(model)
    robot = RobotShapes(SO101)
    kinds = {int(mujoco.mjtGeom.mjGEOM_BOX): 'box', int(mujoco.mjtGeom.mjGEOM_CYLINDER): 'cylinder'}
    assert robot.joints == JOINT_NAMES
    assert len(robot.shapes) == model.ngeom
    for shape, geom in zip(robot.shapes, range(model.ngeom), strict=True):
        assert shape.kind == kinds[int(model.geom_type[geom])]
        half = model.geom_size[geom]
        size = 2 * half if shape.kind == 'box' else 2 * np.array([half[0], half[0], half[1]])
        np.testing.assert_allclose(shape.size, size, atol=1e-9)
        np.testing.assert_allclose(shape.colour, model.mat_rgba[model.geom_matid[geom]], atol=1e-6)

    for positions in np.random.default_rng(900_000).uniform(*model.jnt_range.T, (20, 6)):
        data.qpos[:] = positions
        mujoco.mj_kinematics(model, data)
        for geom, (position, rotation) in enumerate(robot.poses(positions)):
            np.testing.assert_allclose(position, data.geom_xpos[geom], atol=1e-5)
            np.testing.assert_allclose(rotation, data.geom_xmat[geom].reshape(3, 3), atol=1e-4)


def test_the_cameras_of_the_so101_are_where_the_simulator_mounts_them_but_for_its_tolerances() -> None:
    mujoco = pytest.importorskip('mujoco')
    from vla_ros.sim.cameras import Camera
    from vla_ros.sim.model import build_model
    from vla_ros.sim.scene import sample_scene

    scene = sample_scene(900_000)
    model = build_model(scene)
    data = mujoco.MjData(model)
    robot = RobotShapes(SO101)
    positions = np.array([0.3, -1.0, 1.1, 0.7, 0.4, 0.2])
    data.qpos[[model.joint(name).qposadr[0] for name in robot.joints]] = positions
    mujoco.mj_forward(model, data)
    links = robot.links(positions)
    for name in ('front', 'wrist'):
        position, rotation = Camera(model, name, 128, 128, scene=scene).pose(data)
        found, turned = links[f'{name}_optical_frame']
        assert np.linalg.norm(found - position) < 0.02
        assert math.degrees(math.acos(min(1.0, (np.trace(turned.T @ rotation) - 1) / 2))) < 2.0


def test_given_a_turned_joint_the_shape_on_its_link_turns_with_it() -> None:
    shifted = f'<visual><origin xyz="0.1 0 0" rpy="0 0 1.5707963267948966"/>{BODY}</visual>'
    robot = RobotShapes(one_joint(shifted))

    ((position, rotation),) = robot.poses(np.array([math.pi / 2]))

    np.testing.assert_allclose(position, [0, 0.1, 0.5], atol=1e-12)
    np.testing.assert_allclose(rotation, np.diag([-1.0, -1.0, 1.0]), atol=1e-12)
    assert robot.shapes[0].colour == PLAIN


@pytest.mark.parametrize(
    ('geometry', 'kind', 'size', 'mesh'),
    [
        ('<cylinder radius="0.1" length="0.4"/>', 'cylinder', [0.2, 0.2, 0.4], ''),
        ('<sphere radius="0.1"/>', 'sphere', [0.2, 0.2, 0.2], ''),
        ('<mesh filename="package://p/a.dae"/>', 'mesh', [1, 1, 1], 'package://p/a.dae'),
        ('<mesh filename="a.stl" scale="0.001 0.001 0.001"/>', 'mesh', [0.001] * 3, 'a.stl'),
    ],
)
def test_all_shapes_of_a_urdf_are_understood(geometry: str, kind: str, size: list[float], mesh: str) -> None:
    (shape,) = RobotShapes(one_joint(f'<visual><geometry>{geometry}</geometry></visual>')).shapes

    assert (shape.kind, shape.size.tolist(), shape.mesh) == (kind, size, mesh)


def test_a_joint_that_nobody_knows_is_at_zero_and_the_first_who_knows_it_is_believed() -> None:
    robot = RobotShapes(SO101)

    found = robot.vector({'elbow_flex': 0.5}, {'elbow_flex': 9.0, 'gripper': 0.2, 'other': 7.0})

    assert dict(zip(robot.joints, found.tolist(), strict=True)) == {
        **dict.fromkeys(robot.joints, 0.0),
        'elbow_flex': 0.5,
        'gripper': 0.2,
    }


def test_a_finger_that_mimics_another_goes_with_it_unless_it_is_measured_itself() -> None:
    finger = """<joint name="right" type="prismatic"><parent link="arm"/><child link="finger"/>
      <mimic joint="turn" multiplier="-2" offset="0.1"/></joint>"""
    robot = RobotShapes(one_joint('', finger))

    assert dict(zip(robot.joints, robot.vector({'turn': 0.3}), strict=True))['right'] == pytest.approx(-0.5)
    assert dict(zip(robot.joints, robot.vector({}), strict=True))['right'] == pytest.approx(0.1)
    assert dict(zip(robot.joints, robot.vector({'turn': 0.3, 'right': 7.0}), strict=True))['right'] == 7.0


@pytest.mark.parametrize(
    ('urdf', 'sentence'),
    [
        ('', 'is not XML'),
        ('<sdf/>', "expected a robot, found 'sdf'"),
        ('<robot name="r"/>', 'expected joints, found none'),
        (one_joint('<visual><geometry><cone/></geometry></visual>'), "found 'cone'"),
        (one_joint('<visual/>'), "found 'nothing'"),
        (one_joint('<visual><geometry><sphere/></geometry></visual>'), 'expected a finite number'),
        (one_joint('<visual><geometry><box size="1 nan 1"/></geometry></visual>'), 'finite'),
        (one_joint(f'<visual>{BODY}</visual>' * 1001), 'at most 1000 visuals, found 1001'),
        (one_joint('', f'<link name="adrift"><visual>{BODY}</visual></link>'), "carries the links .'adrift'"),
        (one_joint('', '<material name="m"><color rgba="1 1"/></material>'), 'expected four numbers'),
    ],
)
def test_given_what_cannot_be_drawn_then_it_is_refused_in_a_sentence(urdf: str, sentence: str) -> None:
    with pytest.raises(VlaError, match=f'robot_description: .*{sentence}|robot_description.*{sentence}'):
        RobotShapes(urdf)
