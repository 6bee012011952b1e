"""The parts of the bench that speak ROS: pictures into messages and out again, and frames to another process."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from vla_ros.bench.figures import QUICK
from vla_ros.bench.section import Request
from vla_ros.nodes.graph_bench import CAMERAS, frames_lost
from vla_ros.nodes.message_bench import message_section


def test_every_way_into_a_message_and_out_of_it_is_measured() -> None:
    found = message_section(Request(Path('anywhere'), effort=QUICK)).figures
    assert set(found) == {'fill_vs_bytes', 'fill_vs_array', 'read_vs_copy'}
    assert all(0 < figure.minimum <= figure.median <= figure.maximum for figure in found.values())


@pytest.mark.slow
def test_frames_of_another_process_are_counted_camera_by_camera(ros_domain: int) -> None:
    lost = frames_lost(0.5)
    assert len(CAMERAS) == 2
    assert 0 <= lost.minimum <= lost.maximum < 1
