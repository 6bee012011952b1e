"""What of a URDF the guard needs: the joints between links, and whether their limits can be meant."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vla_ros.types import VlaError

KINDS = ('revolute', 'continuous', 'prismatic', 'fixed')
LARGEST_FILE = 10_000_000  # bytes
# Beyond these a limit limits nothing: about three turns a second, and more than an industrial robot's shoulder gives.
FASTEST_SENSIBLE = 20.0  # rad/s or m/s
STRONGEST_SENSIBLE = 1000.0  # Nm or N

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class UrdfLimit:
    """The attributes of a joint's ``limit``; None where the file does not say."""

    lower: float | None
    upper: float | None
    velocity: float | None
    effort: float | None


@dataclass(frozen=True)
class UrdfJoint:
    """One joint.

    From the frame of ``parent`` by ``xyz`` (m) and ``rpy`` (rad) to where ``child`` moves along or about the unit
    vector ``axis``.
    """

    name: str
    kind: str
    parent: str
    child: str
    xyz: Vector
    rpy: Vector
    axis: Vector
    limit: UrdfLimit | None


def read_urdf(path: Path) -> dict[str, UrdfJoint]:
    """The joints of a URDF, by the name of their child link.

    Raises:
        VlaError: no such file, not a URDF, a kind of joint or a number that cannot be used, a link with two parents.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise VlaError(f'{path}: expected at most {LARGEST_FILE} bytes.')
        content = path.read_bytes()
    except OSError as error:
        raise VlaError(f'{path}: cannot be read ({error.strerror}).') from error
    return urdf_joints(path, urdf_root(path, content))


def urdf_joints(path: Path, root: ElementTree.Element) -> dict[str, UrdfJoint]:
    """The joints of a URDF's root element, by the name of their child link; ``path`` is for messages.

    Raises:
        VlaError: as ``read_urdf``.
    """
    joints: dict[str, UrdfJoint] = {}
    for element in root.findall('joint'):
        joint = _joint(path, element)
        if joint.child in joints:
            raise VlaError(f'{path}: link {joint.child!r} is the child of two joints; expected a tree.')
        joints[joint.child] = joint
    if not joints:
        raise VlaError(f'{path}: expected joints, found none.')
    return joints


def urdf_absurdities(joints: dict[str, UrdfJoint], names: Sequence[str]) -> list[str]:
    """Sentences for a person about limits of the named joints that limit nothing or everything.

    Empty if all are sensible.
    """
    by_name = {joint.name: joint for joint in joints.values()}
    found = []
    for name in names:
        joint = by_name.get(name)
        if joint is None:
            found.append(f'{name}: the URDF has no such joint.')
        elif joint.limit is None:
            found.append(f'{name}: the URDF gives no limits.')
        else:
            found += [f'{name}: {sentence}' for sentence in _absurdities(joint.kind, joint.limit)]
    return found


def _absurdities(kind: str, limit: UrdfLimit) -> list[str]:
    found = []
    for what, value, largest in (
        ('velocity', limit.velocity, FASTEST_SENSIBLE),
        ('effort', limit.effort, STRONGEST_SENSIBLE),
    ):
        if value is None:
            found.append(f'the URDF gives no {what} limit.')
        elif value <= 0:
            found.append(f'the {what} limit of the URDF is {value:g}, which forbids every motion.')
        elif value > largest:
            found.append(f'the {what} limit of the URDF is {value:g}, which limits nothing.')
    if kind == 'continuous':
        return found
    if limit.lower is None or limit.upper is None:
        found.append('the URDF gives no position limits, which means 0.')
    elif limit.lower >= limit.upper:
        found.append(f'the lower position limit of the URDF, {limit.lower:g}, is not below {limit.upper:g}.')
    return found


def urdf_root(path: Path, content: bytes | str) -> ElementTree.Element:
    """The root element of a URDF; ``path`` is for messages.

    Raises:
        VlaError: too long, no XML, or no robot.
    """
    if len(content) > LARGEST_FILE:
        raise VlaError(f'{path}: expected at most {LARGEST_FILE} bytes.')
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError) as error:
        raise VlaError(f'{path}: is not XML ({error}); expand a xacro file first.') from error
    if root.tag != 'robot':
        raise VlaError(f'{path}: expected a robot, found {root.tag!r}.')
    return root


def _joint(path: Path, element: ElementTree.Element) -> UrdfJoint:
    name, kind = element.get('name', ''), element.get('type', '')
    where = f'{path}: joint {name!r}'
    if kind not in KINDS:
        raise VlaError(f'{where}: expected a type of {list(KINDS)}, found {kind!r}.')
    if element.find('mimic') is not None:
        raise VlaError(f'{where}: a joint that mimics another is not supported.')
    parent, child = (_attribute(where, element, tag, 'link') for tag in ('parent', 'child'))
    origin, axis = element.find('origin'), element.find('axis')
    xyz = vector(where, origin, 'xyz', (0.0, 0.0, 0.0))
    rpy = vector(where, origin, 'rpy', (0.0, 0.0, 0.0))
    direction = vector(where, axis, 'xyz', (1.0, 0.0, 0.0))
    length = math.hypot(*direction)
    if kind != 'fixed' and length < 1e-6:
        raise VlaError(f'{where}: its axis has no direction.')
    x, y, z = (value / length if length else value for value in direction)
    return UrdfJoint(name, kind, parent, child, xyz, rpy, (x, y, z), _limit(where, element.find('limit')))


def _attribute(where: str, element: ElementTree.Element, tag: str, key: str) -> str:
    found = element.find(tag)
    value = None if found is None else found.get(key)
    if not value:
        raise VlaError(f'{where}: {tag} is missing.')
    return value


def _limit(where: str, element: ElementTree.Element | None) -> UrdfLimit | None:
    if element is None:
        return None
    texts = (element.get(key) for key in ('lower', 'upper', 'velocity', 'effort'))
    return UrdfLimit(*(None if text is None else number(where, text) for text in texts))


def vector(where: str, element: ElementTree.Element | None, key: str, default: Vector) -> Vector:
    """The three numbers of an attribute; the default if the element or the attribute is missing."""
    text = None if element is None else element.get(key)
    if text is None:
        return default
    numbers = [number(where, part) for part in text.split()]
    if len(numbers) != 3:
        raise VlaError(f'{where}: {key}: expected three numbers, found {text!r}.')
    return numbers[0], numbers[1], numbers[2]


def number(where: str, text: str) -> float:
    """A finite number; VlaError if it is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise VlaError(f'{where}: expected a finite number, found {text!r}.')
    return value
