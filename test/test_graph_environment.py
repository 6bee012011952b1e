"""The environment of the graph: Fast DDS reads our profile where there is room, and a simulated robot stays alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from vla_ros import graph
from vla_ros.graph import (
    environment,
)
from vla_ros.paths import config_file


def test_given_room_in_shared_memory_when_asked_then_fast_dds_reads_our_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph, '_free_shared_memory', lambda: graph.SHARED_MEMORY_NEEDED)

    profile = str(config_file('fastdds.xml'))
    assert environment({}) == {
        'FASTRTPS_DEFAULT_PROFILES_FILE': profile,
        'FASTDDS_DEFAULT_PROFILES_FILE': profile,
    }


def test_given_little_shared_memory_when_asked_then_fast_dds_keeps_its_small_segments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph, '_free_shared_memory', lambda: graph.SHARED_MEMORY_NEEDED - 1)

    assert environment({}) == {}


@pytest.mark.parametrize(
    'name', ['FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS']
)
def test_what_a_person_has_set_is_left_alone(name: str) -> None:
    assert environment({name: 'mine'}) == {}
    assert environment({name: 'mine', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}, simulator=True) == {}


def test_a_simulated_robot_stays_off_the_network() -> None:
    assert environment({}, simulator=True)['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert 'ROS_AUTOMATIC_DISCOVERY_RANGE' not in environment({})


def test_on_humble_a_simulated_robot_stays_off_the_network_by_the_variable_that_is_known_there() -> None:
    found = environment({'ROS_DISTRO': 'humble'}, simulator=True)

    assert found['ROS_LOCALHOST_ONLY'] == '1' and 'ROS_AUTOMATIC_DISCOVERY_RANGE' not in found
    assert 'ROS_LOCALHOST_ONLY' not in environment({'ROS_DISTRO': 'jazzy'}, simulator=True)


def test_fast_dds_understands_the_profile(ros_domain: int) -> None:
    pytest.importorskip('rclpy')
    program = "import rclpy; rclpy.init(); rclpy.create_node('probe'); print('up')"
    variables = {'FASTRTPS_DEFAULT_PROFILES_FILE': str(config_file('fastdds.xml'))}

    started = run_with(program, variables)
    broken = run_with(program, {'FASTRTPS_DEFAULT_PROFILES_FILE': __file__})

    assert started.stdout == 'up\n'
    assert 'XMLPARSER' in broken.stdout  # so the silence above means something


def run_with(program: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program with standard error in its standard output."""
    return subprocess.run(
        [sys.executable, '-c', program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **variables},
    )
