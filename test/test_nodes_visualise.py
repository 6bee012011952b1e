"""What is drawn, over real DDS: from plans, limits and decisions as nodes send them to markers as rviz takes them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticArray
from hypothesis import given
from hypothesis import strategies as st
from node_graph import Ear, Graph, eventually, refusals, write_bundle
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage
from visualization_msgs.msg import Marker, MarkerArray
from whole_graph import Model

from vla_ros.action.kinematics import rotation_from_rpy
from vla_ros.action.limits import load_limits
from vla_ros.nodes import qos
from vla_ros.nodes.action import ActionNode
from vla_ros.nodes.image_messages import camera_info_message
from vla_ros.nodes.joint_messages import joints_message, trajectory_from_message, trajectory_message
from vla_ros.nodes.limits_messages import box_from_message, limits_message
from vla_ros.nodes.marker_messages import quaternion
from vla_ros.nodes.messages import decision_message
from vla_ros.nodes.visualise import VisualiseNode
from vla_ros.paths import config_file
from vla_ros.types import CameraModel, Decision, JointSample, JointTrajectory, Verdict, VlaError
from vla_ros.viz.robot_shapes import RobotShapes

URDF = config_file('robots/so101.urdf').read_text(encoding='utf-8')
ROBOT = RobotShapes(URDF)
START = np.array([0.0, -1.35, 1.25, 0.95, 0.0, 0.3])
CAMERA = CameraModel(256, 256, np.array([[333.0, 0, 127.5], [0, 333.0, 127.5], [0, 0, 1]]))
TRACE = '<think> i see red cube. asked: touch red cube.</think><answer> go: touch red cube</answer>'


def plan(goal: np.ndarray, seconds: float = 1.0, points: int = 21) -> JointTrajectory:
    """From START to a goal, at rest at both ends (the quintic of least jerk)."""
    times = np.linspace(0.0, seconds, points)
    u = (times / seconds)[:, None]
    way = goal - START
    return JointTrajectory(
        ROBOT.joints,
        times,
        START + way * (10 * u**3 - 15 * u**4 + 6 * u**5),
        way * (30 * u**2 - 60 * u**3 + 30 * u**4) / seconds,
        way * (60 * u - 180 * u**2 + 120 * u**3) / seconds**2,
    )


def limits() -> DiagnosticArray:
    return limits_message(load_limits(config_file('joint_limits.yaml'), ROBOT.joints), 5)


def decision(target: tuple[float, float] | None, verdict: Verdict = Verdict.GO, trace: str = TRACE) -> Any:
    return decision_message(Decision(verdict, 'touch', 'touch it', trace, target, 'front'), 7_000_000_000)


def ears(graph: Graph) -> dict[str, Ear]:
    """What is drawn, by topic; asked as rviz asks."""
    latched = ('target', 'trace', 'workspace')
    return {
        name: graph.ear(MarkerArray, f'visualise/{name}', qos.LATCHED if name in latched else qos.STREAM_OUT)
        for name in ('robot', 'ghost', 'path', *latched)
    }


def drawing(graph: Graph, **parameters: Any) -> VisualiseNode:
    """The node, which has heard what robot it is."""
    node: VisualiseNode = graph.active(VisualiseNode, **parameters)
    graph.say(String(data=URDF), 'robot_description', qos.LATCHED)
    assert eventually(lambda: node._robot is not None)
    return node


def by_name(message: MarkerArray) -> dict[str, Marker]:
    return {marker.ns: marker for marker in message.markers}


def place(marker: Marker) -> list[float]:
    return [marker.pose.position.x, marker.pose.position.y, marker.pose.position.z]


def test_given_a_plan_then_its_way_is_drawn_to_where_a_ghost_of_the_robot_stands(graph: Graph) -> None:
    heard = ears(graph)
    drawing(graph, full_speed=0.1)
    goal = START + [0.5, 0.3, -0.2, 0.1, 0.2, 0.4]
    graph.say(trajectory_message(plan(goal)), 'joint_trajectory', qos.COMMAND)

    (line,) = heard['path'].wait().markers
    ghost = heard['ghost'].wait().markers
    first, last = line.points[0], line.points[-1]
    assert (line.type, line.header.frame_id) == (Marker.LINE_STRIP, 'base_link')
    for point, joints in ((first, START), (last, goal)):
        tip, _ = ROBOT.links(joints)['gripper_tip']
        np.testing.assert_allclose([point.x, point.y, point.z], tip, atol=1e-6)
    # Slow at both ends, fast between: blue, red, blue.
    colours = np.array([[c.r, c.g, c.b] for c in line.colors])
    assert len(colours) == len(line.points)
    assert colours[[0, -1]].argmax(axis=1).tolist() == [2, 2]
    assert colours[len(colours) // 2].argmax() == 0
    for marker, (position, _) in zip(ghost, ROBOT.poses(goal), strict=True):
        np.testing.assert_allclose(place(marker), position, atol=1e-6)
        assert 0 < marker.color.a < 0.5
    for marker in (line, *ghost):  # gone soon after the plan, which takes a second
        assert 1.0 <= marker.lifetime.sec + marker.lifetime.nanosec / 1e9 < 2.0


def test_given_joint_states_then_the_robot_is_drawn_where_it_is_measured(graph: Graph) -> None:
    heard = ears(graph)
    drawing(graph)
    state = joints_message(ROBOT.joints, JointSample(9, START, START * 0))
    graph.say(state, 'joint_states', qos.JOINT_STATES_OUT)

    found = heard['robot'].wait().markers

    kinds = {'box': Marker.CUBE, 'cylinder': Marker.CYLINDER}
    for marker, shape, (position, _) in zip(found, ROBOT.shapes, ROBOT.poses(START), strict=True):
        assert marker.type == kinds[shape.kind]
        np.testing.assert_allclose(place(marker), position, atol=1e-6)
        np.testing.assert_allclose([marker.scale.x, marker.scale.y, marker.scale.z], shape.size)
        assert marker.header.stamp == state.header.stamp


def test_given_limits_then_the_box_and_the_table_are_drawn_for_whoever_comes_later_too(graph: Graph) -> None:
    first = ears(graph)
    graph.active(VisualiseNode)
    graph.say(limits(), 'action/limits', qos.LATCHED)
    first['workspace'].wait()

    found = by_name(ears(graph)['workspace'].wait())

    corners = np.array([[p.x, p.y, p.z] for p in found['workspace'].points])
    assert len(corners) == 24  # twelve edges
    assert (
        sorted(np.linalg.norm(corners[::2] - corners[1::2], axis=1).round(6))
        == [0.5] * 4 + [0.52] * 4 + [0.8] * 4
    )
    np.testing.assert_allclose(corners.min(axis=0), [-0.10, -0.40, -0.05])
    np.testing.assert_allclose(corners.max(axis=0), [0.42, 0.40, 0.45])
    table = found['table']
    assert place(table)[2] + table.scale.z / 2 == pytest.approx(0.0)


def test_given_a_decision_then_its_target_is_where_the_line_of_sight_meets_the_table(graph: Graph) -> None:
    heard = ears(graph)
    node = drawing(graph)
    goal = np.array([0.2, 0.05, 0.0])
    eye, rotation = ROBOT.links(START)['front_optical_frame']
    seen = rotation.T @ (goal - eye)
    u, v, _ = CAMERA.matrix @ seen / seen[2]
    graph.say(limits(), 'action/limits', qos.LATCHED)
    graph.say(decision(((u + 0.5) / 256, (v + 0.5) / 256)), 'reasoning/decision', qos.LATCHED)
    words = heard['trace'].wait().markers[0]
    assert words.text.replace('\n', ' ') == TRACE
    graph.say(camera_info_message(CAMERA, 6, 'front_optical_frame'), 'camera/front/camera_info', qos.CAMERA)

    found = by_name(heard['target'].wait(lambda m: m.markers[0].action == Marker.ADD))
    np.testing.assert_allclose(place(found['target']), goal, atol=1e-4)
    ends = [[p.x, p.y, p.z] for p in found['line of sight'].points]
    np.testing.assert_allclose(ends, [eye, goal], atol=1e-4)

    before = len(heard['target'].messages)
    graph.say(decision(None, Verdict.REFUSED, ''), 'reasoning/decision', qos.LATCHED)
    gone = heard['target'].wait(after=before)
    assert {marker.action for marker in gone.markers} == {Marker.DELETE}
    assert refusals(node) == {}


def test_the_box_that_is_drawn_is_the_one_that_the_action_node_keeps(graph: Graph, tmp_path: Path) -> None:
    text = config_file('joint_limits.yaml').read_text().replace('max: [0.42,', 'max: [0.37,')
    file = tmp_path / 'mine.yaml'
    file.write_text(text.replace('urdf: robots/', f'urdf: {config_file("robots/so101.urdf").parent}/'))
    heard = ears(graph)
    graph.active(VisualiseNode)
    bundle = write_bundle(tmp_path / 'tiny', ROBOT.joints)

    graph.active(
        lambda **o: ActionNode(lambda *_, **__: Model(), **o), bundle=str(bundle), limits_file=str(file)
    )

    found = by_name(heard['workspace'].wait())
    assert max(p.x for p in found['workspace'].points) == 0.37


def bad_plan(**changes: Any) -> JointTrajectoryMessage:
    message = trajectory_message(plan(START + 0.1))
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def test_given_bad_input_then_it_is_refused_and_counted_and_the_next_good_plan_is_drawn(graph: Graph) -> None:
    heard = ears(graph)
    node = graph.active(VisualiseNode)
    graph.say(String(data='<robot'), 'robot_description', qos.LATCHED)
    graph.say(JointState(name=['a'], position=[math.nan]), 'joint_states', qos.JOINT_STATES_OUT)
    graph.say(bad_plan(points=[]), 'joint_trajectory', qos.COMMAND)
    graph.say(DiagnosticArray(), 'action/limits', qos.LATCHED)
    graph.say(DiagnosticArray(), 'reasoning/decision', qos.LATCHED)
    reasons = ('bad_description', 'bad_joint_states', 'bad_trajectory', 'bad_limits', 'bad_decision')
    assert eventually(lambda: refusals(node) == dict.fromkeys(reasons, 1)), refusals(node)

    graph.say(decision((0.5, math.nan)), 'reasoning/decision', qos.LATCHED)
    assert eventually(lambda: refusals(node)['bad_decision'] == 2)
    graph.say(String(data=URDF), 'robot_description', qos.LATCHED)
    assert eventually(lambda: node._robot is not None)
    graph.say(bad_plan(), 'action/dry_run', qos.COMMAND)
    assert len(heard['path'].wait().markers) == 1


@pytest.mark.parametrize(
    ('changes', 'sentence'),
    [
        ({'joint_names': []}, 'joint_names'),
        ({'joint_names': ['a', 'a']}, 'joint_names'),
        ({'joint_names': ['a', 'b']}, 'positions: expected 2 values a point'),
        ({'points': []}, 'points: expected 1 to 10000, found 0'),
    ],
)
def test_given_a_trajectory_that_is_none_then_it_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(VlaError, match=sentence):
        trajectory_from_message(bad_plan(**changes))


def test_given_times_that_do_not_increase_or_numbers_that_are_none_then_a_trajectory_is_refused() -> None:
    message = bad_plan()
    message.points.append(message.points[0])
    with pytest.raises(VlaError, match='time_from_start'):
        trajectory_from_message(message)
    message = bad_plan()
    message.points[3].velocities[2] = math.inf
    with pytest.raises(VlaError, match='velocities: expected finite'):
        trajectory_from_message(message)


def test_a_plan_is_the_same_after_it_was_a_message() -> None:
    sent = plan(START + 0.2)
    found = trajectory_from_message(trajectory_message(sent))
    for name in ('times', 'positions', 'velocities', 'accelerations'):
        np.testing.assert_allclose(getattr(found, name), getattr(sent, name), atol=1e-9)
    assert found.joint_names == sent.joint_names


def test_limits_without_a_workspace_have_no_box_and_nonsense_is_refused(tmp_path: Path) -> None:
    text = config_file('joint_limits.yaml').read_text()
    (tmp_path / 'l.yaml').write_text(text[: text.index('workspace:')])
    assert box_from_message(limits_message(load_limits(tmp_path / 'l.yaml', ROBOT.joints), 5)) is None
    for wrong in ('', '1 2', '1 2 x', 'nan 0 0', '9 9 9'):
        message = limits()
        for pair in message.status[0].values:
            if pair.key == 'workspace min [m]':
                pair.value = wrong
        with pytest.raises(VlaError, match='workspace min'):
            box_from_message(message)


@given(*[st.floats(-math.pi, math.pi)] * 3)
def test_a_quaternion_turns_as_its_rotation_does(roll: float, pitch: float, yaw: float) -> None:
    rotation = rotation_from_rpy(roll, pitch, yaw)
    x, y, z, w = quaternion(rotation)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    axis = np.array([x, y, z])
    again = (w * w - axis @ axis) * np.eye(3) + 2 * np.outer(axis, axis) + 2 * w * cross

    assert x * x + y * y + z * z + w * w == pytest.approx(1)
    np.testing.assert_allclose(again, rotation, atol=1e-9)
