"""One brain for many robots: what the figures are made of, and the stand-in that batches."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vla_ros.evaluation.batching_server import BatchingServer, Pace
from vla_ros.evaluation.fleet import Heard, fleet_row, fleet_sizes
from vla_ros.reasoning.openai_reasoner import OpenAiMind, OpenAiSettings
from vla_ros.types import VlaError

PICTURE = np.zeros((8, 8, 3), np.uint8)


def test_throughput_is_thoughts_that_go_over_time_and_ages_are_percentiles_of_those() -> None:
    heard = [Heard(robot=i % 2, at=0.1 * i, age=0.001 * i, goes=True) for i in range(101)]
    heard.append(Heard(robot=2, at=1.0, age=50.0, goes=False))

    row = fleet_row(3, 20.0, heard, steps=[1, 2, 3])

    assert (row['robots'], row['thoughts'], row['others']) == (3, 101, 1)
    assert row['thoughts_per_second'] == pytest.approx(101 / 20, abs=1e-3)
    assert row['slowest_robot_per_second'] == 0.0
    assert (row['p50_ms'], row['p99_ms']) == (50.0, 99.0)
    assert row['answers_per_step'] == 2.0


def test_a_fleet_that_never_goes_has_no_ages() -> None:
    row = fleet_row(1, 1.0, [Heard(0, 0.5, 0.1, goes=False)])
    assert (row['thoughts'], row['p50_ms'], row['p99_ms'], row['answers_per_step']) == (0, None, None, None)


def test_sizes_rise() -> None:
    assert fleet_sizes('1,2, 8') == (1, 2, 8)


@pytest.mark.parametrize('text', ['', '2,1', '0,1', '1,1', 'many', '1,,2', '1,65', '1.5'])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(VlaError, match='expected rising numbers in 1 to 64'):
        fleet_sizes(text)


def test_a_step_takes_what_its_pace_says() -> None:
    pace = Pace(seconds=0.5, seconds_more=0.1)
    assert [pace.of(count) for count in (1, 2, 4)] == pytest.approx([0.5, 0.6, 0.8])


def test_who_comes_while_a_step_goes_on_joins_at_the_next_one_as_far_as_there_is_room() -> None:
    begun, go_on, waited = threading.Event(), threading.Event(), []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        begun.set()
        assert go_on.wait(60)

    pace = Pace(tokens=2, seconds=1.0, seconds_more=0.5, largest=2)
    with BatchingServer('yes', pace, wait) as server, ThreadPoolExecutor(4) as robots:
        mind = OpenAiMind(OpenAiSettings(server.url, 'm', timeout=60.0), 'json')

        def ask(_: int) -> str:
            return mind.answer('', '', PICTURE, lambda _: None)

        first = robots.submit(ask, 0)
        assert begun.wait(60)
        others = [robots.submit(ask, number) for number in (1, 2, 3)]
        with server._changed:
            assert server._changed.wait_for(lambda: len(server._queue) == 3, 60)
        go_on.set()
        assert [future.result() for future in (first, *others)] == ['yes'] * 4

    # The first one's second token is written with the first of the second, and so on: 8 tokens in all.
    assert server.steps == [1, 2, 2, 2, 1]
    assert waited == [1.0, 1.5, 1.5, 1.5, 1.0]
