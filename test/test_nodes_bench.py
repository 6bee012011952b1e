"""The parts of the bench that speak ROS: pictures into messages and out again, and frames to another process."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from vla_ros.bench.figures import QUICK
from vla_ros.bench.section import Request
from vla_ros.nodes.graph_bench import CAMERAS, frames_lost, hop_medians
from vla_ros.nodes.message_bench import message_section


def test_every_way_into_a_message_and_out_of_it_is_measured() -> None:
    found = message_section(Request(Path('anywhere'), effort=QUICK)).figures
    assert set(found) == {'fill_vs_bytes', 'fill_vs_array', 'read_vs_copy'}
    assert all(0 < figure.minimum <= figure.median <= figure.maximum for figure in found.values())


def test_hops_to_the_trajectory_are_found_in_the_order_of_the_way_and_what_nobody_told_is_absent() -> None:
    def told(name: str, p50: str) -> dict[str, str]:
        return {f'{name} p50 [ms]': p50, f'{name} p99 [ms]': '90.00', f'{name} count': '7'}

    reports = {
        'action': {**told('inference', '12.50'), **told('tokens to action', '1.25')},
        'perception': {
            **told('encode', '10.00'),
            **told('inference', '3.00'),
            'camera to frame p50 [ms]': '9',
        },
        'reasoning': told('thinking', '80.00'),
    }

    assert list(hop_medians(reports).items()) == [
        ('encode', 10.0),
        ('tokens to action', 1.25),
        ('inference', 12.5),
    ]
    assert hop_medians({}) == {}


@pytest.mark.slow
def test_frames_of_another_process_are_counted_camera_by_camera(ros_domain: int) -> None:
    lost = frames_lost(0.5)
    assert len(CAMERAS) == 2
    assert 0 <= lost.minimum <= lost.maximum < 1
