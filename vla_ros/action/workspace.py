"""Where links may be: in a box, and above the table. Read from the file of the joint limits.

A box and a plane are no collision check: they keep the arm out of the table and away from what stands around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.action.kinematics import Kinematics
from vla_ros.action.refusal import GuardReason, Refusal
from vla_ros.action.urdf import read_urdf, urdf_absurdities
from vla_ros.types import DoubleArray, VlaError

KEYS = {'urdf', 'min', 'max', 'table_height', 'clearances'}
AXES = 'xyz'


@dataclass(frozen=True)
class Workspace:
    """Bounds of L links in the base frame, metres.

    Attributes:
        kinematics: where the links are.
        lower, upper: (3,) corners of the box that all of them stay in.
        lowest: (L,) least height of each, by the table.
        table_height: of the table.
        warnings: sentences for a person about a URDF that is hardly meant as it is.
    """

    kinematics: Kinematics
    lower: DoubleArray
    upper: DoubleArray
    lowest: DoubleArray
    table_height: float = 0.0
    warnings: tuple[str, ...] = ()

    def describe(self) -> str:
        """One sentence for the log."""
        corners = ' to '.join(
            f'({", ".join(f"{v:g}" for v in corner)})' for corner in (self.lower, self.upper)
        )
        heights = ', '.join(
            f'{link} {z:g}' for link, z in zip(self.kinematics.links, self.lowest, strict=True)
        )
        return f'box {corners} m; least heights in m: {heights}'


def workspace_fault(positions: DoubleArray, workspace: Workspace) -> Refusal | None:
    """Joint positions (S, J) on the way lead a link out of the box or too near to the table.

    Where a link begins outside, it may come back, not go further.
    """
    points = workspace.kinematics.origins(positions)
    links = workspace.kinematics.links
    depth = np.minimum(workspace.lowest, points[0, :, 2]) - points[:, :, 2]
    if depth.max() > 0:
        _, link = np.unravel_index(int(depth.argmax()), depth.shape)
        sentence = f'{links[link]} would come {depth.max():.3f} m too near to the table.'
        return Refusal(GuardReason.BELOW_TABLE, sentence)
    lower, upper = np.minimum(workspace.lower, points[0]), np.maximum(workspace.upper, points[0])
    excess = np.maximum(lower - points, points - upper)
    if excess.max() > 0:
        _, link, axis = np.unravel_index(int(excess.argmax()), excess.shape)
        sentence = f'{links[link]} would leave the workspace by {excess.max():.3f} m in {AXES[axis]}.'
        return Refusal(GuardReason.OUTSIDE_WORKSPACE, sentence)
    return None


def read_workspace(path: Path, entry: object, joint_names: Sequence[str]) -> Workspace:
    """The workspace of an entry in a file of limits: see ``config/joint_limits.yaml``.

    Args:
        path: of that file; the URDF is named relative to its folder.

    Raises:
        VlaError: a key missing, unknown or not a number, corners that are not, a URDF that does not fit the joints.
    """
    where = f'{path}: workspace'
    if not isinstance(entry, dict) or set(entry) != KEYS:
        found = sorted(map(str, entry)) if isinstance(entry, dict) else type(entry).__name__
        raise VlaError(f'{where}: expected the keys {sorted(KEYS)}, found {found}.')
    lower, upper = _corner(where, entry, 'min'), _corner(where, entry, 'max')
    if not (lower < upper).all():
        raise VlaError(f'{where}: min {lower.tolist()} is not below max {upper.tolist()}.')
    clearances = entry['clearances']
    if not isinstance(clearances, dict) or not clearances:
        raise VlaError(f'{where}.clearances: expected metres for at least one link, found {clearances!r}.')
    height = _number(f'{where}.table_height', entry['table_height'])
    lowest = [height + _number(f'{where}.clearances.{link}', value) for link, value in clearances.items()]
    if not isinstance(entry['urdf'], str):
        raise VlaError(f'{where}.urdf: expected a path, found {entry["urdf"]!r}.')
    urdf = path.parent / Path(entry['urdf']).expanduser()
    joints = read_urdf(urdf)
    kinematics = Kinematics(urdf, joints, joint_names, [str(link) for link in clearances])
    warnings = tuple(urdf_absurdities(joints, joint_names))
    return Workspace(kinematics, lower, upper, np.array(lowest), height, warnings)


def _corner(where: str, entry: dict[str, Any], key: str) -> DoubleArray:
    values = entry[key]
    if not isinstance(values, list) or len(values) != 3:
        raise VlaError(f'{where}.{key}: expected [x, y, z] in metres, found {values!r}.')
    return np.array([_number(f'{where}.{key}', value) for value in values])


def _number(where: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
        raise VlaError(f'{where}: expected a finite number of metres, found {value!r}.')
    return float(value)
