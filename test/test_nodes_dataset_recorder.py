"""``vla_ros record`` as a process of its own, over real DDS: what a robot says becomes a dataset that can be read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('pyarrow')
pytest.importorskip('av')

from node_graph import PATIENCE, Graph
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMessage

from vla_ros.dataset.reader import DatasetReader
from vla_ros.interfaces import OBSERVER, interfaces
from vla_ros.nodes import dataset_recorder, qos
from vla_ros.nodes.dataset_recorder import DatasetRecorder, WritingThread
from vla_ros.nodes.image_messages import image_message
from vla_ros.nodes.joint_messages import joints_message, trajectory_message
from vla_ros.nodes.recording_session import RecordingSession, SessionSettings
from vla_ros.robots import load_robot
from vla_ros.types import NANOSECONDS, JointSample, JointTrajectory

JOINTS = load_robot('so101').joint_names
FPS = 10


@pytest.fixture
def recording(ros_domain: int, tmp_path: Path):
    """The command, running; whoever takes it ends it."""
    command = [sys.executable, '-m', 'vla_ros.cli', 'record', '--out', str(tmp_path / 'data')]
    command += [
        '--simulator',
        '--fps',
        str(FPS),
        '--task',
        'tidy up',
        '--json',
        str(tmp_path / 'counts.json'),
    ]
    process = subprocess.Popen(
        command, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()


class Arm:
    """Publishes at a robot's rate; what a busy machine loses must not matter to what is kept."""

    def __init__(self, graph: Graph) -> None:
        self._rate = threading.Event()
        self._graph, self._now, self._position = graph, 100 * NANOSECONDS, 0.0

    def run(self, steps: int, speed: float) -> None:
        """Steps of 50 ms; every other one has pictures."""
        for step in range(steps):
            self._rate.wait(0.05)
            self._now += NANOSECONDS // 20
            if step % 2 == 0:
                for camera, size in (('front', 64), ('wrist', 32)):
                    shown = image_message(np.full((size, size, 3), step, np.uint8), self._now)
                    self._graph.say(shown, f'camera/{camera}/image_raw', qos.CAMERA)
            self._position += speed / 20
            sample = JointSample(self._now, np.full(len(JOINTS), self._position), np.zeros(len(JOINTS)))
            self._graph.say(joints_message(JOINTS, sample), 'joint_states', qos.JOINT_STATES_OUT)

    def plan(self) -> None:
        rows = np.stack([np.full(len(JOINTS), self._position + way) for way in (0.0, 1.0)])
        still = np.zeros_like(rows)
        plan = JointTrajectory(JOINTS, np.array([0.0, 1.0]), rows, still, still)
        self._graph.say(trajectory_message(plan), 'joint_trajectory', qos.COMMAND)


def test_given_a_robot_that_follows_an_order_when_ctrl_c_comes_then_the_episode_is_whole(
    graph: Graph, recording: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert recording.stdout is not None
    assert 'Ctrl-C ends' in recording.stdout.readline()
    arm = Arm(graph)
    arm.run(2, 0.0)
    graph.say(String(data='lift the cube'), 'instruction', qos.LATCHED)
    arm.run(1, 0.0)
    for _ in range(4):
        arm.plan()
        arm.run(10, 0.5)
    recording.send_signal(signal.SIGINT)
    said, _ = recording.communicate(timeout=PATIENCE)

    assert recording.returncode == 0, said
    counts = json.loads((tmp_path / 'counts.json').read_text())
    reader = DatasetReader(tmp_path / 'data')
    assert len(reader.episodes) == counts['episodes'] >= 1
    assert sum(episode.length for episode in reader.episodes) == counts['frames'] > 0
    assert f'episode 0: {reader.episodes[0].length} frames' in said
    numbers = reader.numbers(0)
    assert reader.spec.joints == JOINTS
    assert reader.spec.cameras == {'front': (64, 64), 'wrist': (32, 32)}
    assert set(numbers.tasks) == {'lift the cube'}
    steps = np.diff(numbers.state[:, 0])
    assert steps.min() > -1e-6
    assert steps.max() <= 0.5 / FPS + 1e-6
    assert len(list(reader.images(0, 'wrist', range(len(numbers.tasks))))) == len(numbers.tasks)


def test_the_recorder_hears_what_the_observer_may_hear_and_says_nothing(graph: Graph, tmp_path: Path) -> None:
    settings = SessionSettings(JOINTS, ('front', 'wrist'), FPS)
    writing = WritingThread(tmp_path / 'data', settings, 'so101', print)
    try:
        session = RecordingSession(settings, writing)
        node = graph.add(
            lambda **options: DatasetRecorder(session, settings, compressed=False, **_plain(options))
        )
        allowed = interfaces(('front', 'wrist'), simulator=True)[OBSERVER]
        heard = {subscription.topic_name for subscription in node.subscriptions}
        assert heard <= {f'/{topic.lstrip("/")}' for topic in allowed.subscribes}
        bad = JointState(name=['nobody'], position=[0.0])
        graph.say(bad, 'joint_states', qos.JOINT_STATES_OUT)
        graph.say(JointTrajectoryMessage(), 'joint_trajectory', qos.COMMAND)
    finally:
        writing.close()


def _plain(options: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if name != 'parameter_overrides'}


def test_given_a_full_disk_then_the_thread_says_so_and_takes_on_without_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from recordings import SPEC, frame

    from vla_ros.types import VlaError

    class Full:
        def __init__(self, *_: object) -> None:
            raise VlaError('the disk is full')

    monkeypatch.setattr(dataset_recorder, 'DatasetWriter', Full)
    settings = SessionSettings(SPEC.joints, tuple(SPEC.cameras), SPEC.fps)
    writing = WritingThread(tmp_path / 'data', settings, 'toy', print)
    for number in range(3 * dataset_recorder.QUEUE):
        writing.frame(frame(0, number % 20))
    writing.end()
    writing.close()
    assert writing.error == 'the disk is full'
