"""What nodes tell of themselves on /diagnostics: levels, and the names of tasks, as diagnostic_updater has them.

A status is named 'node: task'; the name of the node has its namespace, without the slash before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

HARDWARE_ID = 'vla_ros'
"""Of every status of the package."""
STATE_TASK = 'vla_ros'
"""The node as a whole: the first status of its array."""
TOPIC_TASK = ' topic status'
"""What comes behind the name of a topic in that of its task."""
LIMITS_TASK = 'limits'
"""The limits in force, one value a joint."""


class Level(IntEnum):
    """As in diagnostic_msgs/DiagnosticStatus. STALE is for who listens: it was said too long ago."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Report:
    """One look at something: ``values`` are key and value as text."""

    level: Level
    summary: str
    values: dict[str, str] = field(default_factory=dict)


def status_name(node: str, task: str) -> str:
    """The name of a status; ``node`` is fully qualified."""
    return f'{node.lstrip("/")}: {task}'


def node_and_task(name: str) -> tuple[str, str]:
    """What a status is of: 'left/action' and 'limits' of 'left/action: limits'."""
    node, _, task = name.partition(': ')
    return node.lstrip('/'), task
