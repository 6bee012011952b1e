"""The fault injector passes everything on as it came, until it is told what to spoil, and then spoils just that."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from node_graph import Graph, eventually
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState

from vla_ros.nodes import qos
from vla_ros.nodes.fault_graph import REROUTED, processes
from vla_ros.nodes.fault_injector import FAULTS, NONE, RELAYED, FaultInjector, faulty
from vla_ros.nodes.fault_spoilers import CAMERAS, CLOCK, LATE, ONE_LATE, SPOILERS, stamp_of
from vla_ros.nodes.image_messages import image_from_message, image_message, matrix_message
from vla_ros.nodes.joint_messages import joints_message
from vla_ros.nodes.messages import time_message
from vla_ros.paths import bundle_directory
from vla_ros.types import NANOSECONDS, JointSample, VlaError

JOINTS = ('pan', 'lift', 'gripper')
PERIOD = 50_000_000  # ns
START = 100 * NANOSECONDS


@pytest.fixture
def graph(ros_domain: int) -> Iterator[Graph]:
    with Graph(ros_domain) as made:
        yield made


def stamp(i: int) -> int:
    return START + i * PERIOD


def pictures(count: int) -> list[Any]:
    return [image_message(np.full((4, 6, 3), 40 + i, np.uint8), stamp(i), 'optical') for i in range(count)]


def joints(count: int) -> list[Any]:
    return [
        joints_message(JOINTS, JointSample(stamp(i), np.full(3, 0.1 * i), np.zeros(3))) for i in range(count)
    ]


def matrices(count: int) -> list[Any]:
    return [matrix_message(np.full((2, 3), i, np.float32), stamp(i)) for i in range(count)]


def spoiled(how: str, messages: list[Any]) -> list[Any]:
    spoil = SPOILERS[how].make()
    return [out for message in messages for out in spoil(message)]


def order(messages: list[Any]) -> list[int]:
    return [(stamp_of(message) - START) // PERIOD for message in messages]


def test_what_is_silent_says_nothing() -> None:
    for how in ('cameras_silent', 'joints_silent', 'thoughts_silent', 'clock_frozen', 'perception_cut_off'):
        assert spoiled(how, pictures(3)) == []


@pytest.mark.parametrize(
    ('how', 'messages', 'expected'),
    [
        ('camera_doubled', pictures(2), [0, 0, 1, 1]),
        ('camera_out_of_order', pictures(6), [0, 2, 1, 4, 3]),
        ('camera_repeats', pictures(3), [0, 0, 0]),
        ('camera_frozen', pictures(3), [0, 1, 2]),
        ('camera_late', pictures(20), list(range(20 - round(LATE * NANOSECONDS / PERIOD)))),
        ('joints_back_in_time', joints(2), [-20, -19]),
        ('thoughts_stale', matrices(2), [-200, -199]),
    ],
)
def test_messages_come_with_the_stamps_and_in_the_order_of_the_fault(
    how: str, messages: list[Any], expected: list[int]
) -> None:
    assert order(spoiled(how, messages)) == expected


def test_one_late_frame_comes_after_those_that_followed_it() -> None:
    late = round(ONE_LATE * NANOSECONDS / PERIOD)

    assert order(spoiled('camera_one_late', pictures(late + 2))) == [*range(1, late + 1), 0, late + 1]


def test_a_frozen_picture_stays_the_same_and_a_black_one_is_dark() -> None:
    frozen = [image_from_message(message) for message in spoiled('camera_frozen', pictures(3))]
    assert all(np.array_equal(image, frozen[0]) for image in frozen)
    black = image_from_message(spoiled('camera_black', pictures(1))[0])
    assert black.max() < 3


@pytest.mark.parametrize('how', ['camera_wrong_size', 'camera_wrong_encoding'])
def test_a_malformed_image_cannot_be_read(how: str) -> None:
    (message,) = spoiled(how, pictures(1))

    with pytest.raises(VlaError):
        image_from_message(message)


def test_joints_are_spoiled_where_it_is_said() -> None:
    assert math.isnan(spoiled('joints_nan', joints(1))[0].position[1])
    assert list(spoiled('joints_missing', joints(1))[0].name) == ['pan', 'lift']
    jumps = [message.position[1] for message in spoiled('joints_jump', joints(3))]
    assert np.abs(np.diff(jumps)).min() > 0.4


def test_matrices_are_spoiled_where_it_is_said() -> None:
    assert spoiled('thoughts_wrong_shape', matrices(1))[0].width == 4
    assert spoiled('thoughts_of_another_bundle', matrices(1))[0].header.frame_id
    assert np.isnan(np.frombuffer(spoiled('thoughts_nan', matrices(1))[0].data, np.float32)).sum() == 1


def test_a_clock_goes_back() -> None:
    (clock,) = spoiled('clock_back', [Clock(clock=time_message(START))])

    assert stamp_of(clock) == START - 5 * NANOSECONDS


def test_everything_that_can_be_spoiled_is_relayed_and_rerouted() -> None:
    assert {topic for spoiler in SPOILERS.values() for topic in spoiler.topics} <= set(RELAYED)
    assert {topic for topics in REROUTED.values() for topic in topics} == set(RELAYED)
    assert {f'/faulty{CLOCK}', f'faulty/{CAMERAS[0]}'} <= {faulty(topic) for topic in RELAYED}


def test_the_processes_are_those_of_the_package_but_for_their_inputs(tmp_path) -> None:
    found = processes(bundle_directory('tabletop'), tmp_path / 'motion.bin')

    assert list(found) == ['simulator', 'perception', 'reasoning', 'action']
    assert ('joint_states', 'faulty/joint_states') in found['action'].remaps
    assert found['simulator'].remaps == ()
    assert dict(found['simulator'].parameters)['motion_log'] == str(tmp_path / 'motion.bin')


def test_messages_pass_unchanged_until_they_are_spoiled_and_again_afterwards(graph: Graph) -> None:
    node = graph.add(FaultInjector)
    ear = graph.ear(JointState, 'faulty/joint_states', QoSProfile(depth=100))
    assert eventually(lambda: node.count_subscribers('/faulty/joint_states') == 1)

    def command(fault: str) -> bool:
        (result,) = node.set_parameters([Parameter('fault', value=fault)])
        return bool(result.successful)

    first, second, third = joints(3)
    graph.say(first, 'joint_states', qos.JOINT_STATES_OUT)
    assert serialize_message(ear.wait()) == serialize_message(first)

    assert command('joints_nan')
    graph.say(second, 'joint_states', qos.JOINT_STATES_OUT)
    assert math.isnan(ear.wait(after=1).position[1])

    assert command(NONE)
    graph.say(third, 'joint_states', qos.JOINT_STATES_OUT)
    assert serialize_message(ear.wait(after=2)) == serialize_message(third)

    assert command('flood joint_states')
    assert eventually(lambda: len(ear.messages) > 100)
    assert command(NONE)
    assert not command('gremlins')
    assert 'gremlins' not in FAULTS
