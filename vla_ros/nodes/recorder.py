"""Records every topic of the package, undecoded, into an MCAP bag that Foxglove and ``ros2 bag`` open."""

from __future__ import annotations

import argparse
import queue
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from vla_ros.nodes.distributions import with_arrival
from vla_ros.nodes.joining import join_graph
from vla_ros.types import VlaError

NODE_NAME = 'recorder'


@dataclass(frozen=True)
class Channel:
    """A topic to record.

    Attributes:
        reliable: ask for every message; otherwise hear best-effort publishers too.
        latched: hear what was said before, and tell players to say it to latecomers.
    """

    topic: str
    message_type: Any
    reliable: bool = True
    latched: bool = False

    @property
    def type_name(self) -> str:
        """As bags spell it: 'sensor_msgs/msg/Image'."""
        package = self.message_type.__module__.split('.')[0]
        return f'{package}/msg/{self.message_type.__name__}'

    def profile(self) -> QoSProfile:
        """How to subscribe."""
        return QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=50,
            reliability=ReliabilityPolicy.RELIABLE if self.reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if self.latched else DurabilityPolicy.VOLATILE,
        )


def channels(cameras: Sequence[str]) -> list[Channel]:
    """Every topic of the package, for the given cameras."""
    found = [
        Channel('instruction', String, latched=True),
        Channel('reasoning/decision', DiagnosticArray, latched=True),
        Channel('reasoning/trace', String),
        Channel('reasoning/thought', Image),
        Channel('reasoning/image', Image, reliable=False),
        Channel('reasoning/markers', MarkerArray, reliable=False),
        Channel('perception/tokens', Image, reliable=False),
        Channel('joint_states', JointState, reliable=False),
        Channel('joint_trajectory', JointTrajectory),
        Channel('robot_description', String, latched=True),
        Channel('action/dry_run', JointTrajectory),
        Channel('action/limits', DiagnosticArray, latched=True),
        Channel('visualise/robot', MarkerArray),
        Channel('visualise/ghost', MarkerArray),
        Channel('visualise/path', MarkerArray),
        Channel('visualise/target', MarkerArray, latched=True),
        Channel('visualise/trace', MarkerArray, latched=True),
        Channel('visualise/workspace', MarkerArray, latched=True),
        Channel('simulator/score', DiagnosticArray),
        Channel('/diagnostics', DiagnosticArray),
        Channel('/clock', Clock, reliable=False),
    ]
    for camera in cameras:
        found += [
            Channel(f'camera/{camera}/image_raw', Image, reliable=False),
            Channel(f'camera/{camera}/camera_info', CameraInfo, reliable=False),
            Channel(f'perception/{camera}/image', Image, reliable=False),
        ]
    return found


class Recorder:
    """Writes serialised messages, handed in from any thread, to a bag in a thread of its own.

    Attributes:
        error: why it writes no more, one sentence; '' while all is well.
    """

    def __init__(self, folder: Path) -> None:
        """Open a new bag.

        Args:
            folder: of the new bag; an old bag in its place is replaced, anything else is left alone.

        Raises:
            VlaError: rosbags is not installed, or the folder is there and no bag.
        """
        try:
            from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
            from rosbags.typesys import Stores, get_typestore
        except ImportError as error:
            raise VlaError('rosbags is not installed; pip install rosbags') from error
        if folder.exists():
            if (
                any(folder.iterdir())
                and not (folder / 'metadata.yaml').is_file()
                and not list(folder.glob('*.mcap'))
            ):
                raise VlaError(f'{folder} is not a bag; name another folder to record to')
            shutil.rmtree(folder)
        self._types = get_typestore(Stores.ROS2_JAZZY)
        self._writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        # Chunks inside of the file are compressed: readers need not know, and drawn images shrink to a tenth.
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        self._folder = folder
        self.error = ''
        self._queue: queue.SimpleQueue[tuple[Any, int, bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name='bag writer')
        self._thread.start()

    def connect(self, topic: str, channel: Channel) -> Any:
        """A connection to ``add`` messages to; ``topic`` is the resolved name."""
        return self._writer.add_connection(
            topic, channel.type_name, typestore=self._types, offered_qos_profiles=[_offered(channel)]
        )

    def add(self, connection: Any, received_ns: int, serialised: bytes) -> None:
        """Leave one message for the writer; never blocks, and keeps nothing that cannot be written."""
        if not self.error:
            self._queue.put((connection, received_ns, serialised))

    def close(self) -> None:
        """Write what waits, the index and ``metadata.yaml``."""
        self._queue.put(None)
        self._thread.join()
        try:
            self._writer.close()
        except OSError as error:
            self._fail(error)

    def _write(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                self._writer.write(*item)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.error = self.error or f'{self._folder} could not be written: {error.strerror}'


def _offered(channel: Channel) -> Any:
    from rosbags.interfaces import (
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )

    unlimited = QosTime(sec=2147483647, nsec=4294967295)
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=1 if channel.latched else 10,
        reliability=QosReliability.RELIABLE if channel.reliable else QosReliability.BEST_EFFORT,
        durability=QosDurability.TRANSIENT_LOCAL if channel.latched else QosDurability.VOLATILE,
        deadline=unlimited,
        lifespan=unlimited,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=unlimited,
        avoid_ros_namespace_conventions=False,
    )


def subscribe(node: Node, recorder: Recorder, wanted: Sequence[Channel]) -> None:
    """Record the channels from the node's namespace, as raw bytes stamped when the middleware received them."""
    for channel in wanted:
        connection = recorder.connect(node.resolve_topic_name(channel.topic), channel)

        callback = _receiver(node, recorder, connection)
        node.create_subscription(channel.message_type, channel.topic, callback, channel.profile(), raw=True)


def _receiver(node: Node, recorder: Recorder, connection: Any) -> Any:
    def receive(serialised: bytes, received: int) -> None:
        recorder.add(connection, received or node.get_clock().now().nanoseconds, serialised)

    return with_arrival(receive)


def main() -> int:
    """Entry point: record until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog='recorder', description=__doc__)
    parser.add_argument('folder', type=Path, help='of the new bag')
    parser.add_argument('--cameras', nargs='*', default=['front', 'wrist'], help='names of the cameras')
    options = parser.parse_args(rclpy.utilities.remove_ros_args(sys.argv)[1:])
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        join_graph(sys.argv)
        recorder = Recorder(options.folder)
    except VlaError as error:
        print(f'error: {error}', file=sys.stderr)
        rclpy.try_shutdown()
        return 1
    node = Node(NODE_NAME)
    subscribe(node, recorder, channels(options.cameras))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while not (ended.is_set() or recorder.error):
        executor.spin_once(timeout_sec=0.2)
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown()
    recorder.close()
    if recorder.error:
        print(f'error: {recorder.error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
