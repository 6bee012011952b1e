"""How long it takes to make a plan of a chunk and to check it: processor time, in milliseconds."""

from __future__ import annotations

import time

import numpy as np

from vla_ros.action.guard import Guard
from vla_ros.action.limits import JointLimits
from vla_ros.action.shape import shape
from vla_ros.action.stitch import PlannedState, stitch
from vla_ros.evaluation.statistics import spread
from vla_ros.types import NANOSECONDS, ActionChunk, JointSample

STEPS = (16, 50)
REPEATS = 400
WARM_UP = 50  # plans of each length that are not counted


def planning_speed(limits: JointLimits, start: tuple[float, ...], seed: int) -> dict[str, dict[str, float]]:
    """Stitching, shaping and guarding of reaches from ``start`` (J,) rad, from gentle ones to those at the limits."""
    generator, guard, home = np.random.default_rng(seed), Guard(limits), np.array(start)
    sample, still = JointSample(NANOSECONDS, home, np.zeros(len(home))), np.zeros(len(home))
    result = {}
    for steps in STEPS:
        shaping, guarding = [], []
        u = np.clip(np.arange(1, steps + 1) * 0.05 / 1.2, 0, 1)[:, None]
        for _ in range(REPEATS + WARM_UP):
            way = generator.uniform(-1, 1, len(home)) * generator.uniform(0.1, 1.2)
            noise = generator.normal(0, 0.01, (steps, len(home)))
            chunk = ActionChunk(NANOSECONDS, 0.05, home + u**3 * (10 - 15 * u + 6 * u**2) * way + noise)
            begun = time.thread_time()
            left = stitch(chunk, now=NANOSECONDS, plan=None, measured=sample)
            plan = shape(PlannedState(home, still, still), left.times, left.positions, limits)
            shaped = time.thread_time()
            guard.check_path(plan)
            shaping.append(1e3 * (shaped - begun))
            guarding.append(1e3 * (time.thread_time() - shaped))
        both = [a + b for a, b in zip(shaping[WARM_UP:], guarding[WARM_UP:])]
        for name, samples in (('shape', shaping[WARM_UP:]), ('guard', guarding[WARM_UP:]), ('both', both)):
            result[f'{steps} steps, {name}'] = spread(samples).as_dict(3)
    return result
