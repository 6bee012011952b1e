"""What nodes tell of themselves on /diagnostics: levels, and the names of tasks, as diagnostic_updater has them.

A status is named 'node: task'; the name of the node has its namespace, without the slash before it.
"""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True)
class Latency:
    """What a node has measured of something again and again.

    Attributes:
        p50, p99: of the newest, in milliseconds.
        count: of all since the node began.
    """

    p50: float
    p99: float
    count: int


def latency_told(values: Mapping[str, str], name: str) -> Latency | None:
    """The latency of this name among the values of a status; None if it is not there, or not in numbers."""
    try:
        return Latency(
            float(values[f'{name} p50 [ms]']), float(values[f'{name} p99 [ms]']), int(values[f'{name} count'])
        )
    except (KeyError, ValueError):
        return None


def status_name(node: str, task: str) -> str:
    """The name of a status; ``node`` is fully qualified."""
    return f'{node.lstrip("/")}: {task}'


def node_and_task(name: str) -> tuple[str, str]:
    """What a status is of: 'left/action' and 'limits' of 'left/action: limits'."""
    node, _, task = name.partition(': ')
    return node.lstrip('/'), task
