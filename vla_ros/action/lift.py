"""Way-points a little too near to the table, lifted clear of it instead of refused.

What a policy aims at the table is off by a few millimetres. Refused whole, such chunks leave the arm standing just
where it was about to push or to grip. Lifting moves a way-point by the least motion of the joints that takes its lowest
link clear (a Newton step along the gradient of the height). It promises nothing: the guard checks the plan after it.
"""

from __future__ import annotations

import numpy as np

from vla_ros.action.kinematics import Kinematics
from vla_ros.action.workspace import Workspace
from vla_ros.types import DoubleArray

DEEPEST = 0.015
"""Metres below the least height from which a way-point is no inaccuracy any more: the guard refuses it."""
SPARE = 0.004
"""Metres above the least height, for what shaping adds below way-points."""
ROUNDS = 3
"""Newton steps; heights are nearly linear over such distances."""
NUDGE = 1e-4
"""Radians or metres over which gradients are taken."""


def lifted(positions: DoubleArray, workspace: Workspace | None) -> DoubleArray:
    """Way-points (N, J) in rad or m, those up to ``DEEPEST`` too low lifted, all others as they are."""
    if workspace is None or len(positions) == 0:
        return positions
    kinematics, rows = workspace.kinematics, np.arange(len(positions))
    curable = _missing(kinematics, positions, workspace.lowest).max(axis=1) <= DEEPEST
    found = positions.copy()
    for _ in range(ROUNDS):
        missing = _missing(kinematics, found, workspace.lowest + SPARE)
        lift = curable & (missing.max(axis=1) > 0)
        if not lift.any():
            break
        link = missing[lift].argmax(axis=1)
        gradient = _gradients(kinematics, found[lift])[rows[: len(link)], :, link]
        size = np.maximum(np.square(gradient).sum(axis=1), 1e-9)
        found[lift] += gradient * (missing[lift].max(axis=1) / size)[:, None]
    return found


def _missing(kinematics: Kinematics, positions: DoubleArray, heights: DoubleArray) -> DoubleArray:
    """How far (N, L) links are below heights (L,), metres."""
    below: DoubleArray = heights - kinematics.origins(positions)[:, :, 2]
    return below


def _gradients(kinematics: Kinematics, positions: DoubleArray) -> DoubleArray:
    """What each joint does to the height of each link: (N, J, L)."""
    count, joints = positions.shape
    nudges = NUDGE * np.eye(joints)

    def heights(moved: DoubleArray) -> DoubleArray:
        z: DoubleArray = kinematics.origins(moved.reshape(-1, joints))[:, :, 2].reshape(count, joints, -1)
        return z

    slope: DoubleArray = (heights(positions[:, None] + nudges) - heights(positions[:, None] - nudges)) / (
        2 * NUDGE
    )
    return slope
