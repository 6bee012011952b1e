"""All nodes with a simulated SO-101: ``ros2 launch vla_ros demo.launch.py``, with the arguments of vla.launch.py.

Then, for a first motion::

    ros2 service call /action/enable std_srvs/srv/SetBool '{data: true}'
    ros2 topic pub --once --qos-durability transient_local /instruction std_msgs/msg/String '{data: touch the red cube}'
"""

from __future__ import annotations

from pathlib import Path

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource


def generate_launch_description() -> LaunchDescription:
    """Include vla.launch.py with the simulator."""
    source = PythonLaunchDescriptionSource(str(Path(__file__).with_name('vla.launch.py')))
    return LaunchDescription([IncludeLaunchDescription(source, launch_arguments=[('simulator', 'true')])])
