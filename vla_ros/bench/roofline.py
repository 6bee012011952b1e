"""How long work takes on a machine of known speed: the roofline model, with what starting an operator costs.

seconds = max(flops / speed, bytes / bandwidth) / efficiency + operators * overhead

After S. Williams, A. Waterman, D. Patterson, Roofline, CACM 52 (2009); the overhead is what small models add.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.bench.work import Work
from vla_ros.types import VlaError


@dataclass(frozen=True)
class Machine:
    """Peak ``flops`` a second in the precision that is used, and ``bandwidth`` of its memory in bytes a second."""

    flops: float
    bandwidth: float

    def bound(self, work: Work) -> float:
        """Seconds that no program can go below."""
        return max(work.flops / self.flops, work.bytes / self.bandwidth)


@dataclass(frozen=True)
class Roofline:
    """What is reached of a machine's speed, and seconds that an operator adds."""

    efficiency: float
    overhead: float

    def seconds(self, work: Work, machine: Machine) -> float:
        """The time that ``work`` is expected to take."""
        return machine.bound(work) / self.efficiency + work.operators * self.overhead


def fit_roofline(samples: Sequence[tuple[Work, Machine, float]]) -> Roofline:
    """The efficiency and overhead that explain measured seconds best, by relative error.

    Raises:
        VlaError: fewer than two samples.
    """
    if len(samples) < 2:
        raise VlaError(f'roofline: expected at least 2 measured times, found {len(samples)}')
    bounds = np.array([machine.bound(work) for work, machine, _ in samples])
    operators = np.array([work.operators for work, _, _ in samples])
    seconds = np.array([measured for _, _, measured in samples])
    # Linear in (1 / efficiency, overhead); rows divided by what was measured make the error relative.
    sides = np.stack([bounds, operators], 1) / seconds[:, None]
    best = np.linalg.lstsq(sides, np.ones(len(samples)), rcond=None)[0]
    candidates = [best] if (best > 0).all() else []
    for only in (0, 1):  # at the edge of what is possible one of them explains nothing
        column = sides[:, only]
        value = np.zeros(2)
        value[only] = column.sum() / (column**2).sum()
        candidates.append(value)
    errors = [float(((sides @ value - 1) ** 2).sum()) for value in candidates]
    found = candidates[int(np.argmin(errors))]
    return Roofline(float(1 / max(found[0], 1e-12)), float(found[1]))


def fit_machine(samples: Sequence[tuple[Work, float]]) -> Machine:
    """The speed and bandwidth of a machine that explain measured seconds best, together with an overhead.

    Both are what programs reach, so the efficiency on this machine is 1.
    """
    flops = np.array([work.flops / seconds for work, seconds in samples])
    moved = np.array([work.bytes / seconds for work, seconds in samples])
    best = (np.inf, Machine(float(flops.max()), float(moved.max())))
    for speed in flops.max() * np.geomspace(1, 16, 25):
        for bandwidth in moved.max() * np.geomspace(1, 16, 25):
            machine = Machine(float(speed), float(bandwidth))
            model = fit_roofline([(work, machine, seconds) for work, seconds in samples])
            error = (
                sum((model.seconds(work, machine) / seconds - 1) ** 2 for work, seconds in samples)
                + (model.efficiency - 1) ** 2
            )
            if error < best[0]:
                best = (float(error), machine)
    return best[1]
