"""Endurance: what is seen of a graph that runs for long, and whether something leaked, hung or got slower.

The end of the run is compared with its beginning: the last sixth with the sixth after the warm-up. Pure functions.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from operator import attrgetter, itemgetter
from statistics import median
from typing import Any, TypeVar

from vla_ros.evaluation.process_usage import Usage
from vla_ros.evaluation.statistics import Spread, spread

MEMORY_GROWTH = 0.02
"""Share by which the memory of a process may grow."""
LATENCY_GROWTH = 0.10
"""Share by which the 99th percentile of a latency may grow."""
LATENCY_FROM = 30.0
"""Minutes from which on latencies are judged: below, a window has so few that their 99th percentile is an accident."""
WINDOW = 1 / 6
"""Share of the run that is its beginning, and its end."""
WARM_UP = 60.0
"""Seconds before the first window, at most; a WINDOW of the run if that is less."""
LATENCIES = {
    'camera to trajectory': 'action',
    'camera to thought': 'reasoning',
}
"""What is timed, from the stamp of the camera on, in simulated time; by which node."""
NEVER = (
    'bad_',
    'rejected_',
    'internal_error',
    'reasoning_refused',
    'clock_went_back',
    'joints_jumped',
    'frozen_camera',
    'empty',
    'wrong_joints',
    'non_finite',
    'not_increasing',
    'too_long',
    'not_at_rest_at_end',
)
"""Beginnings of what no node may count: nothing is wrong with what is sent here. Not in here are what the person and
the model bring about (switches, limits, the table), and what a busy machine does (ages, peers that show no life)."""
SLICES, SHORTEST_SLICE = 60, 5.0
"""Into how many parts a run is cut to be drawn, and seconds that each has at least."""

Seen = TypeVar('Seen')
Window = tuple[float, float]
"""From and to, in seconds of the wall since the beginning."""


@dataclass(frozen=True)
class Sample:
    """One look at the processes: seconds of the wall and of the simulation since the beginning; usage by node."""

    at: float
    simulated: float
    usage: Mapping[str, Usage]


@dataclass(frozen=True)
class Hang:
    """Something that did not come: when (wall seconds), after what, and what it was."""

    at: float
    after: str
    missing: str


@dataclass
class SoakLog:
    """Everything that was seen so far.

    Attributes:
        latencies: by name, (wall seconds since the beginning, ms) of each.
        unseen: by name, latencies that were measured and not heard of.
        acts: how often the person did what.
        endings: what came of orders.
        hangs: what did not come in time.
        before, refusals: what nodes had counted at the beginning, and now, as 'node: reason'.
    """

    samples: list[Sample] = field(default_factory=list)
    latencies: dict[str, list[tuple[float, float]]] = field(
        default_factory=lambda: {n: [] for n in LATENCIES}
    )
    unseen: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    hangs: list[Hang] = field(default_factory=list)
    before: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it has been going on, by the wall."""
        return self.samples[-1].at if self.samples else 0.0


def windows(seconds: float) -> tuple[Window, Window]:
    """The beginning, after the warm-up, and the end of a run of this length."""
    length = WINDOW * seconds
    warm_up = min(WARM_UP, length)
    return (warm_up, warm_up + length), (seconds - length, seconds)


def soak_report(log: SoakLog, minutes: float) -> dict[str, Any]:
    """Numbers and verdict.

    Args:
        minutes: how long the run was to be.
    """
    first, last = windows(log.seconds)
    usage = {name: _usage(log, name, first, last) for name in _nodes(log)}
    latencies = {name: _latency(log, name, first, last) for name in log.latencies}
    counted = {
        reason: count - log.before.get(reason, 0)
        for reason, count in sorted(log.refusals.items())
        if count != log.before.get(reason, 0)
    }
    is_judged = log.seconds >= 60 * LATENCY_FROM
    broken = [
        *_hanging(log),
        *_leaking(usage),
        *(_slower(latencies) if is_judged else []),
        *(f'{reason}: counted {count} times' for reason, count in counted.items() if _is_never(reason)),
    ]
    return {
        'passed': not broken,
        'broken': broken,
        'minutes': minutes,
        'complete': log.seconds >= 60 * minutes,
        'seconds': round(log.seconds, 1),
        'real_time_factor': _factor(log, (0.0, log.seconds)),
        'promises': {
            'memory_growth': MEMORY_GROWTH,
            'latency_p99_growth': LATENCY_GROWTH if is_judged else None,
        },
        'windows': {'first_s': _rounded(first), 'last_s': _rounded(last)},
        'processes': usage,
        'latencies': latencies,
        'acts': dict(log.acts.most_common()),
        'endings': dict(log.endings.most_common()),
        'hangs': [asdict(hang) for hang in log.hangs],
        'refusals': counted,
        'slices': _slices(log),
    }


def growth(first: float, last: float) -> float:
    """By which share ``last`` is more than ``first``; 0 if there was nothing."""
    return last / first - 1.0 if first > 0 else 0.0


def _hanging(log: SoakLog) -> list[str]:
    return [f'after {hang.at:.0f} s, {hang.after}: {hang.missing}' for hang in log.hangs]


def _leaking(usage: Mapping[str, Mapping[str, Any]]) -> list[str]:
    broken = []
    for name, values in usage.items():
        if values['memory_growth'] > MEMORY_GROWTH:
            broken.append(
                f'{name}: memory grew by {values["memory_growth"]:.1%}, from {values["memory_mib"][0]:.1f} to '
                f'{values["memory_mib"][1]:.1f} MiB; the most is {MEMORY_GROWTH:.0%}'
            )
        for what in ('threads', 'files'):
            before, after = values[what]
            if after > before:
                broken.append(f'{name}: {before} {what} at the beginning, {after} at the end')
    return broken


def _slower(latencies: Mapping[str, Mapping[str, Any]]) -> list[str]:
    broken = []
    for name, values in latencies.items():
        first, last = values['first'], values['last']
        if not (first['count'] and last['count']):
            broken.append(
                f'{name}: nothing was timed, {first["count"]} at the beginning, {last["count"]} at the end'
            )
        elif values['p99_growth'] > LATENCY_GROWTH:
            broken.append(
                f'{name}: p99 grew by {values["p99_growth"]:.1%}, from {first["p99"]:.0f} to {last["p99"]:.0f} ms; '
                f'the most is {LATENCY_GROWTH:.0%}'
            )
    return broken


def _is_never(reason: str) -> bool:
    return reason.split(': ', 1)[-1].startswith(NEVER)


def _nodes(log: SoakLog) -> list[str]:
    return list(log.samples[-1].usage) if log.samples else []


def _usage(log: SoakLog, name: str, first: Window, last: Window) -> dict[str, Any]:
    pairs = [[sample.usage[name] for sample in _between(log, window)] for window in (first, last)]
    memory = [_memory(_between(log, window), name) or 0.0 for window in (first, last)]
    return {
        'memory_mib': memory,
        'memory_growth': round(growth(*memory), 4),
        'threads': [int(_median(usage.threads for usage in seen)) for seen in pairs],
        'files': [int(_median(usage.files for usage in seen)) for seen in pairs],
    }


def _latency(log: SoakLog, name: str, first: Window, last: Window) -> dict[str, Any]:
    before, after = (_spread(log, name, window) for window in (first, last))
    return {
        'first': before.as_dict(1),
        'last': after.as_dict(1),
        'p99_growth': round(growth(before.p99, after.p99), 4),
        'unseen': log.unseen[name],
    }


def _spread(log: SoakLog, name: str, window: Window) -> Spread:
    return spread([value for _, value in _cut(log.latencies[name], window, itemgetter(0))])


def _slices(log: SoakLog) -> list[dict[str, Any]]:
    """The run piece by piece, for a chart: memory by node, latencies, simulated seconds a second.

    None where nobody looked: a service that takes its time keeps who looks from it.
    """
    length = max(log.seconds / SLICES, SHORTEST_SLICE)
    pieces = []
    for index in range(int(log.seconds / length + 1e-9)):
        window = (index * length, (index + 1) * length)
        seen = _between(log, window)
        pieces.append(
            {
                'until_s': round(window[1], 1),
                'memory_mib': {name: _memory(seen, name) for name in _nodes(log)},
                'latencies_ms': {name: _spread(log, name, window).as_dict(1) for name in log.latencies},
                'real_time_factor': _factor(log, window),
            }
        )
    return pieces


def _between(log: SoakLog, window: Window) -> Sequence[Sample]:
    return _cut(log.samples, window, attrgetter('at'))


def _cut(seen: Sequence[Seen], window: Window, at: Callable[[Seen], float]) -> Sequence[Seen]:
    """What falls into a window of what was seen one after another; quick, as it is asked for while the graph runs."""
    return seen[bisect_left(seen, window[0], key=at) : bisect_right(seen, window[1], key=at)]


def _factor(log: SoakLog, window: Window) -> float | None:
    seen = _between(log, window)
    wall = seen[-1].at - seen[0].at if seen else 0.0
    return round((seen[-1].simulated - seen[0].simulated) / wall, 3) if wall > 0 else None


def _memory(seen: Sequence[Sample], name: str) -> float | None:
    """MiB in the median; None if nobody looked."""
    return round(_median(sample.usage[name].memory / 2**20 for sample in seen), 2) if seen else None


def _median(values: Iterable[float]) -> float:
    found = list(values)
    return median(found) if found else 0.0


def _rounded(window: Window) -> list[float]:
    return [round(edge, 1) for edge in window]
