"""Plays a bag to the nodes over DDS: cameras, joint states, words and /clock, at the pace of the clock in the bag.

What the bag holds of the nodes' own results is not played. The arm is enabled with each instruction, and disabled with
an empty one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState

from vla_ros.bundle import load_bundle
from vla_ros.evaluation.cdr import restamped
from vla_ros.evaluation.replay.bag import Bag
from vla_ros.evaluation.replay.layout import find_layout
from vla_ros.evaluation.replay.reader import BagReader
from vla_ros.evaluation.replay.stream import (
    Calibrated,
    CameraFrame,
    ClockSet,
    Instruction,
    Joints,
    Message,
)
from vla_ros.graph import MODEL_NODES
from vla_ros.nodes import qos
from vla_ros.nodes.bringup import START_TIMEOUT
from vla_ros.nodes.client import Client
from vla_ros.nodes.image_messages import camera_info_message
from vla_ros.nodes.joint_messages import joints_message
from vla_ros.nodes.messages import time_message
from vla_ros.paths import bundle_directory
from vla_ros.types import NANOSECONDS, VlaError

TICK = 10_000_000  # ns from one /clock to the next, if nothing else comes
SETTLING = 0.5  # seconds for which the clock stands still at the beginning, until all nodes have it


class Player:
    """Publishes the messages of a stream; use it as a context manager.

    Args:
        joint_names: of the joint states.
        instruct: says words and enables the arm.
        rate: seconds of the bag a second.
    """

    def __init__(
        self,
        joint_names: tuple[str, ...],
        instruct: Callable[[str], object],
        *,
        namespace: str = '',
        rate: float = 1.0,
    ) -> None:
        self._names, self._instruct, self._rate = joint_names, instruct, rate
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = Node('player', namespace=namespace, context=self._context)
        self._publishers: dict[str, Publisher] = {}
        self._clock_topic = self._node.create_publisher(Clock, '/clock', qos.CLOCK)
        self._clock = 0  # ns that the clock shows when the time line is at 0

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *_: object) -> None:
        self._node.destroy_node()
        self._context.try_shutdown()

    def play(self, messages: Iterable[Message], hear: Callable[[Message], None]) -> None:
        """Play to the end; ``hear`` is told each message when it is sent."""
        begun: float | None = None
        ticked = 0
        for message in messages:
            if begun is None:
                self._settle(message)
                begun = time.monotonic()
            while ticked + TICK < message.at:
                ticked += TICK
                self._wait(begun, ticked)
                self._tick(ticked)
            self._wait(begun, message.at)
            if isinstance(message, ClockSet):
                self._clock = message.clock - message.at
            self._tick(message.at)
            self._send(message)
            hear(message)

    def _settle(self, first: Message) -> None:
        """Show everybody the first time before anything is stamped with it."""
        if isinstance(first, ClockSet):
            self._clock = first.clock - first.at
        until = time.monotonic() + SETTLING
        while time.monotonic() < until:
            self._tick(0)
            time.sleep(0.02)

    def _wait(self, begun: float, at: int) -> None:
        time.sleep(max(0.0, begun + at / NANOSECONDS / self._rate - time.monotonic()))

    def _tick(self, at: int) -> None:
        self._clock_topic.publish(Clock(clock=time_message(self._clock + at)))

    def _send(self, message: Message) -> None:
        if isinstance(message, CameraFrame):
            topic = f'camera/{message.camera}/image_raw'
            kind, topic = (CompressedImage, f'{topic}/compressed') if message.compressed else (Image, topic)
            self._publisher(kind, topic, qos.PLAYED).publish(restamped(message.data, message.stamp))
        elif isinstance(message, Calibrated):
            stamp = self._clock + message.at
            information = (
                CameraInfo() if message.model is None else camera_info_message(message.model, stamp, '')
            )
            topic = f'camera/{message.camera}/camera_info'
            self._publisher(CameraInfo, topic, qos.PLAYED).publish(information)
        elif isinstance(message, Joints):
            state = joints_message(self._names, message.sample)
            self._publisher(JointState, 'joint_states', qos.PLAYED).publish(state)
        elif isinstance(message, Instruction):
            self._instruct(message.words)

    def open(self, cameras: Iterable[str], compressed: bool) -> None:
        """Open the topics before they are played, so that nobody misses the first message."""
        for camera in cameras:
            topic = f'camera/{camera}/image_raw'
            if compressed:
                self._publisher(CompressedImage, f'{topic}/compressed', qos.PLAYED)
            else:
                self._publisher(Image, topic, qos.PLAYED)
            self._publisher(CameraInfo, f'camera/{camera}/camera_info', qos.PLAYED)
        self._publisher(JointState, 'joint_states', qos.PLAYED)

    def is_heard(self) -> bool:
        """Whether somebody listens to each of the topics that are open."""
        return all(publisher.get_subscription_count() for publisher in self._publishers.values())

    def _publisher(self, kind: Any, topic: str, profile: Any) -> Publisher:
        if topic not in self._publishers:
            self._publishers[topic] = self._node.create_publisher(kind, topic, profile)
        return self._publishers[topic]


def say(client: Client, words: str) -> None:
    """Enable the arm and give an instruction; '' stops and disables it."""
    if words.strip():
        client.enable()
    client.instruct(words)
    if not words.strip():
        client.enable(False)


def wait_for_nodes(client: Client, player: Player, check: Callable[[], None]) -> None:
    """Wait until the model's nodes are active and hear what will be played.

    Raises:
        VlaError: they do not in time.
    """
    client.wait_active([node.name for node in MODEL_NODES], START_TIMEOUT, check)
    client.require(player.is_heard, START_TIMEOUT, 'not all topics of the bag found a listener', check)
    client.require(client.is_heard, START_TIMEOUT, 'nobody listens to instructions', check)
    client.enable(False)  # as it is; the service is found now, and not while the bag plays


def main() -> int:
    """Entry point of the executable ``player``: wait for the nodes, play one bag, end."""
    parser = argparse.ArgumentParser(prog='player', description=__doc__)
    parser.add_argument('bag', type=Path)
    parser.add_argument('--bundle', default='tabletop', help='the model, for its cameras and joints')
    parser.add_argument('--namespace', default='', help='of the nodes, now and in the bag')
    parser.add_argument('--rate', type=float, default=1.0, help='seconds of the bag a second')
    options = parser.parse_args(rclpy.utilities.remove_ros_args(sys.argv)[1:])
    try:
        manifest = load_bundle(bundle_directory(options.bundle)).manifest
        bag = Bag(options.bag)
        topics = {topic.name: (topic.type_name, topic.count) for topic in bag.topics.values()}
        cameras = [camera.name for camera in manifest.cameras]
        layout = find_layout(topics, cameras, options.namespace)
        joints = tuple(manifest.robot.joints)
        reader = BagReader(bag, layout, joints)
        with (
            Client(options.namespace) as client,
            Player(joints, partial(say, client), namespace=options.namespace, rate=options.rate) as player,
        ):
            player.open(cameras, layout.compressed)
            wait_for_nodes(client, player, lambda: None)
            player.play(reader.messages(), lambda _: None)
    except VlaError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
