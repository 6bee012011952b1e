"""A simulated robot in the place of a real one: ``ros2 launch vla_ros sim.launch.py``.

What the drivers of a robot give: cameras, joint states, a controller, the description of the robot and the frames of
its links. The model comes in another terminal: ``ros2 launch vla_ros vla.launch.py robot:=none``, where
ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST keeps it off the network as well. ``demo.launch.py`` is all in one.
"""

from __future__ import annotations

import os
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

from vla_ros.graph import PARAMETERS_FILE, environment, processes
from vla_ros.paths import PACKAGE, config_file
from vla_ros.process import PATIENCE
from vla_ros.viewers import state_publisher

FLAG = ['true', 'false']
URDF = 'so101.urdf'


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the nodes are made when their values are known."""
    return LaunchDescription(
        [
            DeclareLaunchArgument('namespace', default_value='', description='Namespace of the robot.'),
            DeclareLaunchArgument(
                'use_sim_time',
                default_value='false',
                choices=FLAG,
                description='Say the time on /clock, which the nodes then take from there.',
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=str(config_file(PARAMETERS_FILE)),
                description='ROS parameter file.',
            ),
            DeclareLaunchArgument(
                'state_publisher',
                default_value='true',
                choices=FLAG,
                description='Start robot_state_publisher, for the frames of the links.',
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list[SetEnvironmentVariable | Node]:
    """The environment, the simulator and robot_state_publisher."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    simulated_time = value('use_sim_time') == 'true'
    simulator, *_ = processes(
        simulator=True,
        namespace=value('namespace'),
        parameters_file=Path(value('params_file')),
        use_sim_time=simulated_time,
    )
    variables = environment(os.environ, simulator=True)
    actions = [
        *(SetEnvironmentVariable(name, content) for name, content in variables.items()),
        LifecycleNode(
            package=PACKAGE,
            executable=simulator.executable,
            name=simulator.executable,
            namespace=simulator.namespace,
            parameters=[*map(str, simulator.parameter_files), dict(simulator.parameters)],
            output='screen',
            **dict(zip(('sigterm_timeout', 'sigkill_timeout'), map(str, PATIENCE))),
        ),
    ]
    if value('state_publisher') == 'true':
        node = state_publisher(URDF)
        texts = {name: ParameterValue(text, value_type=str) for name, text in node.texts}
        actions.append(
            Node(
                package=node.package,
                executable=node.package,
                namespace=simulator.namespace,
                parameters=[{'use_sim_time': simulated_time, **texts}],
                output='screen',
            )
        )
    return actions
