"""A picture of the markers and images in a bag, for where there is no rviz: the same messages, cast with MuJoCo's rays.

``python -m vla_ros.viz.marker_view out/demo/bag preview.png`` shows the moment of the longest planned way. It is a
preview: the colours and the places are those of the messages, the look is not that of rviz.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import mujoco
import numpy as np
from PIL import Image, ImageDraw

from vla_ros.evaluation.bag import decision_of, image_of
from vla_ros.types import DoubleArray, ImageArray, VlaError
from vla_ros.viz.colours import BACKGROUND, MUTED, TEXT
from vla_ros.viz.style import write
from vla_ros.viz.trace_text import draw_trace

WAY = '/visualise/path'
GHOST = '/visualise/ghost'
DRAWN = tuple(f'/visualise/{name}' for name in ('workspace', 'robot', 'target'))
PICTURES = ('/reasoning/image', '/camera/front/image_raw', '/camera/wrist/image_raw')
CUBE, SPHERE, CYLINDER, LINE_STRIP, LINE_LIST = 1, 2, 3, 4, 5  # of visualization_msgs/msg/Marker
KINDS = {
    CUBE: mujoco.mjtGeom.mjGEOM_BOX,
    SPHERE: mujoco.mjtGeom.mjGEOM_SPHERE,
    CYLINDER: mujoco.mjtGeom.mjGEOM_CYLINDER,
}
EYE, LOOKED_AT, FIELD_OF_VIEW = np.array([0.95, -0.42, 0.50]), np.array([0.15, -0.01, 0.12]), 33.0
LIGHT = np.array([0.45, -0.6, 0.66])
VIEW, SIDE, MARGIN, BELOW = (960, 770), 480, 12, 118
"""Pixels: width and height of the view in space, edge of a picture beside it, and what is around and below them."""
SAMPLES = 2
NOTE = 'Drawn from the messages of a bag by vla_ros.viz.marker_view; not a screenshot of rviz.'
LEGEND = 'blue ghost: where the plan ends   line: planned way, red is fast   pink: target   yellow: workspace'


def view(markers: Sequence[Any], width: int, height: int) -> ImageArray:
    """The markers in space as (height, width, 3) rgb8; what is transparent lets through what is behind it."""
    rays = _rays(width * SAMPLES, height * SAMPLES)
    colours, depth, _ = _cast([m for m in markers if m.color.a >= 0.8], rays)
    layers = [
        _cast([m for m in markers if m.ns == name], rays) for name in ('table', 'ghost', 'line of sight')
    ]
    for seen, distance, alpha in sorted(layers, key=lambda layer: -float(np.median(layer[1]))):
        share = np.where(distance < depth, alpha, 0.0)[:, None]
        colours = share * seen + (1 - share) * colours
    image = colours.reshape(height * SAMPLES, width * SAMPLES, 3).astype(np.uint8)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _cast(markers: Sequence[Any], rays: DoubleArray) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Colours (N, 3), distances (N,) and alpha (N,) of what rays (N, 3) from EYE meet; the background is far away."""
    spec = mujoco.MjSpec()
    for marker in markers:
        _add(spec.worldbody, marker)
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    count = len(rays)
    geom, distance, normal = np.full(count, -1, np.int32), np.full(count, np.inf), np.zeros(3 * count)
    if model.ngeom:
        flat = np.ascontiguousarray(rays).ravel()
        mujoco.mj_multiRay(model, data, EYE, flat, None, 1, -1, geom, distance, normal, count, 1e3)
    hit = geom >= 0
    distance[~hit] = np.inf
    colours = np.tile(np.array(BACKGROUND, float), (count, 1))
    alpha = np.zeros(count)
    if hit.any():
        rgba = model.geom_rgba[geom[hit]]
        brightness = 0.62 + 0.38 * np.clip(normal.reshape(-1, 3)[hit] @ LIGHT, 0, 1)
        colours[hit], alpha[hit] = 255 * rgba[:, :3] * brightness[:, None], rgba[:, 3]
    return colours, distance, alpha


def _add(body: Any, marker: Any) -> None:
    """A marker as geoms; one that deletes, or that is text, is none."""
    if marker.action != 0:
        return
    rgba = _rgba(marker.color)
    if marker.type in KINDS:
        place, turn, scale = marker.pose.position, marker.pose.orientation, marker.scale
        size = [scale.x / 2, scale.y / 2, scale.z / 2]
        if marker.type == CYLINDER:
            size = [scale.x / 2, scale.z / 2, 0]
        quaternion = [turn.w, turn.x, turn.y, turn.z]
        body.add_geom(
            type=KINDS[marker.type], pos=[place.x, place.y, place.z], quat=quaternion, size=size, rgba=rgba
        )
    elif marker.type in (LINE_STRIP, LINE_LIST):
        points = [[point.x, point.y, point.z] for point in marker.points]
        step = 2 if marker.type == LINE_LIST else 1
        for index in range(0, len(points) - 1, step):
            begin, end = points[index], points[index + 1]
            if np.linalg.norm(np.subtract(end, begin)) > 1e-6:
                body.add_geom(
                    type=mujoco.mjtGeom.mjGEOM_CAPSULE,
                    fromto=[*begin, *end],
                    size=[marker.scale.x / 2, 0, 0],
                    rgba=_rgba(marker.colors[index]) if marker.colors else rgba,
                )


def _rgba(colour: Any) -> list[float]:
    return [colour.r, colour.g, colour.b, colour.a]


def _rays(width: int, height: int) -> DoubleArray:
    """Unit rays (height * width, 3) from EYE, row by row."""
    forward = (LOOKED_AT - EYE) / np.linalg.norm(LOOKED_AT - EYE)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right = right / np.linalg.norm(right)
    down = np.cross(forward, right)
    focal = height / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    u, v = np.meshgrid(np.arange(width) - (width - 1) / 2, np.arange(height) - (height - 1) / 2)
    rays = u.ravel()[:, None] * right + v.ravel()[:, None] * down + focal * forward
    unit: DoubleArray = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    return unit


class Moment:
    """What the topics of a bag last said when the longest planned way in it was drawn.

    Raises:
        VlaError: no bag there, or none in which a plan was drawn.
    """

    def __init__(self, folder: Path) -> None:
        from mcap.reader import make_reader
        from mcap_ros2.decoder import DecoderFactory

        files = sorted(folder.glob('*.mcap'))
        if not files:
            raise VlaError(f'{folder}: expected a folder with an .mcap file')
        self._stream = files[0].open('rb')
        self._reader = make_reader(self._stream, decoder_factories=[DecoderFactory()])
        ways = [(_length(message), time, message) for time, message in self._all(WAY)]
        if not ways:
            raise VlaError(
                f'{files[0]}: expected markers on {WAY}, found none; was the node visualise there?'
            )
        _, self._time, way = max(ways, key=lambda found: found[0])
        drawn_at = _stamp(way)
        ghosts = (message for _, message in self._all(GHOST) if _stamp(message) == drawn_at)
        self.plan = [
            marker for array in (way, next(ghosts, None)) if array is not None for marker in array.markers
        ]
        """The way and its ghost: they have the same stamp, but a bag may have them some time apart."""

    def said(self, topic: str) -> Any:
        """The newest message of a topic; None if there is none yet."""
        found = self._reader.iter_decoded_messages([topic], ending_at=self._time, reverse=True)
        return next((message for _, _, _, message in found), None)

    def _all(self, topic: str) -> Iterator[tuple[int, Any]]:
        for _, _, record, message in self._reader.iter_decoded_messages([topic]):
            yield record.log_time, message


def _stamp(message: Any) -> tuple[int, int] | None:
    """That of the first marker; None if there are none."""
    stamps = [marker.header.stamp for marker in message.markers]
    return (stamps[0].sec, stamps[0].nanosec) if stamps else None


def _length(message: Any) -> float:
    """Metres along a line strip."""
    points = np.array([[p.x, p.y, p.z] for marker in message.markers for p in marker.points]).reshape(-1, 3)
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def preview(folder: Path) -> ImageArray:
    """The picture of a bag: the view in space, the images beside it, the chain of thought below."""
    moment = Moment(folder)
    arrays = [moment.said(topic) for topic in DRAWN]
    markers = [*moment.plan, *(marker for array in arrays if array is not None for marker in array.markers)]
    width, height = VIEW
    picture = Image.new('RGB', (width + SIDE + 3 * MARGIN, height + BELOW + 2 * MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(picture)
    picture.paste(Image.fromarray(view(markers, width, height)), (MARGIN, MARGIN))
    left, top = width + 2 * MARGIN, MARGIN
    for topic, edge in zip(PICTURES, (SIDE, (SIDE - MARGIN) // 2, (SIDE - MARGIN) // 2), strict=True):
        message = moment.said(topic)
        if message is not None:
            image = Image.fromarray(image_of(message)).resize((edge, edge))
            picture.paste(image, (left, top))
        write(draw, (left, top + edge + 3), topic.lstrip('/'), name='regular', size=13, colour=MUTED)
        left, top = (left, top + edge + 28) if edge == SIDE else (left + edge + MARGIN, top)
    write(draw, (MARGIN + 8, MARGIN + 6), LEGEND, name='regular', size=14, colour=MUTED)
    decision = moment.said('/reasoning/decision')
    if decision is not None:
        told = decision_of(decision)
        place = (MARGIN + 8, height + 2 * MARGIN)
        write(draw, place, f'“{told.instruction}”', name='bold', size=19, colour=TEXT)
        box = (place[0], place[1] + 32, picture.width - MARGIN, picture.height - 26)
        draw_trace(draw, box, told.trace, size=16)
    write(draw, (MARGIN + 8, picture.height - 24), NOTE, name='oblique', size=13, colour=MUTED)
    return np.asarray(picture)


def main() -> int:
    """Draw one picture."""
    parser = argparse.ArgumentParser(prog='python -m vla_ros.viz.marker_view', description=__doc__)
    parser.add_argument('bag', type=Path, help='folder of a bag that was recorded with the node visualise')
    parser.add_argument('picture', type=Path, help='a PNG')
    options = parser.parse_args()
    try:
        Image.fromarray(preview(options.bag)).save(options.picture, optimize=True)
    except VlaError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
