"""A recorder that cannot write says so and ends; it does not pile up in memory what nobody will ever read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('mcap_ros2')

from geometry_msgs.msg import Point
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rclpy.serialization import serialize_message
from std_msgs.msg import String
from visualization_msgs.msg import Marker, MarkerArray

from vla_ros.nodes.recorder import Channel, Recorder

WORDS = Channel('instruction', String)
MESSAGE = b'\x00\x01\x00\x00\x03\x00\x00\x00hi\x00\x00'


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_given_a_full_disk_when_a_message_is_written_then_the_recorder_says_so_and_keeps_nothing_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path / 'bag')
    connection = recorder.connect('/instruction', WORDS)
    monkeypatch.setattr(recorder._writer, 'write', full)

    recorder.add(connection, 1, MESSAGE)
    recorder._thread.join(20.0)
    recorder.add(connection, 2, MESSAGE)

    assert recorder.error == f'{tmp_path / "bag"} could not be written: No space left on device'
    assert recorder._queue.empty()
    recorder.close()


def test_given_a_disk_that_gets_full_at_the_end_then_closing_does_not_raise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path / 'bag')
    monkeypatch.setattr(recorder._writer, 'close', full)

    recorder.close()

    assert 'No space left on device' in recorder.error


def test_given_room_then_all_is_well(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / 'bag')
    recorder.add(recorder.connect('/instruction', WORDS), 1, MESSAGE)
    recorder.close()

    assert recorder.error == ''
    assert (tmp_path / 'bag' / 'metadata.yaml').is_file()


def test_a_bag_is_what_foxglove_takes_ros2msg_schemas_that_are_whole_and_cdr(tmp_path: Path) -> None:
    marker = Marker(ns='path', points=[Point(x=1.0, y=2.0, z=3.0)])
    channel = Channel('visualise/path', MarkerArray)
    recorder = Recorder(tmp_path / 'bag')
    connection = recorder.connect('/visualise/path', channel)
    recorder.add(connection, 7, serialize_message(MarkerArray(markers=[marker])))
    recorder.close()

    (file,) = (tmp_path / 'bag').glob('*.mcap')
    with file.open('rb') as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        ((schema, found, _, message),) = reader.iter_decoded_messages()
        assert reader.get_header().profile == 'ros2'
    assert (schema.name, schema.encoding) == ('visualization_msgs/msg/MarkerArray', 'ros2msg')
    assert b'MSG: visualization_msgs/Marker' in schema.data  # with the types inside of it
    assert b'MSG: geometry_msgs/Point' in schema.data
    assert (found.topic, found.message_encoding) == ('/visualise/path', 'cdr')
    point = message.markers[0].points[0]
    assert (message.markers[0].ns, point.x, point.y, point.z) == ('path', 1.0, 2.0, 3.0)
