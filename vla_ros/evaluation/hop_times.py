"""The hops from camera to controller as a bag has them: as its recorder heard them, and as the nodes told them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vla_ros.diagnostics import HARDWARE_ID, STATE_TASK, Latency, latency_told, node_and_task
from vla_ros.evaluation.bag_clock import BagClock, Heard
from vla_ros.evaluation.cdr import stamp_of
from vla_ros.evaluation.replay.bag import Bag
from vla_ros.evaluation.replay.layout import CLOCK
from vla_ros.evaluation.statistics import spread
from vla_ros.hops import HOPS, Hop, Kind, seconds_between
from vla_ros.types import NANOSECONDS

DIAGNOSTICS = '/diagnostics'
RECORDER = 'bag'
"""Who times the hops that are read from stamps and times of arrival, in the place of a node."""
TOPICS = re.compile(
    r'/?(?P<namespace>.*?)/?\b(?:(?P<frame>camera/[^/]+/image_raw(?:/compressed)?)'
    r'|(?P<tokens>perception/tokens)|(?P<thought>reasoning/thought))'
)


@dataclass(frozen=True)
class HopTime:
    """What a hop took; ``node`` with its namespace, or 'bag'."""

    hop: Hop
    node: str
    latency: Latency


@dataclass
class Way:
    """Messages of one namespace in the order in which they were received."""

    frame: list[Heard] = field(default_factory=list)
    tokens: list[Heard] = field(default_factory=list)
    thought: list[Heard] = field(default_factory=list)


def read_hop_times(path: Path) -> tuple[BagClock, list[HopTime]]:
    """Every hop that a bag tells of, in the order of the way; as the recorder heard it before as the nodes told it.

    Raises:
        VlaError: no bag there, or one that cannot be read.
    """
    bag = Bag(path)
    clock = BagClock([(one.received, _shown(bag, one.data)) for one in bag.read({CLOCK} & set(bag.topics))])
    matches = {topic: match for topic in bag.topics if (match := TOPICS.fullmatch(topic)) is not None}
    ways: dict[str, Way] = {}
    told: dict[str, Mapping[str, str]] = {}
    for one in bag.read({*matches, DIAGNOSTICS} & set(bag.topics)):
        if one.topic == DIAGNOSTICS:
            told.update(_states(bag.topics[DIAGNOSTICS].decode(one.data)))
            continue
        match = matches[one.topic]
        heard = clock.heard(stamp_of(one.data), one.received)
        if heard is not None:
            getattr(ways.setdefault(match['namespace'], Way()), str(match.lastgroup)).append(heard)
    recorded = [hop for namespace in sorted(ways) for hop in recorded_hops(ways[namespace], namespace)]
    return clock, sorted([*recorded, *told_hops(told)], key=_place)


def recorded_hops(way: Way, namespace: str = '') -> list[HopTime]:
    """What stamps and times of arrival at the recorder say."""
    thoughts = _first_by_stamp(way.thought)
    tokens = _first_by_stamp(way.tokens)
    # A thought without tokens is one that withdraws an order: no camera has seen it.
    pairs = [(tokens[stamp], thought) for stamp, thought in thoughts.items() if stamp in tokens]
    samples = {
        Hop('camera to frame', RECORDER, Kind.AGE): [heard.age for heard in way.frame],
        Hop('camera to tokens', RECORDER, Kind.AGE): [heard.age for heard in way.tokens],
        Hop('tokens to thought', RECORDER, Kind.AGE): [
            seconds_between(before.received, after.received)
            for before, after in pairs
            if before.since == after.since
        ],
        Hop('camera to thought', RECORDER, Kind.AGE): [after.age for _, after in pairs],
    }
    node = f'{namespace}/{RECORDER}' if namespace else RECORDER
    return [
        HopTime(hop, node, latency)
        for hop, seconds in samples.items()
        if (latency := latency_of(seconds)) is not None
    ]


def told_hops(told: Mapping[str, Mapping[str, str]]) -> list[HopTime]:
    """What the nodes said of themselves: values of /diagnostics by the name of the node, with its namespace."""
    return [
        HopTime(hop, node, latency)
        for node, values in sorted(told.items())
        for hop in HOPS
        if hop.node == node.rpartition('/')[2] and (latency := latency_told(values, hop.name)) is not None
    ]


def latency_of(seconds: Iterable[float | None]) -> Latency | None:
    """Percentiles of what was measured; None if nothing was."""
    measured: Sequence[float] = [value for value in seconds if value is not None]
    if not measured:
        return None
    found = spread(measured)
    return Latency(1e3 * found.p50, 1e3 * found.p99, found.count)


def missing(times: Iterable[HopTime]) -> list[str]:
    """Names of the hops that no node told of."""
    told = {time.hop for time in times}
    return [hop.name for hop in HOPS if hop not in told]


def as_json(clock: BagClock, times: Sequence[HopTime]) -> dict[str, Any]:
    """All of it in plain values."""
    return {
        'clock': 'simulated' if clock.is_simulated else 'recorded',
        'hops': [
            {
                'hop': time.hop.name,
                'node': time.node,
                'kind': time.hop.kind.value,
                'p50_ms': round(time.latency.p50, 3),
                'p99_ms': round(time.latency.p99, 3),
                'count': time.latency.count,
            }
            for time in times
        ],
        'missing': missing(times),
    }


def _place(time: HopTime) -> int:
    """Where on the way a hop ends."""
    names = [hop.name for hop in HOPS]
    return names.index('camera to thought' if time.hop.name == 'tokens to thought' else time.hop.name)


def _first_by_stamp(messages: Sequence[Heard]) -> dict[int, Heard]:
    found: dict[int, Heard] = {}
    for heard in messages:
        found.setdefault(heard.stamp, heard)
    return found


def _shown(bag: Bag, data: bytes) -> int:
    tick = bag.topics[CLOCK].decode(data).clock
    return int(tick.sec) * NANOSECONDS + int(tick.nanosec)


def _states(message: Any) -> dict[str, dict[str, str]]:
    """What nodes of the package say of themselves, by their names."""
    found = {}
    for status in message.status:
        node, task = node_and_task(status.name)
        if status.hardware_id == HARDWARE_ID and task == STATE_TASK:
            found[node] = {pair.key: pair.value for pair in status.values}
    return found
