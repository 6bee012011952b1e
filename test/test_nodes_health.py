"""What a node tells of itself is counted right and fades when it is over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from vla_ros.nodes.health import LATEST, LOG_PAUSE, WINDOW, Health, Level


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def test_a_steady_stream_shows_its_rate_and_a_dead_one_fades_to_zero(clock: HandClock) -> None:
    health = Health(clock)
    for _ in range(200):
        health.tick('frames')
        clock.now += 0.05
    assert float(health.report().values['frames rate [Hz]']) == pytest.approx(20.0, rel=0.02)
    clock.now += 2.0
    slowing = float(health.report().values['frames rate [Hz]'])
    assert 5.0 < slowing < 15.0
    clock.now += WINDOW
    assert float(health.report().values['frames rate [Hz]']) == 0.0


def test_latencies_are_reported_as_percentiles_in_milliseconds() -> None:
    health = Health()
    for hundredth in range(101):
        health.latency('encode', hundredth / 100)
    values = health.report().values
    assert values['encode p50 [ms]'] == '500.00'
    assert values['encode p99 [ms]'] == '990.00'
    assert values['encode count'] == '101'


def test_the_latest_latencies_are_reported_one_by_one_the_newest_last() -> None:
    health = Health()
    for milliseconds in range(LATEST + 5):
        health.latency('encode', milliseconds / 1000)

    told = [float(value) for value in health.report().values['encode latest [ms]'].split()]

    assert told == [float(value) for value in range(5, LATEST + 5)]


def test_a_refusal_is_counted_by_reason_and_warns_for_a_while(clock: HandClock) -> None:
    health = Health(clock)
    assert health.refuse('stale_frame', 'frame is 3 s old')
    assert not health.refuse('stale_frame', 'frame is 4 s old'), 'the same reason at once is not news'
    assert health.refuse('bad_image', 'no such encoding')
    report = health.report()
    assert (report.level, report.summary) == (Level.WARN, 'bad_image: no such encoding')
    assert (report.values['refused stale_frame'], report.values['refused bad_image']) == ('2', '1')
    clock.now += max(LOG_PAUSE, WINDOW)
    assert health.report().level is Level.OK
    assert health.report().values['refused stale_frame'] == '2'
    assert health.refuse('stale_frame', 'again'), 'after a pause it is news'


def test_a_broken_node_is_an_error_until_it_is_mended() -> None:
    health = Health()
    health.broken('vision.onnx is missing')
    assert (health.report().level, health.report().summary) == (Level.ERROR, 'vision.onnx is missing')
    health.broken(None)
    assert health.report().level is Level.OK


def test_a_node_that_works_but_not_as_it_was_asked_to_warns_all_the_time(clock: HandClock) -> None:
    health = Health(clock)
    health.degraded('computing on the CPU')
    clock.now += 10 * WINDOW
    assert (health.report().level, health.report().summary) == (Level.WARN, 'computing on the CPU')
    health.refuse('bad_image', 'too small')
    assert health.report().summary == 'bad_image: too small'
    clock.now += 2 * WINDOW
    assert health.report().summary == 'computing on the CPU'
    health.degraded(None)
    assert health.report().level is Level.OK


def test_a_provider_that_was_asked_for_and_is_not_there_is_a_warning_for_as_long_as_the_node_runs() -> None:
    pytest.importorskip('rclpy')
    from vla_ros.nodes.model import tell_providers

    said: list[str] = []
    node: Any = SimpleNamespace(
        health=Health(),
        setting=lambda name: 'cuda',
        get_logger=lambda: SimpleNamespace(error=said.append),
    )

    tell_providers(node, ['CPUExecutionProvider'])

    report = node.health.report()
    assert report.level is Level.WARN
    assert report.summary == 'computing on CPUExecutionProvider instead of CUDAExecutionProvider'
    assert report.values['execution provider missing'] == 'CUDAExecutionProvider'
    assert said == [report.summary]
