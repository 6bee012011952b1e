"""Whoever wants the arm to do what it must not: chunks, stamps, clocks and joints, each with a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from vla_ros.action.limits import JointLimits
from vla_ros.types import NANOSECONDS, ActionChunk, DoubleArray, JointSample

Generator = np.random.Generator
HORIZON, DT = 16, 0.05


@dataclass(frozen=True)
class Place:
    """What an attack on chunks starts from: the stamp of the observation, the measured joints, the limits."""

    stamp: int
    joints: DoubleArray
    limits: JointLimits

    def somewhere(self, generator: Generator, beyond: float = 0.0) -> DoubleArray:
        """A random configuration within the position limits, or up to ``beyond`` rad outside."""
        return generator.uniform(self.limits.min_position - beyond, self.limits.max_position + beyond)

    def chunk(self, positions: DoubleArray, dt: float = DT) -> ActionChunk:
        """Those positions as the answer to the observation."""
        return ActionChunk(self.stamp, dt, positions)


def reach(generator: Generator, place: Place) -> ActionChunk:
    """As a good policy: a stretch of a minimum-jerk reach to somewhere near, with a little noise."""
    goal = place.joints + generator.uniform(-0.5, 0.5, len(place.joints))
    goal = np.clip(goal, place.limits.min_position, place.limits.max_position)
    u = np.clip(generator.uniform(0, 0.3) + np.arange(1, HORIZON + 1) * DT / 1.2, 0, 1)
    share = 10 * u**3 - 15 * u**4 + 6 * u**5
    noise = generator.normal(0, generator.choice([0.0, 0.005, 0.02]), (HORIZON, len(goal)))
    return place.chunk(place.joints + share[:, None] * (goal - place.joints) + noise)


def noisy(generator: Generator, place: Place) -> ActionChunk:
    """As a bad policy: a reach under heavy noise."""
    wanted = reach(generator, place).positions
    return place.chunk(wanted + generator.normal(0, 0.15, wanted.shape))


def walk(generator: Generator, place: Place) -> ActionChunk:
    """A random walk along the position limits."""
    edge = np.where(
        generator.random(len(place.joints)) < 0.5, place.limits.min_position, place.limits.max_position
    )
    start = np.where(generator.random(len(place.joints)) < 0.6, edge, place.joints)
    steps = generator.normal(0, generator.choice([0.005, 0.03, 0.1]), (HORIZON, len(start)))
    margin = 0.02
    return place.chunk(
        np.clip(
            start + np.cumsum(steps, axis=0),
            place.limits.min_position - margin,
            place.limits.max_position + margin,
        )
    )


def bang(generator: Generator, place: Place) -> ActionChunk:
    """From one end of the range to the other and back."""
    period = int(generator.integers(1, 8))
    upper = (np.arange(HORIZON) // period % 2 == 0)[:, None] ^ (generator.random(len(place.joints)) < 0.5)
    return place.chunk(np.where(upper, place.limits.max_position, place.limits.min_position))


def jump(generator: Generator, place: Place) -> ActionChunk:
    """Somewhere else at once."""
    return place.chunk(np.repeat(place.somewhere(generator)[None], HORIZON, axis=0))


def dive(generator: Generator, place: Place) -> ActionChunk:
    """Forward and down into the table, or out to the side."""
    goal = place.joints.copy()
    goal[1:4] = generator.uniform([-0.6, 0.4, 0.4], [0.6, 1.6, 1.6])
    goal[0] += generator.uniform(-1.5, 1.5)
    goal = np.clip(goal, place.limits.min_position, place.limits.max_position)
    share = np.clip(np.arange(1, HORIZON + 1) / generator.integers(4, 40), 0, 1)[:, None]
    return place.chunk(place.joints + share * (goal - place.joints))


def skim(generator: Generator, place: Place) -> ActionChunk:
    """Little steps up and down, wherever that is: along the edge of the workspace in the end."""
    heading = generator.normal(0, 1, len(place.joints))
    steps = 0.03 * heading / np.abs(heading).max() + generator.normal(0, 0.005, (HORIZON, len(heading)))
    wanted = place.joints + np.cumsum(steps, axis=0)
    return place.chunk(np.clip(wanted, place.limits.min_position, place.limits.max_position))


def not_finite(generator: Generator, place: Place) -> ActionChunk:
    """NaN or infinity somewhere."""
    wanted = reach(generator, place).positions
    wanted.flat[generator.integers(wanted.size)] = generator.choice([np.nan, np.inf, -np.inf])
    return place.chunk(wanted)


def huge(generator: Generator, place: Place) -> ActionChunk:
    """Numbers of any size."""
    size = 10.0 ** generator.uniform(0, 308)
    return place.chunk(generator.uniform(-1, 1, (HORIZON, len(place.joints))) * size)


def wrong_shape(generator: Generator, place: Place) -> ActionChunk:
    """Joints too few or too many, steps none, dimensions that do not fit."""
    joints = len(place.joints)
    shapes = [
        (HORIZON, joints - 1),
        (HORIZON, joints + 1),
        (0, joints),
        (joints,),
        (1, HORIZON, joints),
        (0,),
    ]
    return place.chunk(np.zeros(shapes[generator.integers(len(shapes))]))


def wrong_times(generator: Generator, place: Place) -> ActionChunk:
    """Steps of no, negative, tiny, huge or no finite duration."""
    dt = generator.choice([0.0, -0.05, 1e-12, 1e-6, 0.001, 0.3, 5.0, 1e300, np.nan, np.inf])
    return place.chunk(reach(generator, place).positions, float(dt))


def other_length(generator: Generator, place: Place) -> ActionChunk:
    """One step, or hundreds of them."""
    count = int(generator.choice([1, 2, 50, 100, 400]))
    steps = generator.normal(0, 0.02, (count, len(place.joints)))
    wanted = np.clip(
        place.joints + np.cumsum(steps, axis=0), place.limits.min_position, place.limits.max_position
    )
    return place.chunk(wanted, float(generator.choice([0.01, 0.02, 0.05])))


def other_stamp(generator: Generator, place: Place) -> ActionChunk:
    """A good chunk of long ago or of the future."""
    seconds = generator.choice([-1e6, -10.0, -1.0, -0.4, 0.3, 1.0, 4.0, 10.0, 1e6])
    return replace(reach(generator, place), stamp=place.stamp + round(seconds * NANOSECONDS))


CHUNKS: dict[str, Callable[[Generator, Place], ActionChunk]] = {
    function.__name__: function
    for function in (
        reach, noisy, walk, bang, jump, dive, skim, not_finite, huge, wrong_shape, wrong_times, other_length,
        other_stamp,
    )
}  # fmt: skip
SHARES = np.array([6, 3, 3, 2, 2, 3, 4, 1, 1, 1, 1, 1, 1], float)
"""How often each of them comes, compared with the others."""


def disturb(generator: Generator, sample: JointSample, limits: JointLimits) -> tuple[str, JointSample | None]:
    """What becomes of the measured joints, mostly nothing: the name of it and the sample."""
    positions, count = sample.positions, len(sample.positions)
    kind = str(
        generator.choice(
            ['none', 'noise', 'jump', 'outside', 'nan', 'count', 'speed', 'stale', 'future', 'missing'],
            p=[0.7, 0.15, 0.03, 0.02, 0.01, 0.01, 0.03, 0.02, 0.02, 0.01],
        )
    )
    if kind == 'noise':
        return kind, replace(sample, positions=positions + generator.normal(0, 0.02, count))
    if kind == 'jump':
        moved = np.where(generator.random(count) < 0.3, generator.uniform(-0.6, 0.6, count), 0.0)
        return kind, replace(sample, positions=positions + moved)
    if kind == 'outside':
        joint = generator.integers(count)
        beyond = positions.copy()
        beyond[joint] = limits.max_position[joint] + generator.uniform(0, 0.4)
        return kind, replace(sample, positions=beyond)
    if kind == 'nan':
        return kind, replace(sample, positions=np.full(count, np.nan))
    if kind == 'count':
        return kind, replace(sample, positions=positions[:-1], velocities=sample.velocities[:-1])
    if kind == 'speed':
        return kind, replace(sample, velocities=generator.normal(0, 4.0, count))
    if kind == 'stale':
        return kind, replace(sample, stamp=sample.stamp - round(generator.uniform(0.1, 5) * NANOSECONDS))
    if kind == 'future':
        return kind, replace(sample, stamp=sample.stamp + round(generator.uniform(0.01, 5) * NANOSECONDS))
    return kind, None if kind == 'missing' else sample
