"""A whole graph as processes of this machine: started, waited for, recorded and stopped again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vla_ros import graph
from vla_ros.nodes.supervisor import Supervisor, free_domain
from vla_ros.process import Process
from vla_ros.types import VlaError

START_TIMEOUT = 60.0
"""Seconds until all nodes must be active: loading models on a machine that is busy with other things."""


def prepare_environment(*, simulator: bool, own_domain: bool) -> None:
    """Set this process's environment as the graph's, so that both hear each other; before rclpy is initialised.

    Args:
        own_domain: pick a free ROS domain, unless the person has set one.
    """
    os.environ.update(graph.environment(os.environ, simulator=simulator))
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    if own_domain and 'ROS_DOMAIN_ID' not in os.environ:
        os.environ['ROS_DOMAIN_ID'] = str(free_domain())


def recorder_command(folder: Path, cameras: Sequence[str]) -> list[str]:
    """The command that records a bag."""
    return [sys.executable, '-m', 'vla_ros.nodes.recorder', str(folder), '--cameras', *cameras]


@contextmanager
def running(
    processes: Sequence[Process],
    logs: Path,
    bag: Path | None = None,
    cameras: Sequence[str] = ('front', 'wrist'),
) -> Iterator[Supervisor]:
    """Start the processes, and a recorder before them if there is a ``bag`` to write; stop them all in the end.

    They are stopped against the flow of data: what drives the arm first, then what it drives, then the recorder.

    Args:
        cameras: those whose images are recorded.
    """
    environment = {**os.environ, 'PYTHONUNBUFFERED': '1', 'ROS_LOG_DIR': str((logs / 'ros').resolve())}
    with Supervisor(logs, environment) as supervisor:
        if bag is not None:
            supervisor.start('recorder', recorder_command(bag, cameras))
        for process in processes:
            supervisor.start(process.executable, process.command())
        yield supervisor


def require_ros() -> None:
    """Raise VlaError, saying what to do, if there is no ROS 2 for this Python."""
    try:
        import rclpy  # noqa: F401
        import trajectory_msgs.msg  # noqa: F401
    except ImportError as error:
        raise VlaError(
            f"ROS 2 is not there ({error}); source /opt/ros/jazzy/setup.bash, or pip install 'vla_ros[ros]'"
        ) from error
