"""An adversary against the planner: how many plans that went out broke a promise."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vla_ros.action.limits import JointLimits
from vla_ros.evaluation.attacked_planner import AttackedPlanner, ModelChunk, Tally
from vla_ros.evaluation.machine import machine, versions
from vla_ros.evaluation.statistics import spread

SEQUENCE = 50  # chunks until everything begins anew
EXAMPLES = 20


def attack(
    limits: JointLimits,
    *,
    chunks: int,
    seed: int,
    model: ModelChunk | None = None,
    on_chunks: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Attack with so many chunks; the report, whose ``violations`` should be 0.

    Args:
        model: makes chunks with a real model, with whatever input; None leaves those attacks out.
        on_chunks: is told now and then how many chunks are done.
    """
    begun = time.perf_counter()
    tally, largest = Tally(), {'velocity': 0.0, 'acceleration': 0.0, 'jerk': 0.0}
    while tally.chunks < chunks:
        planner = AttackedPlanner(limits, np.random.default_rng([seed, tally.chunks]), tally, model)
        for _ in range(min(SEQUENCE, chunks - tally.chunks)):
            planner.attack()
        largest = {key: max(value, planner.largest[key]) for key, value in largest.items()}
        on_chunks(tally.chunks)
    return {
        'chunks': tally.chunks,
        'violations': sum(tally.violations.values()),
        'accepted': tally.accepted,
        'brakes': tally.brakes,
        'refused': dict(sorted(tally.refused.items(), key=lambda item: -item[1])),
        'plan_ms': spread(tally.milliseconds).as_dict(3),
        'plan_processor_ms': spread(tally.processor_milliseconds).as_dict(3),
        'largest_share_of_limit': {key: round(value, 4) for key, value in largest.items()},
        'attacks': {
            kind: {'chunks': count, 'accepted': tally.accepted_attacks[kind]}
            for kind, count in sorted(tally.attacks.items())
        },
        'violations_by_attack': dict(tally.violations),
        'examples': tally.examples[:EXAMPLES],
        'seed': seed,
        'seconds': round(time.perf_counter() - begun, 1),
        'machine': machine(),
        'versions': versions(),
    }
