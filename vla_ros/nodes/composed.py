"""Several nodes in one process: no image crosses a process border, and one command starts a robot.

Names of nodes may be given as arguments (``composed perception reasoning action``); without any it is the four that a
simulated robot needs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from rclpy.utilities import remove_ros_args

from vla_ros.graph import NODES
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.main import run

# In the order in which they shut down: what drives the arm before what it drives.
CLASSES = {
    'action': 'ActionNode',
    'reasoning': 'ReasoningNode',
    'perception': 'PerceptionNode',
    'simulator': 'SimulatorNode',
    'visualise': 'VisualiseNode',
}


def makers(names: Sequence[str]) -> list[Callable[[], VlaNode]]:
    """The classes of the named nodes; modules of others are not imported, so no simulator is needed on a robot."""
    return [
        getattr(import_module(f'vla_ros.nodes.{name}'), CLASSES[name]) for name in CLASSES if name in names
    ]


def main() -> int:
    """Entry point of the executable ``composed``."""
    names = remove_ros_args(sys.argv)[1:] or [spec.name for spec in NODES]
    unknown = [name for name in names if name not in CLASSES]
    if unknown:
        print(f'error: node: expected some of {list(CLASSES)}, found {unknown}', file=sys.stderr)
        return 2
    return run(makers(names))


if __name__ == '__main__':
    raise SystemExit(main())
