"""Forward kinematics of a chain of joints, in numpy and for many configurations at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vla_ros.action.urdf import UrdfJoint
from vla_ros.types import DoubleArray, VlaError, require_shape


@dataclass(frozen=True)
class _Joint:
    """A joint with what of its transform does not change.

    Attributes:
        parent: index of the joint that carries this one; -1 is the base.
        column: of the joint vector; -1 if fixed.
        offset: (3,) m.
        slide: (3,) m of offset per unit of a prismatic joint; zeros otherwise.
        turn: (3, 3, 3), the rotation is ``turn[0] + sin(q) turn[1] + (1 - cos(q)) turn[2]`` (Rodrigues' formula).
    """

    parent: int
    column: int
    offset: DoubleArray
    slide: DoubleArray
    turn: DoubleArray


class Kinematics:
    """Where the origins of links are, in the frame of the base, the link that no joint carries.

    Args:
        path: of the URDF, for error messages.
        joints: as ``vla_ros.action.urdf.read_urdf`` gives them.
        joint_names: J names, the columns of every joint vector.
        links: L names.

    Raises:
        VlaError: a link that no joint carries, a joint on the way that is not among the names, a loop.
    """

    def __init__(
        self, path: Path, joints: dict[str, UrdfJoint], joint_names: Sequence[str], links: Sequence[str]
    ) -> None:
        self.links = tuple(links)
        self._columns = len(joint_names)
        chain: list[_Joint] = []
        places: dict[str, int] = {}
        for link in links:
            for joint in _way(path, joints, link):
                if joint.child not in places:
                    places[joint.child] = len(chain)
                    parent = places.get(joint.parent, -1)
                    chain.append(_prepared(path, joint, parent, joint_names))
        self._places = [places[link] for link in links]
        self._parent = [joint.parent for joint in chain]
        self._column = np.array([joint.column for joint in chain])
        self._offset = np.array([joint.offset for joint in chain])
        self._slide = np.array([joint.slide for joint in chain])
        self._turn = np.array([joint.turn for joint in chain])

    def origins(self, positions: DoubleArray) -> DoubleArray:
        """Origins (S, L, 3) in metres at joint positions (S, J) in rad or m.

        Raises:
            VlaError: another number of joints.
        """
        return self.poses(positions)[0]

    def poses(self, positions: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
        """Origins (S, L, 3) in metres and rotations (S, L, 3, 3) from the links at joint positions (S, J) in rad or m.

        Raises:
            VlaError: another number of joints.
        """
        require_shape('joint positions', positions, (None, self._columns))
        moving = np.maximum(self._column, 0)  # any column will do where nothing turns or slides
        values = positions.T[moving]
        features = np.stack([np.ones_like(values), np.sin(values), 1.0 - np.cos(values)], axis=2)
        turns = (features @ self._turn.reshape(-1, 3, 9)).reshape(*values.shape, 3, 3)
        offsets = self._offset[:, None] + values[:, :, None] * self._slide[:, None]
        rotations: list[DoubleArray] = []
        points: list[DoubleArray] = []
        for parent, turn, offset in zip(self._parent, turns, offsets, strict=True):
            if parent >= 0:
                carried = rotations[parent]
                offset = points[parent] + (carried @ offset[:, :, None])[:, :, 0]
                turn = carried @ turn
            rotations.append(turn)
            points.append(offset)
        origins = np.stack([points[place] for place in self._places], axis=1)
        return origins, np.stack([rotations[place] for place in self._places], axis=1)


def _way(path: Path, joints: dict[str, UrdfJoint], link: str) -> list[UrdfJoint]:
    """The joints from the base to a link."""
    way: list[UrdfJoint] = []
    while link in joints:
        way.append(joints[link])
        link = joints[link].parent
        if len(way) > len(joints):
            raise VlaError(f'{path}: the joints form a loop at link {link!r}.')
    if not way:
        raise VlaError(f'{path}: no joint carries a link {link!r}; found {sorted(joints)}.')
    return way[::-1]


def _prepared(path: Path, joint: UrdfJoint, parent: int, joint_names: Sequence[str]) -> _Joint:
    if joint.kind != 'fixed' and joint.name not in joint_names:
        raise VlaError(
            f'{path}: joint {joint.name!r} is not a joint of this robot; expected {list(joint_names)}.'
        )
    rotation = rotation_from_rpy(*joint.rpy)
    x, y, z = joint.axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    revolves = joint.kind in ('revolute', 'continuous')
    slides = joint.kind == 'prismatic'
    turn = np.stack([rotation, rotation @ cross * revolves, rotation @ cross @ cross * revolves])
    column = -1 if joint.kind == 'fixed' else list(joint_names).index(joint.name)
    slide = rotation @ np.array(joint.axis) * slides
    return _Joint(parent, column, np.array(joint.xyz), slide, turn)


def rotation_from_rpy(roll: float, pitch: float, yaw: float) -> DoubleArray:
    """(3, 3): about the fixed x, then y, then z axis, as URDF has it."""
    (sr, sp, sy), (cr, cp, cy) = np.sin([roll, pitch, yaw]), np.cos([roll, pitch, yaw])
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )
