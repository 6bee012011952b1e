"""Perception, reasoning and action on a robot: ``ros2 launch vla_ros vla.launch.py robot:=so101``.

The nodes configure and activate themselves (``autostart:=false`` leaves that to a lifecycle manager), and the arm
stays where it is until ``action/enable`` is called with true. What runs stands in ``vla_ros.graph``.
"""

from __future__ import annotations

import os
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from vla_ros.action.generations import GENERATIONS
from vla_ros.graph import PARAMETERS_FILE, RECORDER, ROBOT, environment, processes, recorder
from vla_ros.paths import PACKAGE, config_file
from vla_ros.process import PATIENCE, Process
from vla_ros.robots import robot_names

FLAG = ['true', 'false']
LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal']
RESPAWN_DELAY = 2.0  # seconds


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the processes are made when their values are known."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'robot',
                default_value=ROBOT,
                description=f'The arm: one of {", ".join(robot_names())}, the path of such a file, or none.',
            ),
            DeclareLaunchArgument(
                'namespace', default_value='', description='Namespace of all nodes and topics.'
            ),
            DeclareLaunchArgument(
                'use_sim_time', default_value='false', choices=FLAG, description='Take the time from /clock.'
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=str(config_file(PARAMETERS_FILE)),
                description='ROS parameter file.',
            ),
            DeclareLaunchArgument(
                'model',
                default_value='',
                description='Name or folder of a model bundle; empty: as in params_file.',
            ),
            DeclareLaunchArgument(
                'providers',
                default_value='',
                description='Where the model runs: cpu, cuda or tensorrt, or for some nodes only, as '
                'perception=cuda,action=tensorrt; empty: as in params_file.',
            ),
            DeclareLaunchArgument(
                'generation',
                default_value='',
                choices=['', *map(str, GENERATIONS)],
                description="Of the bundle's System 1: 2 for flow matching, 1 for action tokens; empty: as in "
                'params_file.',
            ),
            DeclareLaunchArgument(
                'autostart',
                default_value='',
                choices=['', *FLAG],
                description='Configure and activate the nodes; empty: as in params_file.',
            ),
            DeclareLaunchArgument(
                'composed', default_value='false', choices=FLAG, description='All nodes in one process.'
            ),
            DeclareLaunchArgument(
                'simulator',
                default_value='false',
                choices=FLAG,
                description='A simulated robot instead of a real one.',
            ),
            DeclareLaunchArgument(
                'respawn',
                default_value='false',
                choices=FLAG,
                description='Start a node again that ends by itself; the arm stays disabled then.',
            ),
            DeclareLaunchArgument(
                'log_level', default_value='info', choices=LOG_LEVELS, description='Log level of all nodes.'
            ),
            DeclareLaunchArgument(
                'enclaves',
                default_value='',
                description='SROS2 enclave that holds one for each node, as /vla_ros; empty: none.',
            ),
            DeclareLaunchArgument(
                'rviz', default_value='false', choices=FLAG, description='rviz2 beside it.'
            ),
            DeclareLaunchArgument(
                'record', default_value='', description='Folder of a new bag for all topics; empty: none.'
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list[SetEnvironmentVariable | Node | IncludeLaunchDescription]:
    """The environment, one action for each process, and what watches them."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    simulator = value('simulator') == 'true'
    common = {
        'simulator': simulator,
        'robot': value('robot'),
        'namespace': value('namespace'),
        'log_level': value('log_level'),
    }
    graph = processes(
        **common,
        composed=value('composed') == 'true',
        parameters_file=Path(value('params_file')),
        bundle=value('model'),
        providers=value('providers'),
        generation=int(value('generation')) if value('generation') else None,
        autostart=value('autostart') == 'true' if value('autostart') else None,
        use_sim_time=value('use_sim_time') == 'true',
        enclaves=value('enclaves'),
        respawn=value('respawn') == 'true',
    )
    watchers = [recorder(value('record'), **common)] if value('record') else []
    variables = environment(os.environ, simulator=simulator)
    return [
        *(SetEnvironmentVariable(name, content) for name, content in variables.items()),
        *(node(process) for process in (*watchers, *graph)),
        *(viewers(simulator) if value('rviz') == 'true' else []),
    ]


def viewers(simulator: bool) -> list[IncludeLaunchDescription]:
    """rviz.launch.py with the same arguments; nobody else says where the links of a simulated robot are."""
    source = PythonLaunchDescriptionSource(str(Path(__file__).with_name('rviz.launch.py')))
    simulated = [('robot', 'none'), ('urdf', 'so101.urdf')]
    return [IncludeLaunchDescription(source, launch_arguments=simulated if simulator else [])]


def node(process: Process) -> Node:
    """A process as a launch action; one with several nodes must not be given a name, or all of them take it."""
    enclave = ['--enclave', process.enclave] if process.enclave else []
    common = {
        'package': PACKAGE,
        'executable': process.executable,
        'namespace': process.namespace,
        'parameters': [
            *map(str, process.parameter_files),
            *([dict(process.parameters)] if process.parameters else []),
        ],
        'remappings': list(process.remaps),
        'arguments': list(process.arguments),
        'ros_arguments': ['--log-level', process.log_level, *enclave],
        'output': 'screen',
        'respawn': process.respawn,
        'respawn_delay': RESPAWN_DELAY,
        **dict(zip(('sigterm_timeout', 'sigkill_timeout'), map(str, PATIENCE))),
    }
    if len(process.nodes) > 1 or process.nodes == (RECORDER,):
        return Node(**common)
    return LifecycleNode(name=process.nodes[0], **common)
