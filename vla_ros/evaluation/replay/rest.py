"""How long the arm goes on after a fault, and when it moves again: the numbers of a collision monitor's tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_ros.evaluation.recording import Recording, commanded
from vla_ros.evaluation.replay.course import MOVING
from vla_ros.evaluation.replay.faults import Fault
from vla_ros.types import DoubleArray

FINE = 0.005  # seconds


@dataclass(frozen=True)
class Rest:
    """What the arm did about a fault.

    Attributes:
        moved: whether it was commanded to move when the fault began; if not, the rest says nothing.
        seconds_to_rest: from the fault to the last commanded motion before it is over; None if it never rested.
        seconds_to_motion: from the end of the fault to the next commanded motion; None if there is none.
    """

    fault: Fault
    moved: bool
    seconds_to_rest: float | None
    seconds_to_motion: float | None


def rest_after(run: Recording, fault: Fault, seconds: float) -> Rest:
    """When the arm rested, and moved again, in a run of that many seconds."""
    times: DoubleArray = np.arange(max(fault.begins - FINE, 0.0), seconds, FINE, dtype=np.float64)
    moving = moving_at(run, times)
    during = (times >= fault.begins) & (times < fault.ends)
    moved = bool(moving[times < fault.begins + FINE].any())
    moves = times[during & moving]
    never = bool(len(moves)) and moves[-1] >= min(fault.ends, seconds - FINE) - 2 * FINE
    again = times[moving & (times >= fault.ends)]
    return Rest(
        fault,
        moved,
        None if never else round(float(moves[-1] + FINE - fault.begins), 3) if len(moves) else 0.0,
        round(float(again[0] - fault.ends), 3) if len(again) else None,
    )


def moving_at(run: Recording, times: DoubleArray) -> npt.NDArray[np.bool_]:
    """(N,) whether the arm is commanded to move at these times, which are FINE apart."""
    if not len(run.plans) or not len(times):
        return np.zeros(len(times), bool)
    positions = commanded(run, times.tolist())
    speed = np.abs(np.diff(positions, axis=0)).max(axis=1, initial=0.0) / FINE
    return np.append(np.nan_to_num(speed) > MOVING, False)
