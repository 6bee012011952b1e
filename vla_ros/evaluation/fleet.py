"""One brain for many robots, in numbers: thoughts a second and how old each was, by the size of the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vla_ros.types import VlaError

LARGEST_FLEET = 64


@dataclass(frozen=True)
class Heard:
    """One decision of one robot's reasoning node.

    Attributes:
        robot: counted from 0.
        at: seconds since the measurement began, when it came.
        age: seconds from the stamp of the pictures to then.
        goes: whether it says go; others are holds and refusals.
    """

    robot: int
    at: float
    age: float
    goes: bool


def fleet_sizes(text: str) -> tuple[int, ...]:
    """'1,2,4' as numbers of robots, each larger than the one before.

    Raises:
        VlaError: it is something else.
    """
    try:
        sizes = tuple(int(part) for part in text.split(','))
    except ValueError:
        sizes = ()
    if not sizes or list(sizes) != sorted(set(sizes)) or not 1 <= sizes[0] <= sizes[-1] <= LARGEST_FLEET:
        raise VlaError(
            f'robots: expected rising numbers in 1 to {LARGEST_FLEET} with commas between, as 1,2,4,8, found {text!r}'
        )
    return sizes


def fleet_row(
    robots: int, seconds: float, heard: Sequence[Heard], steps: Sequence[int] = ()
) -> dict[str, Any]:
    """What a fleet of this size came to.

    Args:
        seconds: how long it was listened to.
        heard: all decisions in that time.
        steps: answers that each step of the server was for, where that is known.

    Returns:
        Throughput of thoughts that say go, of the fleet and of its slowest robot; percentiles of their ages in ms (None
        without any); how many decisions said something else.
    """
    going = [each for each in heard if each.goes]
    ages = [1000.0 * each.age for each in going]
    each_robot = np.bincount([each.robot for each in going], minlength=robots) / seconds
    return {
        'robots': robots,
        'seconds': round(seconds, 2),
        'thoughts': len(going),
        'others': len(heard) - len(going),
        'thoughts_per_second': round(len(going) / seconds, 3),
        'slowest_robot_per_second': round(float(each_robot.min()), 3),
        'p50_ms': round(float(np.percentile(ages, 50)), 1) if ages else None,
        'p99_ms': round(float(np.percentile(ages, 99)), 1) if ages else None,
        'answers_per_step': round(float(np.mean(steps)), 2) if steps else None,
    }
