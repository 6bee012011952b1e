"""Nodes as processes: they end with code 0 on SIGINT and SIGTERM, and bring the arm to rest before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy')

from node_graph import JOINTS, PATIENCE, Ear, Graph, rows, write_bundle
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import matrix_message
from vla_ros.nodes.joint_messages import joints_message
from vla_ros.nodes.messages import time_message
from vla_ros.types import NANOSECONDS, JointSample

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parent


@contextmanager
def process(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone afterwards, whatever happens."""
    paths = os.pathsep.join([str(TESTS.parent), os.environ.get('PYTHONPATH', '')])
    with log.open('wb') as output:
        child = subprocess.Popen(
            [sys.executable, *command],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, 'PYTHONPATH': paths},
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()


def wait_active(graph: Graph, name: str) -> None:
    graph.diagnostics.wait(
        lambda m: (
            m.status[0].name.startswith(name)
            and any((pair.key, pair.value) == ('lifecycle', 'active') for pair in m.status[0].values)
        )
    )


def feed_until_it_moves(graph: Graph) -> Ear:
    """Say time, joints, thought and tokens, again and again, until the first plan comes; then time stands still."""
    plans = graph.ear(JointTrajectory, 'joint_trajectory', QoSProfile(depth=50))
    pause = threading.Event()
    for i in range(int(PATIENCE / 0.1)):
        stamp = (100 + i) * NANOSECONDS
        graph.say(Clock(clock=time_message(stamp)), '/clock', qos.STREAM_OUT)
        pause.wait(0.02)
        sample = JointSample(stamp, np.zeros(2), np.zeros(2))
        graph.say(joints_message(JOINTS, sample), 'joint_states', qos.JOINT_STATES_OUT)
        graph.say(matrix_message(rows(1, 5), stamp), 'reasoning/thought', qos.THOUGHT)
        pause.wait(0.02)
        graph.say(matrix_message(rows(4, 3), stamp), 'perception/tokens', qos.STREAM_OUT)
        pause.wait(0.06)
        if plans.messages:
            break
    assert plans.messages, 'the arm never moved'
    return plans


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=['SIGINT', 'SIGTERM'])
def test_a_moving_arm_is_braked_before_the_process_ends(graph, tmp_path, number) -> None:
    bundle = write_bundle(tmp_path / 'tiny')
    parameters = {'bundle': bundle, 'limits_file': bundle / 'joint_limits.yaml', 'use_sim_time': 'true'}
    arguments = [part for name, value in parameters.items() for part in ('-p', f'{name}:={value}')]
    log = tmp_path / 'log'
    with process([str(TESTS / 'steady_action.py'), '--ros-args', *arguments], log) as child:
        wait_active(graph, 'action')
        assert graph.call(SetBool, 'action/enable', SetBool.Request(data=True)).success
        plans = feed_until_it_moves(graph)
        first = plans.messages[0].points[-1].positions[0]

        child.send_signal(number)

        brake = plans.wait(lambda m: m.points[-1].positions[0] < first)
        assert not any(brake.points[-1].velocities)
        assert child.wait(PATIENCE) == 0, log.read_text()
    text = log.read_text()
    assert 'braking: deactivated' in text
    assert 'Traceback' not in text
    assert 'never retrieved' not in text


def test_given_two_signals_at_once_when_a_node_is_ended_then_the_second_does_not_cut_it_short(
    graph, tmp_path
) -> None:
    bundle = write_bundle(tmp_path / 'tiny')
    parameters = {'bundle': bundle, 'limits_file': bundle / 'joint_limits.yaml'}
    arguments = [part for name, value in parameters.items() for part in ('-p', f'{name}:={value}')]
    log = tmp_path / 'log'
    with process([str(TESTS / 'steady_action.py'), '--ros-args', *arguments], log) as child:
        wait_active(graph, 'action')

        child.send_signal(signal.SIGINT)  # by the terminal, and
        child.send_signal(signal.SIGINT)  # by the launch system

        assert child.wait(PATIENCE) == 0, log.read_text()


@pytest.mark.parametrize(
    ('module', 'number'),
    [
        ('simulator', signal.SIGINT),
        ('perception', signal.SIGTERM),
        ('reasoning', signal.SIGINT),
        ('action', signal.SIGTERM),
        ('composed', signal.SIGINT),
        ('composed', signal.SIGTERM),
    ],
)
def test_every_executable_ends_cleanly_by_signal_even_without_a_model(
    graph, tmp_path, module, number
) -> None:
    arguments = ['simulator', 'action'] if module == 'composed' else []
    log = tmp_path / 'log'
    command = ['-m', f'vla_ros.nodes.{module}', *arguments, '--ros-args', '-p', f'bundle:={tmp_path}']
    with process(command, log) as child:
        graph.diagnostics.wait()
        child.send_signal(number)
        assert child.wait(PATIENCE) == 0, log.read_text()
    assert 'Traceback' not in log.read_text()


@pytest.mark.parametrize(
    ('arguments', 'code', 'says'),
    [
        (
            ['--ros-args', '-p', 'replan_rate:=fast'],
            1,
            "error: parameter 'replan_rate': expected float in 0.5",
        ),
        (
            ['--ros-args', '-p', 'replan_rate:=0.0'],
            1,
            "error: parameter 'replan_rate': expected float in 0.5",
        ),
        (['--ros-args', '-p', 'provider:=quantum'], 1, "error: parameter 'provider'"),
        (
            ['--ros-args', '--levitate'],
            1,
            "error: --ros-args: expected arguments that ROS 2 knows, found ['--levitate']",
        ),
        (['--ros-args', '-p'], 1, 'error: ROS 2 does not start: '),
    ],
)
def test_a_parameter_that_cannot_be_is_one_sentence_not_a_traceback(
    ros_domain, tmp_path, arguments, code, says
) -> None:
    log = tmp_path / 'log'
    with process(['-m', 'vla_ros.nodes.action', *arguments], log) as child:
        assert child.wait(PATIENCE) == code
    assert says in log.read_text()
    assert 'Traceback' not in log.read_text()


def test_an_unknown_node_is_named(ros_domain, tmp_path) -> None:
    log = tmp_path / 'log'
    with process(['-m', 'vla_ros.nodes.composed', 'perception', 'levitation'], log) as child:
        assert child.wait(PATIENCE) == 2
    assert "found ['levitation']" in log.read_text()


def test_a_keystore_that_is_not_there_is_one_sentence_not_a_traceback(
    ros_domain, tmp_path, monkeypatch
) -> None:
    keystore = {'ENABLE': 'true', 'STRATEGY': 'Enforce', 'KEYSTORE': str(tmp_path / 'keys')}
    for name, value in keystore.items():
        monkeypatch.setenv(f'ROS_SECURITY_{name}', value)
    log = tmp_path / 'log'
    with process(['-m', 'vla_ros.nodes.action'], log) as child:
        assert child.wait(PATIENCE) == 1
    assert (
        f"error: ROS 2 does not start: failed to initialize rcl: SECURITY ERROR: directory '{tmp_path}"
        in log.read_text()
    )
    assert 'Traceback' not in log.read_text()
