"""What ``ros2 launch`` does where there is ``launch`` alone: ``python test/launch_file.py FILE name:=value ...``."""

from __future__ import annotations

import signal
import sys

from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource


def main(file: str, *arguments: str) -> int:
    """Launch a file until everything in it has ended; 0 if nothing went wrong with the launch itself."""
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # which a shell ignores for what runs in its background
    given = [tuple(argument.split(':=', 1)) for argument in arguments]
    include = IncludeLaunchDescription(PythonLaunchDescriptionSource(file), launch_arguments=given)
    service = LaunchService(noninteractive=True)
    service.include_launch_description(LaunchDescription([include]))
    return int(service.run())


if __name__ == '__main__':
    raise SystemExit(main(*sys.argv[1:]))
