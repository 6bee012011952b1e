"""A recorder that cannot write says so and ends; it does not pile up in memory what nobody will ever read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from std_msgs.msg import String

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
