"""The preview of markers: what a message says stands where it says so, in its colour, in front of what is behind it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')
pytest.importorskip('mcap_ros2')

from geometry_msgs.msg import Point
from rclpy.serialization import serialize_message
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from vla_ros.nodes.recorder import Channel, Recorder
from vla_ros.viz.colours import BACKGROUND
from vla_ros.viz.marker_view import LOOKED_AT, Moment, preview, view

RED, GREEN, BLUE = (ColorRGBA(r=r, g=g, b=b, a=1.0) for r, g, b in np.eye(3).tolist())


def ball(name: str, colour: ColorRGBA, size: float, height: float = 0.0, alpha: float = 1.0) -> Marker:
    """A ball in the middle of the picture, or above it."""
    marker = Marker(ns=name, type=Marker.SPHERE)
    marker.color = ColorRGBA(r=colour.r, g=colour.g, b=colour.b, a=alpha)
    place = marker.pose.position
    place.x, place.y, place.z = (float(v) for v in LOOKED_AT + [0, 0, height])
    marker.pose.orientation.w = 1.0
    marker.scale.x = marker.scale.y = marker.scale.z = size
    return marker


def middle(*markers: Marker) -> np.ndarray:
    """The pixel in the middle of a small picture."""
    return view(markers, 41, 31)[15, 20].astype(int)


def test_a_marker_is_where_it_says_in_its_colour_and_nothing_is_elsewhere() -> None:
    picture = view([ball('robot', RED, 0.05), ball('robot', BLUE, 0.05, height=0.1)], 41, 31)

    assert picture[15, 20].argmax() == 0
    assert picture[15, 20].max() > 120
    assert picture[:15, 20].max(axis=0).argmax() == 2
    assert tuple(picture[30, 0]) == BACKGROUND


def test_a_ghost_lets_through_what_is_behind_it_and_is_hidden_by_what_is_before_it() -> None:
    inside, around = ball('robot', RED, 0.05), ball('ghost', BLUE, 0.15, alpha=0.5)
    before = ball('robot', GREEN, 0.2)

    red, green, blue = middle(inside, around)
    assert min(red, blue) > 40 > green
    assert middle(inside, around, before).argmax() == 1
    assert middle(inside, around, before)[2] < 10


def test_a_marker_that_deletes_is_not_there() -> None:
    gone = ball('target', RED, 0.05)
    gone.action = Marker.DELETE

    assert tuple(middle(gone)) == BACKGROUND


def test_a_line_has_the_colours_of_its_points() -> None:
    x, y, z = LOOKED_AT.tolist()
    line = Marker(ns='path', type=Marker.LINE_STRIP, color=RED)
    line.scale.x = 0.02
    line.points = [Point(x=x, y=y, z=z - 0.1), Point(x=x, y=y, z=z), Point(x=x, y=y, z=z + 0.1)]
    line.colors = [BLUE, GREEN, RED]

    picture = view([line], 41, 31)

    assert picture[20, 20].argmax() == 2  # below the middle
    assert picture[10, 20].argmax() == 1


def stamped(name: str, second: int, x: float) -> MarkerArray:
    """A line of ``x`` metres, drawn at a time."""
    marker = Marker(ns=name, type=Marker.LINE_STRIP, points=[Point(), Point(x=x)])
    marker.header.stamp.sec = second
    return MarkerArray(markers=[marker])


def test_the_longest_way_is_shown_with_the_ghost_of_the_same_plan_wherever_the_bag_has_it(
    tmp_path: Path,
) -> None:
    recorder = Recorder(tmp_path / 'bag')
    ways, ghosts = (recorder.connect(f'/visualise/{n}', Channel(n, MarkerArray)) for n in ('path', 'ghost'))
    recorder.add(ghosts, 10, serialize_message(stamped('ghost', 1, 0.11)))
    recorder.add(ways, 20, serialize_message(stamped('path', 1, 0.1)))
    recorder.add(ways, 30, serialize_message(stamped('path', 2, 0.3)))
    recorder.add(ways, 40, serialize_message(stamped('path', 3, 0.2)))
    recorder.add(ghosts, 50, serialize_message(stamped('ghost', 2, 0.33)))
    recorder.close()

    way, ghost = Moment(tmp_path / 'bag').plan

    assert (way.points[1].x, ghost.points[1].x) == (0.3, 0.33)


def test_the_command_draws_a_bag_and_says_so_if_nothing_was_drawn_in_it(tmp_path: Path) -> None:
    channel = Channel('visualise/path', MarkerArray)
    for folder, topic in (('drawn', '/visualise/path'), ('plain', '/other')):
        recorder = Recorder(tmp_path / folder)
        connection = recorder.connect(topic, channel)
        recorder.add(connection, 7, serialize_message(MarkerArray(markers=[ball('path', RED, 0.05)])))
        recorder.close()

    assert preview(tmp_path / 'drawn').std() > 1
    ended = subprocess.run(
        [sys.executable, '-m', 'vla_ros.viz.marker_view', str(tmp_path / 'plain'), str(tmp_path / 'x.png')],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert ended.returncode == 1
    assert 'expected markers on /visualise/path, found none' in ended.stderr
