"""What is to be seen of a running graph: reports of its nodes, sorted by what they are about. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vla_ros.diagnostics import LIMITS_TASK, STATE_TASK, Level, Report, node_and_task
from vla_ros.types import Decision

STALE_AFTER = 3.0  # seconds: three reports were missed
SWITCHES = ('enabled', 'stopped', 'dry run', 'moving', 'last brake', 'stitching')
NODE_COLUMNS = ('lifecycle', 'execution providers', 'execution provider missing')
_STREAM = re.compile(r'(?P<name>.+) (?P<what>rate \[Hz\]|age \[s\])')
_ONE_BY_ONE = ' latest [ms]'  # of a latency: for programs, a person has its percentiles
_LATENCY = re.compile(r'(?P<name>.+) (?P<what>p50 \[ms\]|p99 \[ms\]|count)')


@dataclass(frozen=True)
class Told:
    """A report, and how long ago it came in seconds."""

    report: Report
    age: float

    @property
    def level(self) -> Level:
        """Its level, or STALE."""
        return Level.STALE if self.age > STALE_AFTER else self.report.level


@dataclass(frozen=True)
class StatusView:
    """One look at a graph.

    Attributes:
        told: by 'node: task', what was said on /diagnostics.
        decision: the last one, and how long ago it came in seconds; None if none was heard.
        trace: the chain of thought as far as it was heard.
        where: the ROS domain and the namespace, in words.
    """

    told: Mapping[str, Told]
    decision: tuple[Decision, float] | None = None
    trace: str = ''
    where: str = ''

    def nodes(self) -> dict[str, Told]:
        """What each node says of itself, by its name."""
        named = {node_and_task(name): told for name, told in sorted(self.told.items())}
        return {node: told for (node, task), told in named.items() if task == STATE_TASK}

    def tasks(self) -> dict[str, Told]:
        """What is said of topics and the like, by 'node: task'; without the limits, which only are."""
        other = (STATE_TASK, LIMITS_TASK)
        return {n: told for n, told in sorted(self.told.items()) if node_and_task(n)[1] not in other}

    @property
    def worst(self) -> Level:
        """The worst level of all; OK if nothing was heard."""
        return max((told.level for told in self.told.values()), default=Level.OK)

    @property
    def is_in_error(self) -> bool:
        """Whether something does not work, or does not speak any more."""
        return self.worst >= Level.ERROR


@dataclass(frozen=True)
class Row:
    """One line of a table: the node, what it is about, and columns by name."""

    node: str
    about: str
    columns: Mapping[str, str]


def streams(view: StatusView) -> list[Row]:
    """Rate and age of each input and output."""
    return _rows(view, _STREAM)


def latencies(view: StatusView) -> list[Row]:
    """Percentiles of each latency."""
    return _rows(view, _LATENCY)


def refusals(view: StatusView) -> list[Row]:
    """How often each node refused something, by reason; the most frequent first."""
    found = [
        Row(node, key.removeprefix('refused '), {'count': value})
        for node, told in view.nodes().items()
        for key, value in told.report.values.items()
        if key.startswith('refused ')
    ]
    return sorted(found, key=lambda row: -int(row.columns['count']) if row.columns['count'].isdigit() else 0)


def switches(view: StatusView) -> list[Row]:
    """Enabled, stopped, dry run and the like, of each node that has them."""
    return [
        Row(node, key, {'value': told.report.values[key]})
        for node, told in view.nodes().items()
        for key in SWITCHES
        if key in told.report.values
    ]


def others(view: StatusView) -> list[Row]:
    """Every value that no other table shows, but for latencies one by one, which are for programs."""
    return [
        Row(node, key, {'value': value})
        for node, told in view.nodes().items()
        for key, value in told.report.values.items()
        if key not in (*SWITCHES, *NODE_COLUMNS)
        and not (_STREAM.fullmatch(key) or _LATENCY.fullmatch(key))
        and not key.startswith('refused ')
        and not key.endswith(_ONE_BY_ONE)
    ]


def complaints(view: StatusView) -> list[tuple[str, Told]]:
    """What is not well, the worst first: 'node: task' and what it says."""
    wrong = [(name, told) for name, told in view.told.items() if told.level > Level.OK]
    return sorted(wrong, key=lambda item: (-item[1].level, item[0]))


def as_json(view: StatusView) -> dict[str, Any]:
    """All of it in plain values."""
    heard = view.decision
    return {
        'level': view.worst.name,
        'where': view.where,
        'nodes': {node: {'task': STATE_TASK, **_plain(told)} for node, told in view.nodes().items()},
        'tasks': {name: _plain(told) for name, told in sorted(view.told.items())},
        'decision': None
        if heard is None
        else {
            'verdict': heard[0].verdict.value,
            'subtask': heard[0].subtask,
            'instruction': heard[0].instruction,
            'trace': heard[0].trace,
            'age': round(heard[1], 3),
        },
    }


def _plain(told: Told) -> dict[str, Any]:
    return {
        'level': told.level.name,
        'summary': told.report.summary,
        'age': round(told.age, 3),
        'values': dict(told.report.values),
    }


def _rows(view: StatusView, pattern: re.Pattern[str]) -> list[Row]:
    found: dict[tuple[str, str], dict[str, str]] = {}
    for node, told in view.nodes().items():
        for key, value in told.report.values.items():
            match = pattern.fullmatch(key)
            if match is not None:
                found.setdefault((node, match['name']), {})[match['what']] = value
    return [Row(node, name, columns) for (node, name), columns in found.items()]
