"""What people see in three dimensions as markers. Pure functions; every pose is in the frame of the header."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from vla_ros.nodes.limits_messages import Box
from vla_ros.nodes.messages import time_message
from vla_ros.types import NANOSECONDS, DoubleArray
from vla_ros.viz.robot_shapes import Colour, Shape

KINDS = {
    'box': Marker.CUBE,
    'cylinder': Marker.CYLINDER,
    'sphere': Marker.SPHERE,
    'mesh': Marker.MESH_RESOURCE,
}
GHOST: Colour = (0.35, 0.65, 1.0, 0.3)
BOX: Colour = (0.9, 0.75, 0.2, 0.9)
TABLE: Colour = (0.9, 0.75, 0.2, 0.12)
TARGET: Colour = (1.0, 0.25, 0.75, 0.9)
SIGHT: Colour = (1.0, 0.25, 0.75, 0.35)
WORDS: Colour = (0.92, 0.92, 0.92, 1.0)
PATH_WIDTH, EDGE_WIDTH, SIGHT_WIDTH, TARGET_SIZE, LETTER, TABLE_THICKNESS = (
    0.006,
    0.002,
    0.0015,
    0.024,
    0.016,
    0.001,
)
"""Metres."""
LETTERS = 60
"""Characters a line."""
# The twelve edges of a box: corners whose places in (x, y, z) are the bits of a number, two of them an edge.
EDGES = [(a, b) for a in range(8) for b in range(8) if a < b and (a ^ b) in (1, 2, 4)]


def header(frame: str, stamp: int) -> Header:
    """Of markers in a frame at a time (ns)."""
    return Header(frame_id=frame, stamp=time_message(stamp))


def robot_markers(
    shapes: Sequence[Shape],
    poses: Iterable[tuple[DoubleArray, DoubleArray]],
    head: Header,
    name: str,
    colour: Colour | None = None,
    seconds: float = 0.0,
) -> MarkerArray:
    """A robot as its shapes at given poses.

    Args:
        colour: of all of it; None leaves each shape its own.
        seconds: after which it vanishes; 0 is never.
    """
    markers = []
    for number, (shape, (position, rotation)) in enumerate(zip(shapes, poses, strict=True)):
        marker = _marker(head, name, number, KINDS[shape.kind], colour or shape.colour, seconds)
        _place(marker, position, rotation)
        _scale(marker, shape.size)
        if shape.kind == 'mesh':
            marker.mesh_resource = shape.mesh
            marker.mesh_use_embedded_materials = colour is None
        markers.append(marker)
    return MarkerArray(markers=markers)


def path_markers(
    points: DoubleArray, colours: DoubleArray, head: Header, name: str, seconds: float
) -> MarkerArray:
    """A line through ``points`` (N, 3), each with its colour (N, 3) rgb; nothing if there are less than two."""
    if len(points) < 2:
        return MarkerArray()
    marker = _marker(head, name, 0, Marker.LINE_STRIP, (1.0, 1.0, 1.0, 1.0), seconds)
    marker.scale.x = PATH_WIDTH
    marker.points = [_point(point) for point in points]
    marker.colors = [_colour((float(r), float(g), float(b), 1.0)) for r, g, b in colours]
    return MarkerArray(markers=[marker])


def workspace_markers(box: Box | None, head: Header) -> MarkerArray:
    """The edges of the workspace and the plane of the table in it; without one, nothing is left of them."""
    edges = _marker(head, 'workspace', 0, Marker.LINE_LIST, BOX)
    table = _marker(head, 'table', 0, Marker.CUBE, TABLE)
    if box is None:
        edges.action = table.action = Marker.DELETE
        return MarkerArray(markers=[edges, table])
    edges.scale.x = EDGE_WIDTH
    bits = (np.arange(8)[:, None] >> np.arange(3)) & 1
    corners = np.where(bits, box.upper, box.lower)
    edges.points = [_point(corners[corner]) for edge in EDGES for corner in edge]
    middle, size = (box.lower + box.upper) / 2, box.upper - box.lower
    _place(table, np.array([middle[0], middle[1], box.table_height - TABLE_THICKNESS / 2]), np.eye(3))
    _scale(table, np.array([size[0], size[1], TABLE_THICKNESS]))
    return MarkerArray(markers=[edges, table])


def target_markers(point: DoubleArray | None, eye: DoubleArray | None, head: Header) -> MarkerArray:
    """A ball at a point (3,) and the line of sight to it from a camera at ``eye`` (3,); None removes both."""
    ball = _marker(head, 'target', 0, Marker.SPHERE, TARGET)
    sight = _marker(head, 'line of sight', 0, Marker.LINE_STRIP, SIGHT)
    if point is None or eye is None:
        ball.action = sight.action = Marker.DELETE
        return MarkerArray(markers=[ball, sight])
    _place(ball, point, np.eye(3))
    _scale(ball, np.full(3, TARGET_SIZE))
    sight.scale.x = SIGHT_WIDTH
    sight.points = [_point(eye), _point(point)]
    return MarkerArray(markers=[ball, sight])


def text_markers(text: str, place: DoubleArray, head: Header) -> MarkerArray:
    """Words at a place (3,), always turned to whoever looks; none if there are no words."""
    marker = _marker(head, 'words', 0, Marker.TEXT_VIEW_FACING, WORDS)
    _place(marker, place, np.eye(3))
    marker.scale.z = LETTER
    marker.text = '\n'.join(textwrap.wrap(text, LETTERS))
    if not marker.text:
        marker.action = Marker.DELETE
    return MarkerArray(markers=[marker])


def _marker(head: Header, name: str, number: int, kind: int, colour: Colour, seconds: float = 0.0) -> Marker:
    marker = Marker(header=head, ns=name, id=number, type=kind, action=Marker.ADD, color=_colour(colour))
    marker.pose.orientation.w = 1.0
    due = round(seconds * NANOSECONDS)
    marker.lifetime = Duration(sec=due // NANOSECONDS, nanosec=due % NANOSECONDS)
    return marker


def _place(marker: Marker, position: DoubleArray, rotation: DoubleArray) -> None:
    place, turn = marker.pose.position, marker.pose.orientation
    place.x, place.y, place.z = (float(v) for v in position)
    turn.x, turn.y, turn.z, turn.w = quaternion(rotation)


def _scale(marker: Marker, size: DoubleArray) -> None:
    marker.scale.x, marker.scale.y, marker.scale.z = (float(v) for v in size)


def _point(values: DoubleArray) -> Point:
    x, y, z = (float(v) for v in values)
    return Point(x=x, y=y, z=z)


def _colour(rgba: Colour) -> ColorRGBA:
    red, green, blue, alpha = rgba
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)


def quaternion(rotation: DoubleArray) -> tuple[float, float, float, float]:
    """(x, y, z, w) of a rotation matrix (3, 3), by its largest component (Shepperd's method)."""
    m = rotation
    trace = float(np.trace(m))
    # Four times the square of each component, w first; the largest is at least 1.
    squares = np.array([1 + trace, *(1 + 2 * float(m[i, i]) - trace for i in range(3))])
    largest = int(squares.argmax())
    a, b, c = m[2, 1], m[0, 2], m[1, 0]
    d, e, f = m[1, 2], m[2, 0], m[0, 1]
    rows = (
        (squares[0], a - d, b - e, c - f),
        (a - d, squares[1], f + c, b + e),
        (b - e, f + c, squares[2], a + d),
        (c - f, b + e, a + d, squares[3]),
    )
    w, x, y, z = (float(v) / (2 * float(np.sqrt(squares[largest]))) for v in rows[largest])
    return x, y, z, w
