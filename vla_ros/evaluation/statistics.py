"""Numbers that are honest about how few trials they rest on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from vla_ros.types import VlaError

NORMAL_975 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution: two-sided 95 %."""


def wilson_interval(successes: int, trials: int, quantile: float = NORMAL_975) -> tuple[float, float]:
    """Wilson's score interval of a success rate, by default at 95 %.

    It stays inside 0..1 and is meaningful at 0 and at 100 %, where the normal approximation has no width.
    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    JASA 22 (1927).
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise VlaError(
            f'successes: expected 0 <= successes <= trials and 0 < trials, found {successes} of {trials}'
        )
    rate, square = successes / trials, quantile**2
    centre = (rate + square / (2 * trials)) / (1 + square / trials)
    half = quantile / (1 + square / trials) * math.sqrt(rate * (1 - rate) / trials + square / (4 * trials**2))
    # At the ends the bound is exactly 0 or 1; floating point would miss it by one bit.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == trials else min(1.0, centre + half)
    return low, high


@dataclass(frozen=True)
class Spread:
    """How a measured quantity is spread, in the unit of its name; ``count`` samples."""

    count: int
    p50: float
    p99: float
    largest: float

    def as_dict(self, digits: int = 2) -> dict[str, float]:
        """For a JSON report."""
        return {key: round(value, digits) for key, value in asdict(self).items()}


def spread(samples: Sequence[float]) -> Spread:
    """Median, 99th percentile and maximum; zeros when there are no samples."""
    if len(samples) == 0:
        return Spread(0, 0.0, 0.0, 0.0)
    p50, p99 = np.percentile(np.asarray(samples, float), [50, 99])
    return Spread(len(samples), float(p50), float(p99), float(max(samples)))
