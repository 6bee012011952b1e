"""What is published is what the bag holds, and what is read from it again."""

from __future__ import annotations

import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rclpy
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory

from vla_ros.evaluation.bag import read_bag
from vla_ros.nodes import qos
from vla_ros.nodes.joint_messages import trajectory_message
from vla_ros.nodes.messages import decision_message
from vla_ros.nodes.recorder import Recorder, channels, subscribe
from vla_ros.nodes.supervisor import free_domain
from vla_ros.types import Decision, Verdict, VlaError
from vla_ros.types import JointTrajectory as Plan

NAMES = ('shoulder_pan', 'gripper')
DECISION = Decision(
    Verdict.GO, 'touch red cube', 'touch the red cube', '<think> i see', (0.25, 0.75), 'front'
)
PLAN = Plan(
    NAMES, np.array([0.0, 0.05]), np.array([[0.1, 0.2], [0.3, 0.4]]), np.zeros((2, 2)), np.zeros((2, 2))
)


def padded_image() -> Image:
    """2 x 3 pixels rgb8, rows 16 bytes apart; pixel i has the value i."""
    rows = np.zeros((2, 16), np.uint8)
    rows[:, :9] = np.repeat(np.arange(6, dtype=np.uint8), 3).reshape(2, 9)
    message = Image(height=2, width=3, step=16, encoding='rgb8')
    message.data = array.array('B', rows.tobytes())
    return message


def score() -> DiagnosticArray:
    values = [KeyValue(key='success', value='true'), KeyValue(key='failure', value='')]
    return DiagnosticArray(status=[DiagnosticStatus(name='simulator: score', values=values)])


def report() -> DiagnosticArray:
    values = [KeyValue(key='lifecycle', value='active')]
    return DiagnosticArray(status=[DiagnosticStatus(name='action: vla_ros', message='OK', values=values)])


SENT = {
    'camera/front/image_raw': (Image, padded_image, qos.CAMERA),
    'instruction': (String, lambda: String(data='touch the red cube'), qos.LATCHED),
    'reasoning/trace': (String, lambda: String(data='<think> i see'), qos.TRACE),
    'reasoning/decision': (DiagnosticArray, lambda: decision_message(DECISION, 5), qos.LATCHED),
    # Published in another order than the plan's, and without velocity and effort.
    'joint_states': (
        JointState,
        lambda: JointState(name=list(NAMES), position=[0.5, 0.6]),
        qos.JOINT_STATES_OUT,
    ),
    'joint_trajectory': (JointTrajectory, lambda: trajectory_message(PLAN), qos.COMMAND),
    'simulator/score': (DiagnosticArray, score, qos.SCORE),
    '/diagnostics': (DiagnosticArray, report, qos.DIAGNOSTICS),
}


@pytest.fixture(scope='module')
def bag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp('run') / 'bag'
    context = Context()
    rclpy.init(context=context, domain_id=free_domain())
    node = Node('both', namespace='arm', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    recorder = Recorder(folder)
    counted: list[str] = []
    add = recorder.add

    def count(connection: object, received: int, serialised: bytes) -> None:
        counted.append(connection.topic)  # type: ignore[attr-defined]
        add(connection, received, serialised)

    recorder.add = count  # type: ignore[method-assign]
    subscribe(node, recorder, channels(['front']))
    publishers = {
        topic: node.create_publisher(kind, topic, profile) for topic, (kind, _, profile) in SENT.items()
    }
    while not all(publisher.get_subscription_count() for publisher in publishers.values()):
        executor.spin_once(timeout_sec=0.05)
    for topic, (_, make, _) in SENT.items():
        publishers[topic].publish(make())
    while len(counted) < len(SENT):
        executor.spin_once(timeout_sec=0.05)
    recorder.close()
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()
    yield folder


def test_the_bag_is_laid_out_as_ros2_bag_does(bag: Path) -> None:
    metadata = yaml.safe_load((bag / 'metadata.yaml').read_text())['rosbag2_bagfile_information']

    assert metadata['storage_identifier'] == 'mcap'
    assert metadata['relative_file_paths'] == [path.name for path in bag.glob('*.mcap')]
    assert metadata['message_count'] == len(SENT)
    topics = {entry['topic_metadata']['name']: entry for entry in metadata['topics_with_message_count']}
    assert topics['/arm/instruction']['topic_metadata']['type'] == 'std_msgs/msg/String'
    assert topics['/diagnostics']['message_count'] == 1


def test_an_independent_reader_decodes_every_message(bag: Path) -> None:
    from mcap.reader import make_reader
    from mcap_ros2.decoder import DecoderFactory

    with next(bag.glob('*.mcap')).open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        found = {channel.topic: message for _, channel, _, message in reader.iter_decoded_messages()}

    assert found['/arm/instruction'].data == 'touch the red cube'
    assert list(found['/arm/joint_states'].position) == [0.5, 0.6]


def test_latched_topics_are_latched_again_when_they_are_played(bag: Path) -> None:
    from rosbags.interfaces import QosDurability
    from rosbags.rosbag2 import Reader

    with Reader(bag) as reader:
        durable = {
            c.topic
            for c in reader.connections
            if c.ext.offered_qos_profiles[0].durability is QosDurability.TRANSIENT_LOCAL
        }

    assert durable == {
        f'/arm/{topic}'
        for topic in (
            'action/limits',
            'instruction',
            'reasoning/decision',
            'robot_description',
            *(f'visualise/{what}' for what in ('target', 'trace', 'workspace')),
        )
    }


def test_everything_is_read_back_as_it_was_said(bag: Path) -> None:
    found = read_bag(bag, namespace='arm')

    assert found.instructions.values == ('touch the red cube',)
    assert found.traces.values == ('<think> i see',)
    assert found.decisions.values == (DECISION,)
    assert found.joint_names == NAMES
    assert found.joints.values[0].tolist() == [0.5, 0.6]
    assert found.scores.values == ({'success': 'true', 'failure': ''},)
    assert found.diagnostics['action'].values == ({'summary': 'OK', 'lifecycle': 'active'},)
    assert found.arrivals['instruction'].times[0] > 1e9


def test_a_padded_image_is_read_without_its_padding(bag: Path) -> None:
    image = read_bag(bag, namespace='arm').cameras['front'].values[0]

    assert image.shape == (2, 3, 3)
    assert image[..., 0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_plan_is_read_as_it_was_sent(bag: Path) -> None:
    (plan,) = read_bag(bag, namespace='arm').plans.values

    assert plan.times == pytest.approx(PLAN.times)
    assert plan.positions.tolist() == PLAN.positions.tolist()


def test_an_old_bag_is_replaced_and_any_other_folder_is_left_alone(tmp_path: Path) -> None:
    Recorder(tmp_path / 'bag').close()
    Recorder(tmp_path / 'bag').close()
    precious = tmp_path / 'thesis'
    precious.mkdir()
    (precious / 'chapter1.txt').write_text('words')

    with pytest.raises(VlaError, match='thesis is not a bag'):
        Recorder(precious)

    assert (precious / 'chapter1.txt').read_text() == 'words'


def test_a_folder_without_a_bag_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(VlaError, match=r'expected a folder with an \.mcap file'):
        read_bag(tmp_path)


def test_a_bag_that_was_cut_off_is_refused_in_one_sentence(bag: Path, tmp_path: Path) -> None:
    content = next(bag.glob('*.mcap')).read_bytes()
    (tmp_path / 'cut.mcap').write_bytes(content[: len(content) // 2])

    with pytest.raises(VlaError, match=r'cut\.mcap cannot be read'):
        read_bag(tmp_path)


def test_every_topic_of_a_camera_is_recorded() -> None:
    topics = {channel.topic for channel in channels(['front', 'wrist'])}

    assert {'camera/wrist/image_raw', 'camera/wrist/camera_info', 'perception/wrist/image'} <= topics
