"""What a person looks with: ``ros2 launch vla_ros rviz.launch.py``, on the robot's machine or on another one.

rviz2 with the displays of config/vla.rviz, and the node that draws for them. ``urdf`` starts robot_state_publisher as
well, for a robot whose drivers do not: without the frames of its links rviz shows no robot.
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
from vla_ros.viewers import rviz, state_publisher

FLAG = ['true', 'false']


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the nodes are made when their values are known."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'robot', default_value='so101', description='Whose plans to draw, as for vla.launch.py.'
            ),
            DeclareLaunchArgument('namespace', default_value='', description='Namespace of the nodes.'),
            DeclareLaunchArgument(
                'use_sim_time', default_value='false', choices=FLAG, description='Take the time from /clock.'
            ),
            DeclareLaunchArgument(
                'params_file',
                default_value=str(config_file(PARAMETERS_FILE)),
                description='ROS parameter file.',
            ),
            DeclareLaunchArgument(
                'urdf',
                default_value='',
                description='File, or one of config/robots/, for robot_state_publisher; empty: do not start it.',
            ),
            DeclareLaunchArgument(
                'rviz_config', default_value='', description='Displays; empty: those of config/vla.rviz.'
            ),
            *(SetEnvironmentVariable(name, content) for name, content in environment(os.environ).items()),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list[Node]:
    """The node that draws, rviz2, and robot_state_publisher if there is a ``urdf``."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    simulated_time = value('use_sim_time') == 'true'
    *_, drawing = processes(
        simulator=False,
        visualise=True,
        robot=value('robot'),
        namespace=value('namespace'),
        parameters_file=Path(value('params_file')),
        use_sim_time=simulated_time,
    )
    stock = [rviz(value('rviz_config')), *([state_publisher(value('urdf'))] if value('urdf') else [])]
    return [
        LifecycleNode(
            package=PACKAGE,
            executable=drawing.executable,
            name=drawing.executable,
            namespace=drawing.namespace,
            parameters=[*map(str, drawing.parameter_files), dict(drawing.parameters)],
            remappings=list(drawing.remaps),
            output='screen',
        ),
        *(
            Node(
                package=node.package,
                executable=node.package,
                namespace=drawing.namespace,
                parameters=[
                    {
                        'use_sim_time': simulated_time,
                        **{name: ParameterValue(text, value_type=str) for name, text in node.texts},
                    }
                ],
                arguments=list(node.arguments),
                output='screen',
            )
            for node in stock
        ),
    ]
