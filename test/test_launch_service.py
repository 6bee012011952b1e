"""The launch files under the real launch: processes start, get active, come back, and end well by one SIGINT.

Skipped where ``launch_ros`` is not: it comes with ROS 2 and not from PyPI. ``scripts/check_launch.sh`` says more.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('launch_ros')
pytest.importorskip('mujoco')

from launch_stand_ins import LAUNCH
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from node_graph import Graph, eventually
from replay_bags import ros_messages, write_bag
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool

from vla_ros.diagnostics import node_and_task
from vla_ros.evaluation.rest import REST_SPEED
from vla_ros.graph import COMPOSED, MODEL_NODES, NODES, PLAYER, RECORDER, VISUALISE
from vla_ros.nodes import qos
from vla_ros.sim.model import JOINT_NAMES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PATIENCE = 300.0  # seconds: each test starts up to eight processes at once
TESTS = Path(__file__).parent
MODEL = [spec.name for spec in MODEL_NODES]
EVERYBODY = [spec.name for spec in NODES]
STARTED = re.compile(r'\[(\w+)-\d+\]: process started with pid \[(\d+)\]')
FINISHED = re.compile(r'\[(\w+)-\d+\]: process has finished cleanly')


@dataclass(frozen=True)
class Launched:
    """A running launch, and what it has said so far."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(encoding='utf-8')

    def started(self) -> list[tuple[str, int]]:
        """Executables and process ids, in the order of their start."""
        return [(name, int(pid)) for name, pid in STARTED.findall(self.said)]

    def interrupt(self) -> None:
        """One SIGINT to the launch alone, which has to end everything."""
        self.process.send_signal(signal.SIGINT)
        self.require_clean_end()

    def require_clean_end(self) -> None:
        assert self.process.wait(PATIENCE) == 0, self.said
        finished = FINISHED.findall(self.said)
        assert sorted(finished) == sorted(name for name, _ in self.started()), self.said
        assert 'escalating' not in self.said


@contextmanager
def launched(folder: Path, file: str, **arguments: object) -> Iterator[Launched]:
    """Launch a file, with the nodes of this source tree as the package; nothing is left of it afterwards."""
    log = folder / 'launch.log'
    paths = os.pathsep.join([str(TESTS.parent), os.environ.get('PYTHONPATH', '')])
    prefixes = os.pathsep.join([str(folder / 'prefix'), os.environ.get('AMENT_PREFIX_PATH', '')])
    with log.open('wb') as output:
        process = subprocess.Popen(
            [
                sys.executable,
                str(TESTS / 'launch_file.py'),
                str(LAUNCH / file),
                *(f'{name}:={value}' for name, value in arguments.items()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'PYTHONPATH': paths, 'AMENT_PREFIX_PATH': prefixes.strip(os.pathsep)},
            start_new_session=True,
        )
    try:
        yield Launched(process, log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def write_package(prefix: Path, name: str, executables: Mapping[str, str]) -> None:
    """A package as the index of ament knows it, whose executables are lines of shell."""
    marker = prefix / 'share' / 'ament_index' / 'resource_index' / 'packages' / name
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    folder = prefix / 'lib' / name
    folder.mkdir(parents=True)
    for executable, line in executables.items():
        file = folder / executable
        file.write_text(f'#!/bin/sh\n{line}\n')
        file.chmod(0o755)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('node_graph.PATIENCE', PATIENCE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a prefix of ament: our nodes, and in the place of the stock ones what waits to be ended."""
    prefix = tmp_path / 'prefix'
    ours = [*EVERYBODY, VISUALISE.name, COMPOSED, RECORDER, PLAYER]
    write_package(
        prefix, 'vla_ros', {name: f'exec {sys.executable} -m vla_ros.nodes.{name} "$@"' for name in ours}
    )
    waits = 'trap "exit 0" INT TERM; echo "given: $@"; while :; do sleep 0.1; done'
    for stock in ('rviz2', 'robot_state_publisher'):
        write_package(prefix, stock, {stock: waits})
    return tmp_path


def states(graph: Graph) -> dict[str, str]:
    """By full name of a node, the last lifecycle state that it told on /diagnostics."""
    return {
        node_and_task(status.name)[0]: pair.value
        for message in list(graph.diagnostics.messages)
        for status in message.status
        for pair in status.values
        if pair.key == 'lifecycle'
    }


def are(graph: Graph, state: str, *names: str) -> Callable[[], bool]:
    return lambda: all(states(graph).get(name) == state for name in names)


def test_given_the_demo_in_a_namespace_when_interrupted_then_all_ends_well_and_the_bag_is_whole(
    graph: Graph, folder: Path
) -> None:
    bag = folder / 'bag'
    options = {'use_sim_time': 'true', 'record': bag, 'rviz': 'true'}
    with launched(folder, 'demo.launch.py', namespace='left', **options) as launch:
        names = [f'left/{name}' for name in (*EVERYBODY, VISUALISE.name)]
        assert eventually(are(graph, 'active', *names)), launch.said
        assert [name for name, _ in launch.started()] == [
            RECORDER,
            *EVERYBODY,
            VISUALISE.name,
            'rviz2',
            'robot_state_publisher',
        ]
        assert eventually(lambda: launch.said.count('given: ') == 2)
        assert 'vla.rviz' in launch.said

        launch.interrupt()

    rosbag2 = pytest.importorskip('rosbags.rosbag2')
    with rosbag2.Reader(bag) as reader:
        recorded = {topic for topic, found in reader.topics.items() if found.msgcount}
    assert {'/left/joint_states', '/left/camera/front/image_raw', '/diagnostics'} <= recorded


def test_given_respawn_when_the_composed_nodes_are_killed_then_they_get_active_again(
    graph: Graph, folder: Path
) -> None:
    with launched(folder, 'vla.launch.py', simulator='true', composed='true', respawn='true') as launch:
        assert eventually(are(graph, 'active', *EVERYBODY)), launch.said
        ((_, pid),) = launch.started()

        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: len(launch.started()) == 2), launch.said
        graph.diagnostics.messages.clear()

        assert eventually(are(graph, 'active', *EVERYBODY)), launch.said
        launch.process.send_signal(signal.SIGINT)
        assert launch.process.wait(PATIENCE) == 0
        assert FINISHED.findall(launch.said) == [COMPOSED], launch.said


def test_given_autostart_false_when_launched_then_somebody_else_takes_the_nodes_through_their_lifecycle(
    graph: Graph, folder: Path
) -> None:
    arguments = {'robot': 'none', 'autostart': 'false', 'log_level': 'debug'}
    with launched(folder, 'vla.launch.py', **arguments) as launch:
        assert eventually(are(graph, 'unconfigured', *MODEL)), launch.said
        assert 'DEBUG' in launch.said

        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            request = ChangeState.Request(transition=Transition(id=transition))
            for name in MODEL:
                assert graph.call(ChangeState, f'{name}/change_state', request).success, launch.said

        assert eventually(are(graph, 'active', *MODEL)), launch.said
        launch.interrupt()


def test_given_a_moving_arm_when_the_model_is_interrupted_then_the_arm_is_braked_and_rests(
    graph: Graph, folder: Path
) -> None:
    other = folder / 'other'
    other.mkdir()
    (other / 'prefix').symlink_to(folder / 'prefix')
    joints = graph.ear(JointState, 'joint_states', qos.JOINT_STATES_IN)

    def fastest() -> float:
        return max((abs(speed) for speed in joints.messages[-1].velocity), default=0.0)

    with (
        launched(folder, 'sim.launch.py', use_sim_time='true') as robot,
        launched(other, 'vla.launch.py', robot='none', composed='true', use_sim_time='true') as model,
    ):
        assert eventually(are(graph, 'active', *EVERYBODY)), robot.said + model.said
        assert [name for name, _ in robot.started()] == ['simulator', 'robot_state_publisher']
        assert graph.call(SetBool, 'action/enable', SetBool.Request(data=True)).success
        graph.say(String(data='touch the green cube'), 'instruction', qos.LATCHED)
        assert eventually(lambda: fastest() > 4 * REST_SPEED), model.said

        model.interrupt()

        assert 'braking: deactivated' in model.said
        assert eventually(lambda: fastest() < REST_SPEED)
        robot.interrupt()


def of_the_arm(message: Any) -> Any:
    """The same message, with the joints of the model."""
    if isinstance(message, JointState):
        message.name = list(JOINT_NAMES)
        message.position = message.velocity = array('d', [0.0] * len(JOINT_NAMES))
    return message


def test_given_a_bag_when_it_is_over_then_the_replay_ends_by_itself(graph: Graph, folder: Path) -> None:
    messages = [(topic, at, of_the_arm(message)) for topic, at, message in ros_messages(1.0)]
    with launched(folder, 'replay.launch.py', bag=write_bag(folder / 'bag', messages)) as launch:
        launch.require_clean_end()
        assert {name for name, _ in launch.started()} == {*MODEL, PLAYER}
