"""The comparison of ways to send chunks, over delays and scenes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from vla_ros.action.limits import load_limits
from vla_ros.evaluation.machine import machine, versions
from vla_ros.evaluation.senders import OURS, ROADS, TWINS
from vla_ros.evaluation.smoothness import Run, measure, run
from vla_ros.paths import config_file
from vla_ros.sim.model import JOINT_NAMES

DELAYS = (0.0, 0.1, 0.2, 0.3)


def smoothness_report(
    episodes: int,
    seed: int,
    delays: Sequence[float] = DELAYS,
    roads: Sequence[str] = ROADS,
    jitter: float = 0.0,
    on_run: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """The numbers of ``vla_ros eval smoothness``; ``on_run`` is told how many runs are done.

    ``jitter``: seconds that messages come late at most.

    Raises:
        VlaError: no limits.
    """
    begun, done = time.perf_counter(), 0
    limits = load_limits(config_file('joint_limits.yaml'), JOINT_NAMES)
    rows = []
    for delay in delays:
        for road in roads:
            runs = []
            for episode in range(episodes):
                runs.append(run(road, seed + episode, delay, limits, jitter))
                done += 1
                on_run(done)
            rows.append({'road': road, 'delay_ms': round(1e3 * delay), **averages(runs)})
    return {
        'rows': rows,
        'peak_jerk_over_ours': _over_ours(rows, 'peak_jerk'),
        'seconds_over_ours': _over_ours(rows, 'seconds'),
        'episodes': episodes,
        'jitter_ms': round(1e3 * jitter),
        'seed': seed,
        'seconds': round(time.perf_counter() - begun, 1),
        'machine': machine(),
        'versions': versions(),
    }


def averages(runs: Sequence[Run]) -> dict[str, float | int | None]:
    """Means over runs, and the largest of what is a largest.

    A task that was not done counts with its time limit, a cosine that is none not at all.
    """
    measured = [asdict(measure(one)) for one in runs]
    return {
        'successes': sum(one.success for one in runs),
        'seconds': round(float(np.mean([one.seconds for one in runs])), 3),
        'refused': sum(one.refused for one in runs),
        **{
            key: (_largest if key.startswith('largest') else _mean)([one[key] for one in measured])
            for key in measured[0]
        },
    }


def _largest(values: Sequence[float]) -> float | None:
    """The largest to four digits of those that are numbers, if any."""
    numbers = [value for value in values if not np.isnan(value)]
    return float(f'{max(numbers):.4g}') if numbers else None


def _mean(values: Sequence[float]) -> float | None:
    """The mean to four digits of those that are numbers, if any."""
    numbers = [value for value in values if not np.isnan(value)]
    return float(f'{np.mean(numbers):.4g}') if numbers else None


def _over_ours(rows: Sequence[dict[str, Any]], key: str) -> dict[str, dict[str, float]]:
    """By road and delay in ms: how many times ours of the same timing."""
    values = {(row['road'], row['delay_ms']): row[key] for row in rows}
    result: dict[str, dict[str, float]] = {}
    for (road, delay), value in values.items():
        ours = values.get((TWINS.get(road, OURS), delay))
        if ours and not road.startswith('ours'):
            result.setdefault(road, {})[str(delay)] = round(value / ours, 3)
    return result
