"""Diagnostics, dashboard and inspection over real DDS: what running nodes say of themselves is what is shown."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run

pytest.importorskip('rclpy')

from node_graph import Ear, Graph, eventually, write_bundle
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from steady_action import Steady

from vla_ros.diagnostics import HARDWARE_ID, STATE_TASK, Level, Report
from vla_ros.nodes import qos
from vla_ros.nodes.action import ActionNode
from vla_ros.nodes.client import Client, State
from vla_ros.nodes.image_messages import image_message
from vla_ros.nodes.inspecting import Inspector, in_words
from vla_ros.nodes.lifecycle import DIAGNOSTICS_PERIOD
from vla_ros.nodes.perception import PerceptionNode
from vla_ros.nodes.watching import look, view_of
from vla_ros.robots import START_JUMP
from vla_ros.types import NANOSECONDS, Frame, VisualTokens


class Eyes:
    """Sees the same in everything."""

    providers = ('CPUExecutionProvider',)

    def encode(self, frames: list[Frame]) -> VisualTokens:
        return VisualTokens(min(frame.stamp for frame in frames), np.zeros((4, 3), np.float32))


def perception(graph: Graph, bundle: str, namespace: str = '', **parameters: Any) -> PerceptionNode:
    def make(**options: Any) -> PerceptionNode:
        return PerceptionNode(lambda *_, **__: Eyes(), namespace=namespace, **options)

    node: PerceptionNode = graph.add(make, bundle=bundle, **parameters)
    return node


def action(graph: Graph, folder: Path, namespace: str = '') -> ActionNode:
    bundle = write_bundle(folder / 'tiny')

    def make(**options: Any) -> ActionNode:
        return ActionNode(lambda *_, **__: Steady(), namespace=namespace, **options)

    node: ActionNode = graph.add(make, bundle=str(bundle), limits_file=str(bundle / 'joint_limits.yaml'))
    return node


def statuses(ear: Ear, node: str, fits: Any = lambda _: True) -> dict[str, Any]:
    """The first array of a node in which all is as expected, by name of the status."""

    def named(message: Any) -> dict[str, Any]:
        return {status.name: status for status in message.status}

    message = ear.wait(lambda m: m.status[0].name.startswith(f'{node}: ') and fits(named(m)))
    return named(message)


def test_a_node_tells_once_a_second_of_itself_first_and_of_each_topic_as_a_task(graph, bundle) -> None:
    perception(graph, bundle, namespace='left')

    found = statuses(graph.diagnostics, 'left/perception', lambda named: len(named) > 1)

    assert DIAGNOSTICS_PERIOD == 1.0
    assert [*found] == [
        'left/perception: vla_ros',
        'left/perception: camera front topic status',
        'left/perception: camera wrist topic status',
        'left/perception: tokens topic status',
    ]
    assert {status.hardware_id for status in found.values()} == {HARDWARE_ID}


def test_a_camera_that_is_missing_is_an_error_and_one_that_is_there_is_not(graph, bundle) -> None:
    node = perception(graph, bundle, min_contrast=0.0)
    assert eventually(lambda: node.is_active)

    topic = 'camera/front/image_raw'

    def show(_: Any) -> bool:
        graph.say(image_message(np.zeros((6, 8, 3), np.uint8), graph.now(), 'x'), topic, qos.CAMERA)
        return True

    def seen(named: dict[str, Any]) -> bool:
        show(named)
        return (
            named['perception: camera front topic status'].level == bytes([Level.OK])
            and named['perception: camera front topic status'].message == 'Desired frequency met'
            and named['perception: camera wrist topic status'].level == bytes([Level.ERROR])
        )

    show(None)
    node.set_parameters([parameter('max_frame_age', 5.0)])  # one look a second is often enough then
    found = statuses(graph.diagnostics, 'perception', seen)

    values = {pair.key: pair.value for pair in found['perception: camera front topic status'].values}
    assert values['Latest acceptable timestamp delay'] == '5.000000'
    assert float(values['Minimum acceptable frequency (Hz)']) == pytest.approx(0.9 / 5.0)


def test_inactive_it_tells_of_itself_alone(graph, bundle) -> None:
    node = perception(graph, bundle)
    statuses(graph.diagnostics, 'perception', lambda named: len(named) > 1)

    node.trigger_deactivate()
    node.publish_diagnostics()

    found = statuses(graph.diagnostics, 'perception', lambda named: len(named) == 1)
    assert {pair.key: pair.value for pair in found['perception: vla_ros'].values}['lifecycle'] == 'inactive'


def test_the_action_node_tells_what_limits_are_in_force_and_where_they_are_from(graph, tmp_path) -> None:
    action(graph, tmp_path)

    found = statuses(graph.diagnostics, 'action', lambda named: 'action: limits' in named)

    values = {pair.key: pair.value for pair in found['action: limits'].values}
    assert values['pan'] == '-1.5 to 1.5 rad, 2 rad/s, 12 rad/s^2, 150 rad/s^3'
    assert values['limits_file'] == str(tmp_path / 'tiny' / 'joint_limits.yaml')
    assert values['start_jump'] == str([START_JUMP] * 2)


def test_a_client_hears_of_all_and_reports_on_its_own_namespace(graph, bundle) -> None:
    perception(graph, bundle, namespace='left')
    perception(graph, bundle, namespace='right')
    names = {f'{side}/perception: vla_ros' for side in ('left', 'right')}

    with Client('left') as client:
        client.require(lambda: names <= set(client.state.statuses), 60.0, 'not all were heard')

        assert set(client.state.reports) == {'perception'}
        assert set(view_of(client.state).nodes()) == {'left/perception', 'right/perception'}
        assert set(view_of(client.state, 'right').nodes()) == {'right/perception'}
        assert view_of(client.state, '/').nodes() == {}


def test_given_nodes_that_are_found_one_after_another_then_one_look_shows_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class SlowDiscovery:
        """Finds one node more whenever somebody waits."""

        def __init__(self, _namespace: str) -> None:
            self.state, self._found = State(), iter(('action', 'reasoning', 'perception'))

        def __enter__(self) -> SlowDiscovery:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def wait(self, happened: Callable[[], bool], _timeout: float) -> bool:
            name = next(self._found, '')
            if name:
                self.state.statuses[f'{name}: {STATE_TASK}'] = (time.monotonic(), Report(Level.OK, 'OK', {}))
            return happened()

    monkeypatch.setattr('vla_ros.nodes.watching.Client', SlowDiscovery)
    monkeypatch.setattr('vla_ros.nodes.watching.prepare_environment', lambda **_: None)

    seen, _ = look(None, 1.0)

    assert [*seen.nodes()] == ['action', 'perception', 'reasoning']


def test_status_without_a_graph_exits_with_2_and_says_where_it_looked(
    ros_domain: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, 'status', '--once', '--seconds', 0.5) == 2

    error = capsys.readouterr().err
    assert f'ROS_DOMAIN_ID {ros_domain}' in error and 'ROS_AUTOMATIC_DISCOVERY_RANGE' in error


def test_status_of_a_graph_in_error_exits_with_1_and_writes_what_it_saw(
    graph, bundle, tmp_path, monkeypatch, capsys
) -> None:
    perception(graph, bundle, namespace='left')
    # No camera: that is an error, which takes a second to be one.
    statuses(
        graph.diagnostics,
        'left/perception',
        lambda named: any(status.level == bytes([Level.ERROR]) for status in named.values()),
    )

    assert run(monkeypatch, 'status', '--once', '--seconds', 60, '--json', tmp_path / 'x.json') == 1

    assert 'left/perception' in capsys.readouterr().out
    found = json.loads((tmp_path / 'x.json').read_text())
    assert found['level'] == 'ERROR'
    assert found['nodes']['left/perception']['values']['lifecycle'] == 'active'


def test_status_in_a_namespace_without_nodes_says_which_there_are(graph, bundle, monkeypatch, capsys) -> None:
    perception(graph, bundle, namespace='left')
    statuses(graph.diagnostics, 'left/perception')

    assert run(monkeypatch, 'status', '--once', '--seconds', 3, '--namespace', 'right') == 2
    error = capsys.readouterr().err
    assert 'there are nodes in ' in error and '/left: choose with --namespace' in error


def test_inspection_finds_nodes_topics_parameters_and_limits(graph, tmp_path) -> None:
    node = action(graph, tmp_path, namespace='left')
    assert eventually(lambda: node.is_active)

    with Inspector() as inspector:

        def complete() -> bool:
            inspector.listen(0.5)
            found = inspector.picture('left').nodes
            return bool(found) and 'pan' in found[0].limits

        assert eventually(complete)
        picture = inspector.picture('left')
        assert inspector.picture('right').nodes == ()

    (found,) = picture.nodes
    topics = {topic.name: topic for topic in picture.topics}
    assert (found.name, found.lifecycle) == ('/left/action', 'active')
    assert found.parameters['replan_rate'] == 8.0
    assert found.parameters['limits_file'] == str(tmp_path / 'tiny' / 'joint_limits.yaml')
    commands = topics['/left/joint_trajectory']
    assert commands.types == ('trajectory_msgs/msg/JointTrajectory',)
    assert [(end.node, end.promise) for end in commands.publishers] == [('/left/action', 'reliable')]
    assert [(end.node, end.promise) for end in topics['/left/joint_states'].subscribers] == [
        ('/left/action', 'best effort')
    ]
    assert '/diagnostics' not in topics and '/left/action/transition_event' not in topics


def test_ends_that_do_not_meet_are_found(graph, tmp_path) -> None:
    node = action(graph, tmp_path)
    assert eventually(lambda: node.is_active)
    weak = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    graph.tester.create_publisher(Image, 'reasoning/thought', weak)

    with Inspector() as inspector:

        def problem() -> str:
            inspector.listen(0.5)
            found = {topic.name: topic for topic in inspector.picture().topics}
            return found['/reasoning/thought'].problem if '/reasoning/thought' in found else ''

        assert eventually(problem)
        assert problem().startswith('/action does not hear /tester: ')


@pytest.mark.parametrize(
    ('profile', 'words'),
    [(qos.CAMERA, 'best effort'), (qos.COMMAND, 'reliable'), (qos.LATCHED, 'reliable, transient local')],
)
def test_a_quality_of_service_is_told_in_words(profile: QoSProfile, words: str) -> None:
    assert in_words(profile) == words


def test_inspection_without_a_graph_is_one_sentence(
    ros_domain: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, 'inspect', '--graph', '--seconds', 0.5) == 1
    assert 'no node of vla_ros was found' in capsys.readouterr().err


@pytest.mark.parametrize('robot', ['so101', 'franka_panda'])
def test_a_robot_is_shown_with_what_is_published_and_what_is_in_force(
    robot: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(monkeypatch, 'inspect', '--robot', robot, '--json', tmp_path / 'x.json') == 0

    shown = capsys.readouterr().out
    assert ('of ?' in shown) is (robot == 'so101')
    assert json.loads((tmp_path / 'x.json').read_text())['name'] == robot


def parameter(name: str, value: Any) -> Any:
    from rclpy.parameter import Parameter

    return Parameter(name, value=value)


def test_an_age_is_that_of_the_clock_and_a_stamp_of_zero_says_nothing(graph, bundle) -> None:
    node = perception(graph, bundle, autostart=False)

    assert node.age(0) == float('inf')
    assert node.age(node.now() - NANOSECONDS) == pytest.approx(1.0, abs=0.5)
