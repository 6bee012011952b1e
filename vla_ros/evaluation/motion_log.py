"""The arm at every physics step: written by the simulator while it moves, read by whoever watches meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vla_ros.sim.model import JOINT_NAMES
from vla_ros.types import NANOSECONDS, DoubleArray

JOINTS = len(JOINT_NAMES)
RECORD = np.dtype(
    [
        ('wall', '<i8'),
        ('time', '<i8'),
        ('plans', '<i8'),
        ('plan_end', '<i8'),
        ('positions', '<f8', (JOINTS,)),
        ('velocities', '<f8', (JOINTS,)),
        ('command', '<f8', (JOINTS,)),
    ]
)
"""One physics step: wall clock and simulated time in ns; trajectories accepted so far and when the last of them ends
(simulated ns, 0 without any); true joints in rad and rad/s; what the controller commands in rad."""


class MotionWriter:
    """Appends one record a step to a new file, unbuffered, so that readers see it at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open('wb', buffering=0)
        self._record = np.zeros(1, RECORD)

    def add(
        self,
        *,
        wall: int,
        time: int,
        plans: int,
        plan_end: int,
        positions: DoubleArray,
        velocities: DoubleArray,
        command: DoubleArray,
    ) -> None:
        """Write one step; see RECORD."""
        self._record[0] = (wall, time, plans, plan_end, positions, velocities, command)
        self._file.write(self._record.tobytes())

    def close(self) -> None:
        """Write no more."""
        self._file.close()


@dataclass(frozen=True)
class Motion:
    """N steps of an arm with J joints.

    Attributes:
        wall: (N,) seconds since the epoch.
        times: (N,) seconds of simulated time.
        plans: (N,) how many trajectories the controller had accepted.
        plan_ends: (N,) simulated seconds at which the last of them ends.
        positions, velocities: (N, J) rad, rad/s; the true ones.
        commands: (N, J) rad.
    """

    wall: DoubleArray
    times: DoubleArray
    plans: npt.NDArray[np.int64]
    plan_ends: DoubleArray
    positions: DoubleArray
    velocities: DoubleArray
    commands: DoubleArray

    def __len__(self) -> int:
        return len(self.times)

    @property
    def speeds(self) -> DoubleArray:
        """(N,) rad/s of the fastest joint."""
        return np.abs(self.velocities).max(axis=1, initial=0.0)

    def since(self, time: float) -> Motion:
        """The steps from a simulated time (s) on."""
        first = int(np.searchsorted(self.times, time, side='left'))
        return Motion(*(getattr(self, name)[first:] for name in self.__dataclass_fields__))

    def time_at(self, wall: float) -> float:
        """The simulated time (s) at a time of the wall clock (s), between the steps that were seen."""
        return float(np.interp(wall, self.wall, self.times))


def read_motion(path: Path, start: int = 0) -> Motion:
    """What is written so far, from record number ``start`` on; a record that is half written is left out."""
    try:
        records = np.fromfile(path, RECORD, offset=start * RECORD.itemsize)
    except OSError:
        records = np.zeros(0, RECORD)
    return Motion(
        records['wall'] / NANOSECONDS,
        records['time'] / NANOSECONDS,
        records['plans'].astype(np.int64),
        records['plan_end'] / NANOSECONDS,
        records['positions'],
        records['velocities'],
        records['command'],
    )


def steps_written(path: Path) -> int:
    """How many records there are."""
    try:
        return path.stat().st_size // RECORD.itemsize
    except OSError:
        return 0
