"""The simulated robot over real DDS: what it says is consistent, and it obeys trajectories as a real one would."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')

from diagnostic_msgs.msg import DiagnosticArray
from node_graph import Graph, eventually, hops_of, hops_told, refusals
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import camera_model_from_message, image_from_message
from vla_ros.nodes.joint_messages import joints_from_message, trajectory_message
from vla_ros.nodes.messages import nanoseconds, time_message
from vla_ros.nodes.simulated_robot import SimulatedRobot, make_controller
from vla_ros.nodes.simulator import SimulatorNode, controller_message
from vla_ros.sim.model import JOINT_NAMES, REST_POSE
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Task
from vla_ros.sim.trajectory_message import TrajectoryMessage, TrajectoryPoint
from vla_ros.types import NANOSECONDS, JointTrajectory
from vla_ros.viz.robot_shapes import RobotShapes

SEED = 1_000_003


def simulator(graph: Graph, **parameters: Any) -> SimulatorNode:
    return graph.active(SimulatorNode, seed=SEED, **parameters)


def reach(positions: list[float], seconds: float = 1.0, **changes: Any) -> JointTrajectoryMessage:
    """A trajectory of one point, at rest in the end."""
    joints = len(positions)
    plan = JointTrajectory(
        JOINT_NAMES[:joints], np.array([seconds]), np.array([positions]), *np.zeros((2, 1, joints))
    )
    message = trajectory_message(plan)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def values(message: DiagnosticArray) -> dict[str, str]:
    return {pair.key: pair.value for pair in message.status[0].values}


def near(message: JointState, goal: list[float], tolerance: float = 0.05) -> bool:
    return bool(np.abs(joints_from_message(message, JOINT_NAMES).positions - goal).max() < tolerance)


def test_cameras_and_joints_are_published_with_stamps_of_the_same_clock(graph) -> None:
    fronts = graph.ear(Image, 'camera/front/image_raw', qos.CAMERA)
    wrists = graph.ear(Image, 'camera/wrist/image_raw', qos.CAMERA)
    infos = graph.ear(CameraInfo, 'camera/front/camera_info', qos.CAMERA)
    joints = graph.ear(JointState, 'joint_states', qos.JOINT_STATES_IN)
    before = graph.now()
    simulator(graph)
    front, wrist = fronts.wait(), wrists.wait()
    assert image_from_message(front).shape == (256, 256, 3)
    assert image_from_message(wrist).shape == (128, 128, 3)
    model = camera_model_from_message(infos.wait())
    assert model is not None
    assert (model.width, model.height) == (256, 256)
    # Vertical field of view 42 degrees, centre in the middle of the pixels.
    assert model.matrix[1, 1] == pytest.approx(128 / np.tan(np.radians(21)))
    assert model.matrix[0, 2] == model.matrix[1, 2] == 127.5
    assert near(joints.wait(), list(REST_POSE), 0.2)
    for message in (front, wrist, joints.messages[0]):
        assert before < nanoseconds(message.header.stamp) <= graph.now()


def test_whoever_comes_later_still_learns_what_robot_it_is(graph) -> None:
    joints = graph.ear(JointState, 'joint_states', qos.JOINT_STATES_IN)
    simulator(graph)
    joints.wait()

    description = graph.ear(String, 'robot_description', qos.LATCHED).wait()

    robot = RobotShapes(description.data)
    assert (robot.base, robot.joints) == ('base_link', JOINT_NAMES)


def test_it_obeys_a_trajectory_and_holds_its_end(graph) -> None:
    joints = graph.ear(JointState, 'joint_states', qos.JOINT_STATES_IN)
    node = simulator(graph)
    goal = [0.4, -1.2, 1.0, 0.8, 0.5, 0.6]
    graph.say(reach(goal), 'joint_trajectory', qos.COMMAND)
    joints.wait(lambda m: near(m, goal))
    assert refusals(node) == {}
    assert hops_told(node.health.report().values, 'simulator') == hops_of('simulator')


@pytest.mark.parametrize(
    ('message', 'reason'),
    [
        (reach([0.0] * 5), 'rejected_joint_count'),
        (reach([0.0] * 6, joint_names=['a', *JOINT_NAMES[1:]]), 'rejected_unknown_joint'),
        (reach([0.0] * 6, points=[]), 'rejected_empty'),
        (reach([float('nan')] * 6), 'rejected_non_finite'),
    ],
    ids=['five joints', 'unknown joint', 'no points', 'NaN'],
)
def test_a_trajectory_that_a_stock_controller_rejects_is_rejected_and_counted(graph, message, reason) -> None:
    joints = graph.ear(JointState, 'joint_states', qos.JOINT_STATES_IN)
    node = simulator(graph)
    start = joints_from_message(joints.wait(), JOINT_NAMES).positions
    graph.say(message, 'joint_trajectory', qos.COMMAND)
    assert eventually(lambda: refusals(node) == {reason: 1})
    count = len(joints.messages)
    assert near(joints.wait(after=count + 5), list(start), 0.05)


def test_reset_puts_up_the_scene_of_the_seed_and_time_goes_on(graph) -> None:
    scores = graph.ear(DiagnosticArray, 'simulator/score', QoSProfile(depth=50))
    joints = graph.ear(JointState, 'joint_states', qos.JOINT_STATES_IN)
    node = simulator(graph, publish_clock=True, speed=5.0)
    goal = [0.8, -1.2, 1.0, 0.8, 0.5, 0.6]
    graph.say(reach(goal), 'joint_trajectory', qos.COMMAND)
    joints.wait(lambda m: near(m, goal))
    node.set_parameters([Parameter('seed', value=SEED + 1)])
    assert values(scores.wait(after=len(scores.messages)))['seed'] == str(SEED), (
        'only reset changes the scene'
    )

    response = graph.call(Trigger, 'simulator/reset', Trigger.Request())

    assert response.success
    told = json.loads(response.message)
    assert (told['episode'], told['trial']) == (2, 2)
    score = values(scores.wait(lambda m: values(m)['episode'] == '2'))
    assert score['seed'] == str(SEED + 1)
    joints.wait(lambda m: nanoseconds(m.header.stamp) >= told['stamp'] and near(m, list(REST_POSE), 0.2))
    stamps = [nanoseconds(m.header.stamp) for m in joints.messages]
    assert stamps == sorted(stamps)
    assert told['stamp'] >= stamps[0]


def test_a_reset_gives_the_memory_of_the_old_scene_back(graph, monkeypatch) -> None:
    given: list[bool] = []
    monkeypatch.setattr('vla_ros.nodes.simulator.give_back', lambda: given.append(True))
    simulator(graph)

    for count in (1, 2):
        assert graph.call(Trigger, 'simulator/reset', Trigger.Request()).success
        assert given == [True] * count


def test_the_task_is_judged_anew_when_it_is_set_and_nonsense_is_refused(graph) -> None:
    wanted = sample_scene(SEED).objects[0].name
    scores = graph.ear(DiagnosticArray, 'simulator/score', QoSProfile(depth=50))
    node = simulator(graph, task=f'touch:{wanted}', time_limit=0.2)
    score = values(scores.wait(lambda m: values(m)['failure']))
    assert (score['trial'], score['task'], score['success']) == ('1', f'touch:{wanted}', 'false')
    assert score['failure'] in ('timeout', 'missed')

    node.set_parameters([Parameter('time_limit', value=0.0)])
    node.set_parameters([Parameter('task', value=f'touch:{wanted}')])
    assert values(scores.wait(lambda m: values(m)['trial'] == '2'))['failure'] == ''
    for number, nonsense in ((3, 'touch:golden unicorn'), (4, 'juggle'), (5, ':')):
        node.set_parameters([Parameter('task', value=nonsense)])
        assert eventually(lambda n=number: refusals(node).get('bad_task') == n - 2)
        assert values(scores.wait(lambda m, n=number: values(m)['trial'] == str(n)))['task'] == ''


def test_its_clock_runs_at_the_pace_of_the_world_and_stamps_follow_it(graph) -> None:
    clocks = graph.ear(Clock, '/clock', QoSProfile(depth=1000))
    joints = graph.ear(JointState, 'joint_states', QoSProfile(depth=1000))
    fronts = graph.ear(Image, 'camera/front/image_raw', qos.CAMERA)
    simulator(graph, publish_clock=True, camera_rate=20.0)
    fronts.wait(after=2)
    said = [nanoseconds(m.clock) for m in list(clocks.messages)]
    heard = [nanoseconds(m.header.stamp) for m in list(joints.messages)]
    for stamps, period in ((said, 10_000_000), (heard, 20_000_000)):
        gaps = [later - earlier for earlier, later in pairwise(stamps)]
        assert gaps
        assert all(gap > 0 and gap % period == 0 for gap in gaps)
        assert min(gaps) == period
    pictures = [nanoseconds(m.header.stamp) for m in fronts.messages]
    assert all((later - earlier) % 50_000_000 == 0 for earlier, later in pairwise(pictures))
    assert {(stamp - said[0]) % 5_000_000 for stamp in (*heard, *pictures)} == {0}


def test_what_it_takes_to_draw_the_episode_again_is_left_behind(graph, tmp_path: Path) -> None:
    path = tmp_path / 'states.npz'
    joints = graph.ear(JointState, 'joint_states', QoSProfile(depth=1000))
    node = simulator(graph, state_log=str(path))
    joints.wait(after=5)
    assert node.shut_down().wait(60)
    with np.load(path) as log:
        assert int(log['seed']) == SEED
        assert log['times'].shape == (len(log['qpos']),)
        assert log['qpos'].shape[1] == 6 + 7 * len(sample_scene(SEED).objects)
        heard = nanoseconds(joints.messages[0].header.stamp) / NANOSECONDS
        row = int(np.abs(log['times'] - heard).argmin())
        assert log['times'][row] == pytest.approx(heard, abs=1e-6)
        np.testing.assert_array_equal(log['qpos'][row, :6], joints.messages[0].position)


def _plan_to(robot: SimulatedRobot, positions: list[float], seconds: float) -> None:
    rest = (0.0,) * 6
    point = TrajectoryPoint(tuple(positions), rest, rest, seconds)
    robot.accept(TrajectoryMessage(0, JOINT_NAMES, (point,)))


def test_the_same_seed_and_commands_give_the_same_pixels_and_states() -> None:
    robots = [SimulatedRobot(SEED, make_controller()) for _ in range(2)]
    for robot in robots:
        _plan_to(robot, [0.3, -1.0, 1.0, 0.9, 0.2, 0.5], 0.3)
        for _ in range(100):
            robot.step()
    first, second = robots
    np.testing.assert_array_equal(first.world.data.qpos, second.world.data.qpos)
    for name in first.cameras:
        np.testing.assert_array_equal(
            first.draw(name, first.snapshot(0)), second.draw(name, second.snapshot(0))
        )


def test_a_snapshot_shows_the_moment_it_was_taken_at() -> None:
    robot = SimulatedRobot(SEED, make_controller())
    before = robot.draw('front', robot.snapshot(0))
    snapshot = robot.snapshot(0)
    _plan_to(robot, [1.0, -1.0, 1.0, 0.9, 0.2, 0.5], 0.5)
    for _ in range(150):
        robot.step()
    np.testing.assert_array_equal(robot.draw('front', snapshot), before)
    assert (robot.draw('front', robot.snapshot(0)) != before).any()


def test_a_score_tells_how_far_the_arm_moved_since_the_trial_began() -> None:
    robot = SimulatedRobot(SEED, make_controller())
    start = robot.world.joints().positions
    _plan_to(robot, [start[0] + 0.5, *start[1:]], 0.5)
    for _ in range(300):
        robot.step()
    assert float(robot.score()['moved [rad]']) == pytest.approx(0.5, abs=0.03)
    robot.judge(Task('home'))
    assert float(robot.score()['moved [rad]']) < 0.01
    assert robot.score()['task'] == 'home'


@pytest.mark.parametrize(('stamp', 'expected'), [(0, 0), (7 * NANOSECONDS, 10 * NANOSECONDS)])
def test_a_stamp_is_moved_to_the_clock_of_the_controller_and_none_means_now(stamp, expected) -> None:
    message = reach([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], seconds=0.5)
    message.header.stamp = time_message(stamp)
    told = controller_message(message, ahead=3 * NANOSECONDS)
    assert told.stamp_ns == expected
    assert told.joint_names == JOINT_NAMES
    assert told.points[0] == TrajectoryPoint((0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (0.0,) * 6, (0.0,) * 6, 0.5)


def test_a_trajectory_that_ended_in_the_past_is_rejected(graph) -> None:
    node = simulator(graph)
    past = reach([0.4, -1.2, 1.0, 0.8, 0.5, 0.6], seconds=0.5)
    past.header.stamp = time_message(graph.now() - 60 * NANOSECONDS)
    graph.say(past, 'joint_trajectory', qos.COMMAND)
    assert eventually(lambda: refusals(node) == {'rejected_ends_in_the_past': 1})
