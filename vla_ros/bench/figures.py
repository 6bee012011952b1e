"""Contenders measured in turns, and ratios of what they took: what slows a machine down slows all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Contender = Callable[[], float]
"""Does its work once and says how many seconds that took."""
Run = Mapping[str, float]
"""Median seconds of each contender."""


@dataclass(frozen=True)
class Figure:
    """A number over several runs."""

    minimum: float
    median: float
    maximum: float

    def as_dict(self) -> dict[str, float]:
        """For a JSON report."""
        return {key: round(value, 4) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class Effort:
    """How often things are measured: ``repeats`` in each of ``runs``, after ``warm_up`` that are not counted."""

    runs: int = 5
    repeats: int = 20
    warm_up: int = 3


QUICK = Effort(runs=2, repeats=2, warm_up=1)


def timed(work: Callable[[], Any]) -> Contender:
    """A contender of this process."""

    def once() -> float:
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun

    return once


def interleaved(contenders: Mapping[str, Contender], effort: Effort) -> list[Run]:
    """All contenders in turns, one repetition each; a dictionary a run."""
    for contender in contenders.values():
        for _ in range(effort.warm_up):
            contender()
    runs: list[Run] = []
    for _ in range(effort.runs):
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(effort.repeats):
            for name, contender in contenders.items():
                seconds[name].append(contender())
        runs.append({name: statistics.median(values) for name, values in seconds.items()})
    return runs


def figure(values: Sequence[float]) -> Figure:
    """Minimum, median and maximum."""
    return Figure(min(values), statistics.median(values), max(values))


def ratio(runs: Sequence[Run], over: str, under: str) -> Figure:
    """How many times as long ``over`` took as ``under``: the ratio of their medians, run by run."""
    return figure([run[over] / run[under] for run in runs])
