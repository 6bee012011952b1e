"""Records live topics as a dataset in LeRobot's format, until Ctrl-C: one episode an order.

Pictures are encoded in a thread of its own. It is given frames by a queue that holds seconds of them; when the machine
cannot keep up, listening waits, and the frames that are missed are counted as repeated.
"""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from vla_ros.dataset.recording import RecordedFrame, RecordingSpec
from vla_ros.dataset.writer import DatasetWriter, require_room
from vla_ros.interfaces import COMMANDS, NODE_NAMES, OBSERVER, WORDS
from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import image_from_compressed, image_from_message
from vla_ros.nodes.joining import join_graph
from vla_ros.nodes.joint_messages import joints_from_message, trajectory_from_message
from vla_ros.nodes.messages import nanoseconds
from vla_ros.nodes.recording_session import RecordingSession, SessionSettings
from vla_ros.robots import Robot
from vla_ros.types import VlaError

QUEUE = 100
"""Frames that wait to be encoded at most."""
Say = Callable[[str], None]


class WritingThread:
    """A sink of frames that writes them in a thread of its own.

    Attributes:
        error: why it writes no more, one sentence; '' while all is well.
    """

    def __init__(self, folder: Path, settings: SessionSettings, robot: str, say: Say) -> None:
        require_room(folder)
        self.error = ''
        self._folder, self._settings, self._robot, self._say = folder, settings, robot, say
        self._queue: queue.Queue[RecordedFrame | str] = queue.Queue(QUEUE)
        self._writer: DatasetWriter | None = None
        self._thread = threading.Thread(target=self._run, name='dataset writer')
        self._thread.start()

    def frame(self, frame: RecordedFrame) -> None:
        self._queue.put(frame)

    def end(self) -> None:
        self._queue.put('end')

    def drop(self) -> None:
        self._queue.put('drop')

    def close(self) -> None:
        """Write what is waiting, and end."""
        self._queue.put('close')
        self._thread.join()

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            try:
                if not self.error:
                    self._write(item)
            except VlaError as error:
                self.error = str(error)
            if item == 'close':
                return

    def _write(self, item: RecordedFrame | str) -> None:
        if isinstance(item, RecordedFrame):
            if self._writer is None:
                sizes = {name: (image.shape[0], image.shape[1]) for name, image in item.images.items()}
                spec = RecordingSpec(self._settings.fps, self._settings.joints, sizes, self._robot)
                self._writer = DatasetWriter(self._folder, spec)
            self._writer.add(item)
        elif self._writer is not None:
            if item == 'end':
                number, length = self._writer.episodes, self._writer.length
                self._writer.end_episode()
                self._say(f'episode {number}: {length} frames, {length / self._settings.fps:.1f} s')
            elif item == 'drop':
                self._writer.drop_episode()
            else:
                self._writer.close()


class DatasetRecorder(Node):
    """Hears joint states, cameras, plans and instructions. Commands nothing."""

    def __init__(
        self, session: RecordingSession, settings: SessionSettings, *, compressed: bool, **options: Any
    ) -> None:
        super().__init__(NODE_NAMES[OBSERVER], **options)
        self._session, self._names = session, settings.joints
        listen = self.create_subscription
        listen(JointState, 'joint_states', self._on_joints, qos.JOINT_STATES_IN)
        listen(JointTrajectoryMessage, COMMANDS, self._on_plan, qos.COMMAND)
        listen(String, WORDS, self._on_words, qos.LATCHED)
        for camera in settings.cameras:
            topic = f'camera/{camera}/image_raw'
            hear = partial(self._on_picture, camera)
            if compressed:
                listen(CompressedImage, f'{topic}/compressed', hear, qos.CAMERA)
            else:
                listen(Image, topic, hear, qos.CAMERA)

    def _on_joints(self, message: JointState) -> None:
        try:
            sample = joints_from_message(message, self._names)
        except VlaError as error:
            self._session.counts[str(error)] += 1
            return
        self._session.on_joints(sample)

    def _on_plan(self, message: JointTrajectoryMessage) -> None:
        try:
            plan = trajectory_from_message(_complete(message))
        except VlaError as error:
            self._session.counts[str(error)] += 1
            return
        self._session.on_plan(plan, nanoseconds(message.header.stamp))

    def _on_words(self, message: String) -> None:
        self._session.on_words(message.data)

    def _on_picture(self, camera: str, message: Any) -> None:
        decode = image_from_message if isinstance(message, Image) else image_from_compressed
        self._session.on_picture(camera, nanoseconds(message.header.stamp), partial(decode, message))


def record(
    folder: Path,
    robot: Robot,
    *,
    fps: int,
    task: str,
    idle: float,
    namespace: str,
    simulator: bool,
    compressed: bool,
    say: Say,
) -> dict[str, int]:
    """Record until SIGINT or SIGTERM; the episode that is under way then is kept.

    Args:
        simulator: the topics are those of the simulated robot, not those of the robot's drivers.

    Returns:
        How many of what, see ``RecordingSession.counts``.

    Raises:
        VlaError: the folder is not empty, a package is missing, pictures cannot be kept, or the disk is full.
    """
    cameras = tuple(camera.name for camera in robot.cameras)
    settings = SessionSettings(robot.joint_names, cameras, fps, ' '.join(task.split()), idle)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    join_graph()
    writing = WritingThread(folder, settings, robot.name, say)
    session = RecordingSession(settings, writing)
    remaps = () if simulator else robot.remaps
    options = [word for ours, theirs in remaps for word in ('-r', f'{ours}:={theirs}')]
    node = DatasetRecorder(
        session,
        settings,
        compressed=compressed,
        namespace=namespace,
        cli_args=['--ros-args', *options] if options else None,
    )
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    say(f'recording to {folder} at {fps} frames a second; Ctrl-C ends')
    try:
        while not (ended.is_set() or writing.error):
            executor.spin_once(timeout_sec=0.2)
    finally:
        session.finish()
        writing.close()
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown()
    if writing.error:
        raise VlaError(writing.error)
    return dict(session.counts)


def _complete(message: JointTrajectoryMessage) -> JointTrajectoryMessage:
    """The message with zeros where a sender gives no velocities or accelerations, as many bridges do."""
    for point in message.points:
        for field in ('velocities', 'accelerations'):
            if not len(getattr(point, field)):
                setattr(point, field, [0.0] * len(point.positions))
    return message
