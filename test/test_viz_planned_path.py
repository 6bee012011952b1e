"""The planned way and its speeds, by the geometry of a circle; its colours; and lines of sight to the table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vla_ros.action.kinematics import rotation_from_rpy
from vla_ros.types import CameraModel, JointTrajectory, VlaError
from vla_ros.viz.planned_path import planned_path, speed_colours
from vla_ros.viz.robot_shapes import RobotShapes
from vla_ros.viz.sight import FLATTEST, on_table

RADIUS = 0.4
ARM = f"""<robot name="r"><link name="base_link"/><link name="arm"/><link name="tip"/>
  <joint name="lift" type="prismatic"><parent link="base_link"/><child link="mast"/><axis xyz="0 0 1"/></joint>
  <joint name="turn" type="continuous"><parent link="mast"/><child link="arm"/><axis xyz="0 0 1"/></joint>
  <joint name="end" type="fixed"><parent link="arm"/><child link="tip"/><origin xyz="{RADIUS} 0 0"/></joint></robot>"""


def turning(speed: float, seconds: float, points: int = 9) -> JointTrajectory:
    """Joint ``turn`` at a constant speed (rad/s)."""
    times = np.linspace(0, seconds, points)
    zeros = np.zeros((points, 1))
    return JointTrajectory(('turn',), times, speed * times[:, None], zeros + speed, zeros)


def test_given_a_joint_that_turns_evenly_then_its_tip_goes_round_at_speed_times_radius() -> None:
    path = planned_path(turning(1.5, 1.0), RobotShapes(ARM), {'lift': 0.2}, 'tip')

    np.testing.assert_allclose(np.linalg.norm(path.points[:, :2], axis=1), RADIUS, atol=1e-9)
    np.testing.assert_allclose(path.points[:, 2], 0.2)  # the joint that the plan does not name stays
    np.testing.assert_allclose(path.speeds, 1.5 * RADIUS, rtol=2e-3)
    np.testing.assert_allclose(path.points[0], [RADIUS, 0, 0.2], atol=1e-9)
    end = [RADIUS * math.cos(1.5), RADIUS * math.sin(1.5), 0.2]
    np.testing.assert_allclose(path.points[-1], end, atol=1e-9)
    np.testing.assert_allclose(path.ends, [0.2, 1.5])


def test_given_a_plan_of_one_point_then_the_way_is_that_point_at_rest() -> None:
    path = planned_path(turning(0.0, 0.0, 1), RobotShapes(ARM), {}, 'tip')

    assert path.points.tolist() == [[RADIUS, 0.0, 0.0]]
    assert path.speeds.tolist() == [0.0]


def test_given_no_such_link_then_it_is_refused() -> None:
    with pytest.raises(VlaError, match="no joint carries a link 'hand'"):
        planned_path(turning(1.0, 1.0), RobotShapes(ARM), {}, 'hand')


def test_colours_go_from_blue_at_rest_by_green_to_red_and_stay_red() -> None:
    rest, half, full, faster = speed_colours(np.array([0.0, 0.25, 0.5, 9.0]), 0.5)

    assert rest.argmax() == 2
    assert half.argmax() == 1
    assert full.argmax() == 0
    assert faster.tolist() == full.tolist()


@given(
    place=st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4)),
    height=st.floats(-0.1, 0.1),
    eye=st.tuples(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(0.3, 1.0)),
    roll=st.floats(-0.3, 0.3),
)
def test_a_point_on_the_table_is_found_again_from_where_the_camera_sees_it(
    place: tuple[float, float], height: float, eye: tuple[float, float, float], roll: float
) -> None:
    camera = CameraModel(640, 480, np.array([[500.0, 0, 320], [0, 510, 239], [0, 0, 1]]))
    rotation = rotation_from_rpy(math.pi + roll, 0.1, 0.4)  # looks down
    point, position = np.array([*place, height]), np.array(eye)
    seen = rotation.T @ (point - position)
    assume(seen[2] > 0.05)
    u, v, _ = camera.matrix @ seen / seen[2]

    found = on_table(((u + 0.5) / 640, (v + 0.5) / 480), camera, position, rotation, height)

    if found is None:
        assert position[2] - height < 1.001 * FLATTEST * np.linalg.norm(point - position)
    else:
        np.testing.assert_allclose(found, point, atol=1e-6)


def test_given_a_camera_that_looks_at_the_horizon_or_from_below_then_there_is_no_point() -> None:
    camera = CameraModel(101, 101, np.array([[50.0, 0, 50], [0, 50, 50], [0, 0, 1]]))
    forward, down = rotation_from_rpy(-math.pi / 2, 0, 0), rotation_from_rpy(math.pi, 0, 0)

    assert on_table((0.5, 0.5), camera, np.array([0, 0, 0.4]), forward, 0.0) is None
    assert on_table((0.5, 0.5), camera, np.array([0, 0, -0.4]), down, 0.0) is None
    assert on_table((0.5, 0.5), camera, np.array([0.1, 0.2, 0.4]), down, 0.0) == pytest.approx([0.1, 0.2, 0])
