"""A running graph as tables: nodes, topics with their quality of service, parameters and limits in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class EndpointLine:
    """A publisher or subscription: its node, and what quality of service it promises or asks for, in words."""

    node: str
    promise: str


@dataclass(frozen=True)
class TopicLine:
    """A topic, who is at its two ends, and what keeps them from meeting; '' if nothing does."""

    name: str
    types: tuple[str, ...]
    publishers: tuple[EndpointLine, ...]
    subscribers: tuple[EndpointLine, ...]
    problem: str = ''


@dataclass(frozen=True)
class NodeLine:
    """A node: its state of the lifecycle, its parameters and the limits it holds plans to; both may be empty."""

    name: str
    lifecycle: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GraphPicture:
    """What was found of a graph."""

    nodes: tuple[NodeLine, ...]
    topics: tuple[TopicLine, ...]


def graph_tables(picture: GraphPicture) -> RenderableType:
    """One table of topics, then of each node what is in force."""
    parts: list[RenderableType] = [_topics(picture.topics)]
    for node in picture.nodes:
        parts.append(Text(f'\n{node.name} ({node.lifecycle or "no lifecycle heard"})', 'bold'))
        parts.append(_values('parameters', {key: _shown(v) for key, v in node.parameters.items()}))
        if node.limits:
            parts.append(_values('limits in force', node.limits))
    return Group(*parts)


def as_json(picture: GraphPicture) -> dict[str, Any]:
    """All of it in plain values."""
    return {
        'nodes': {
            node.name: {
                'lifecycle': node.lifecycle,
                'parameters': dict(node.parameters),
                'limits': dict(node.limits),
            }
            for node in picture.nodes
        },
        'topics': {topic.name: asdict(topic) for topic in picture.topics},
    }


def _topics(topics: Sequence[TopicLine]) -> Table:
    table = Table(title='topics', title_justify='left', box=None, pad_edge=False)
    for column in ('topic', 'type', 'published by', 'heard by', ''):
        table.add_column(column, header_style='dim', overflow='fold')
    for topic in topics:
        table.add_row(
            Text(topic.name),
            Text(', '.join(topic.types), 'dim'),
            _ends(topic.publishers),
            _ends(topic.subscribers),
            Text(topic.problem, 'red'),
        )
    return table


def _ends(ends: Sequence[EndpointLine]) -> Text:
    return Text('\n').join(Text.assemble(end.node, (f'  {end.promise}', 'dim')) for end in ends)


def _values(title: str, values: Mapping[str, str]) -> Table:
    table = Table(title=title, title_justify='left', show_header=False, box=None, pad_edge=False)
    for key, value in values.items():
        table.add_row(Text(key, 'dim'), Text(value))
    return table


def _shown(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)
