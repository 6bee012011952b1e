"""A recorded bag through the nodes: ``ros2 launch vla_ros replay.launch.py bag:=/path/to/bag``, to watch in rviz.

Also takes the arguments of vla.launch.py. The nodes take the time from the bag. They are kept off the network, and no
controller hears what they plan: it is on ``joint_trajectory``. Everything ends with the bag. To compare and to test
there is ``vla_ros replay --live``.
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
    Shutdown,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from vla_ros.graph import NO_ROBOT, environment, player
from vla_ros.paths import PACKAGE


def generate_launch_description() -> LaunchDescription:
    """The graph without a robot, and the player."""
    source = PythonLaunchDescriptionSource(str(Path(__file__).with_name('vla.launch.py')))
    given = [('use_sim_time', 'true'), ('robot', NO_ROBOT)]
    return LaunchDescription(
        [
            DeclareLaunchArgument('bag', description='Folder of the bag, or its .mcap or .db3 file.'),
            DeclareLaunchArgument('rate', default_value='1.0', description='Seconds of the bag a second.'),
            *(
                SetEnvironmentVariable(name, content)
                for name, content in environment(os.environ, simulator=True).items()
            ),
            IncludeLaunchDescription(source, launch_arguments=given),
            OpaqueFunction(function=play),
        ]
    )


def play(context: LaunchContext) -> list[Node]:
    """The player, whose end is the end of everything."""

    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    process = player(
        value('bag'),
        bundle=value('model'),
        namespace=value('namespace'),
        rate=float(value('rate')),
        log_level=value('log_level'),
    )
    return [
        Node(
            package=PACKAGE,
            executable=process.executable,
            arguments=list(process.arguments),
            ros_arguments=['--log-level', process.log_level],
            output='screen',
            on_exit=[Shutdown(reason='the bag is over')],
        )
    ]
