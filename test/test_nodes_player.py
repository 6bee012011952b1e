"""A bag played over DDS arrives as it was recorded, on its own clock."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from replay_bags import BEGAN, CAMERAS, GO, JOINTS, make_model, ros_messages, write_bag
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState

from vla_ros.evaluation.replay.faults import Fault
from vla_ros.evaluation.replay.run import Selection, open_stream
from vla_ros.evaluation.replay.stream import CameraFrame, End, Instruction
from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import image_from_compressed, image_from_message
from vla_ros.nodes.live_replay import _refusals
from vla_ros.nodes.messages import nanoseconds
from vla_ros.nodes.player import Player
from vla_ros.types import NANOSECONDS

FAST = 2.0


@pytest.mark.parametrize('compressed', [False, True], ids=['raw', 'compressed'])
def test_cameras_joints_words_and_clock_arrive_as_they_were_recorded(
    compressed: bool, ros_domain: int, tmp_path: Path, wait_until
) -> None:
    bag = write_bag(tmp_path / 'bag', ros_messages(1.0, compressed=compressed))
    selection = Selection(faults=(Fault('stale_camera', 0.45, 0.1),))
    messages = list(open_stream(bag, make_model(), selection)())
    context = Context()
    context.init(args=[], domain_id=ros_domain)
    listener = Node('listener', context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    heard: dict[str, list] = {'clock': [], 'joints': [], 'front': [], 'words': []}
    kind, suffix = (CompressedImage, '/compressed') if compressed else (Image, '')
    listener.create_subscription(Clock, '/clock', heard['clock'].append, qos.PLAYED)
    listener.create_subscription(JointState, 'joint_states', heard['joints'].append, qos.PLAYED)
    listener.create_subscription(kind, f'camera/front/image_raw{suffix}', heard['front'].append, qos.PLAYED)

    with Player(JOINTS, heard['words'].append, rate=FAST) as player:
        player.open(CAMERAS, compressed)
        opened = player._publishers
        needed = [player._clock_topic, opened['joint_states'], opened[f'camera/front/image_raw{suffix}']]
        assert wait_until(lambda: all(p.get_subscription_count() for p in needed), 60.0, executor)
        playing = threading.Thread(target=player.play, args=(messages, lambda _: None))
        playing.start()
        assert wait_until(lambda: len(heard['joints']) == 50 and len(heard['front']) == 10, 60.0, executor)
        playing.join()
    executor.shutdown()
    listener.destroy_node()
    context.try_shutdown()

    ticks = [nanoseconds(tick.clock) for tick in heard['clock']]
    assert ticks == sorted(ticks) and ticks[0] == BEGAN and ticks[-1] >= BEGAN + 900_000_000
    assert heard['words'] == [GO]
    assert list(heard['joints'][7].name) == list(JOINTS)
    frames = [m for m in messages if isinstance(m, CameraFrame) and m.camera == 'front']
    stamps = [nanoseconds(image.header.stamp) for image in heard['front']]
    assert stamps == [frame.stamp for frame in frames]
    assert stamps[5] == BEGAN + NANOSECONDS // 2 - NANOSECONDS  # the stale one
    decode = image_from_compressed if compressed else image_from_message
    np.testing.assert_array_equal(decode(heard['front'][3]), frames[3].image())


def test_what_the_nodes_counted_on_diagnostics_is_counted_in_the_result() -> None:
    reports = {
        'action': {'refused stale_observation': '2', 'refused hold': '0', 'enabled': 'True'},
        'perception': {'refused bad_image': '1', 'refused so': 'far'},
    }

    found = _refusals(reports, 3.0)

    assert [(one.node, one.reason) for one in found] == [
        ('action', 'stale_observation'),
        ('action', 'stale_observation'),
        ('perception', 'bad_image'),
    ]


def test_the_end_of_a_bag_and_what_was_said_are_in_the_stream_that_is_played(tmp_path: Path) -> None:
    messages = list(open_stream(write_bag(tmp_path / 'bag', ros_messages(1.0)), make_model(), Selection())())

    assert isinstance(messages[-1], End)
    assert [m.words for m in messages if isinstance(m, Instruction)] == [GO]
