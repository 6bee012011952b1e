"""The visible shapes of a robot from its URDF, and where they are at given joints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from vla_ros.action.kinematics import Kinematics, rotation_from_rpy
from vla_ros.action.urdf import number, urdf_joints, urdf_root, vector
from vla_ros.types import DoubleArray, VlaError

SOURCE = Path('robot_description')
"""What messages about a URDF call it."""
PLAIN = (0.7, 0.7, 0.7, 1.0)
"""Colour (rgba, 0..1) of a shape whose material says none."""
MOST_SHAPES = 1000
ZERO, ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
Colour = tuple[float, float, float, float]


@dataclass(frozen=True)
class Shape:
    """A ``visual`` of a link.

    Attributes:
        kind: 'box', 'cylinder' (along z), 'sphere' or 'mesh'.
        size: (3,) edges or diameters in metres; of a mesh its scale.
        position, rotation: (3,) m and (3, 3) in the frame of the link.
        mesh: the resource of a mesh, as the URDF names it.
    """

    link: str
    kind: str
    size: DoubleArray
    position: DoubleArray
    rotation: DoubleArray
    colour: Colour
    mesh: str = ''


class RobotShapes:
    """The shapes of a URDF, and the pose of each and of every link at given joints.

    Raises:
        VlaError: not a URDF, kinds of joints or shapes that are not known, or too many of them.
    """

    def __init__(self, urdf: str) -> None:
        root = urdf_root(SOURCE, urdf)
        self._mimics = _taken_out_mimics(root)
        joints = urdf_joints(SOURCE, root)
        self.joints = tuple(joint.name for joint in joints.values() if joint.kind != 'fixed')
        """The names of the J joints that move."""
        self.shapes = _shapes(root)
        self._kinematics = Kinematics(SOURCE, joints, self.joints, tuple(joints))
        roots = {joint.parent for joint in joints.values()} - set(joints)
        if len(roots) != 1:
            raise VlaError(f'{SOURCE}: expected one link that no joint carries, found {sorted(roots)}.')
        (self.base,) = roots
        known = {self.base, *joints}
        if unknown := {shape.link for shape in self.shapes} - known:
            raise VlaError(f'{SOURCE}: no joint carries the links {sorted(unknown)}.')

    def vector(self, *known: Mapping[str, float]) -> DoubleArray:
        """Positions (J,) of all joints by name: the first that knows a joint says where it is, else it is at 0.

        A joint that mimics another is where that one says, unless it is known itself.
        """

        def at(name: str) -> float:
            return next((positions[name] for positions in known if name in positions), 0.0)

        values = []
        for name in self.joints:
            if name in self._mimics and not any(name in positions for positions in known):
                other, multiplier, offset = self._mimics[name]
                values.append(multiplier * at(other) + offset)
            else:
                values.append(at(name))
        return np.array(values)

    def links(self, positions: DoubleArray) -> dict[str, tuple[DoubleArray, DoubleArray]]:
        """Each link's origin (3,) in metres and rotation (3, 3) in the base at positions (J,)."""
        (origins,), (rotations,) = self._kinematics.poses(positions[None])
        links = zip(self._kinematics.links, origins, rotations, strict=True)
        return {self.base: (np.zeros(3), np.eye(3)), **{link: (p, r) for link, p, r in links}}

    def way(self, link: str, positions: DoubleArray) -> DoubleArray:
        """Origins (S, 3) of a link in metres in the base at positions (S, J).

        Raises:
            VlaError: no joint carries such a link.
        """
        if link not in self._kinematics.links:
            raise VlaError(f'{SOURCE}: no joint carries a link {link!r}.')
        place = self._kinematics.links.index(link)
        origins: DoubleArray = self._kinematics.origins(positions)[:, place]
        return origins

    def poses(self, positions: DoubleArray) -> list[tuple[DoubleArray, DoubleArray]]:
        """Each shape's centre (3,) in metres and rotation (3, 3) in the base at positions (J,)."""
        links = self.links(positions)
        found = []
        for shape in self.shapes:
            origin, rotation = links[shape.link]
            found.append((origin + rotation @ shape.position, rotation @ shape.rotation))
        return found


def _taken_out_mimics(root: Element) -> dict[str, tuple[str, float, float]]:
    """Joint, multiplier and offset that a joint mimics, by its name; they are gone from the joints afterwards."""
    found = {}
    for joint in root.findall('joint'):
        mimic = joint.find('mimic')
        if mimic is not None:
            joint.remove(mimic)
            where = f'{SOURCE}: mimic of {joint.get("name")!r}'
            multiplier = number(where, mimic.get('multiplier', '1'))
            offset = number(where, mimic.get('offset', '0'))
            found[str(joint.get('name'))] = (str(mimic.get('joint')), multiplier, offset)
    return found


def _shapes(root: Element) -> tuple[Shape, ...]:
    colours = {
        str(material.get('name')): colour
        for material in root.iter('material')
        if (colour := _colour(material)) is not None
    }
    found = []
    for link in root.findall('link'):
        for visual in link.findall('visual'):
            material = visual.find('material')
            named = '' if material is None else str(material.get('name'))
            found.append(_shape(str(link.get('name')), visual, colours.get(named, PLAIN)))
    if len(found) > MOST_SHAPES:
        raise VlaError(f'{SOURCE}: expected at most {MOST_SHAPES} visuals, found {len(found)}.')
    return tuple(found)


def _shape(link: str, visual: Element, colour: Colour) -> Shape:
    where = f'{SOURCE}: visual of {link!r}'
    origin, geometry = visual.find('origin'), visual.find('geometry')
    position = np.array(vector(where, origin, 'xyz', ZERO))
    rotation = rotation_from_rpy(*vector(where, origin, 'rpy', ZERO))
    body = next(iter(geometry), None) if geometry is not None else None
    kind = '' if body is None else body.tag
    mesh = ''
    if body is not None and kind == 'box':
        size = vector(where, body, 'size', ZERO)
    elif body is not None and kind == 'cylinder':
        width = 2 * number(where, body.get('radius', ''))
        size = (width, width, number(where, body.get('length', '')))
    elif body is not None and kind == 'sphere':
        size = (2 * number(where, body.get('radius', '')),) * 3
    elif body is not None and kind == 'mesh':
        size, mesh = vector(where, body, 'scale', ONE), body.get('filename', '')
    else:
        raise VlaError(f'{where}: expected a box, cylinder, sphere or mesh, found {kind or "nothing"!r}.')
    return Shape(link, kind, np.array(size), position, rotation, colour, mesh)


def _colour(material: Element) -> Colour | None:
    element = material.find('color')
    if element is None:
        return None
    values = [number(f'{SOURCE}: color', part) for part in element.get('rgba', '').split()]
    if len(values) != 4:
        raise VlaError(f'{SOURCE}: color: expected four numbers, found {element.get("rgba")!r}.')
    red, green, blue, alpha = values
    return red, green, blue, alpha
