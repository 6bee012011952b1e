"""Hops of a bag: worked out by hand from stamps, times of arrival, /clock and what nodes told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy')

from command_line import run
from replay_bags import write_bag
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image

from vla_ros.diagnostics import HARDWARE_ID, Latency
from vla_ros.evaluation.bag_clock import BagClock, Heard
from vla_ros.evaluation.hop_times import HopTime, Way, missing, read_hop_times, recorded_hops, told_hops
from vla_ros.hops import HOPS
from vla_ros.nodes.messages import diagnostics_message, time_message
from vla_ros.types import NANOSECONDS

MILLISECOND = NANOSECONDS // 1000
WALL = 1_700_000_000 * NANOSECONDS  # of the recorder, when a bag begins


def ms(milliseconds: float) -> int:
    return round(milliseconds * MILLISECOND)


def heard(stamp: float, received: float, since: float = 0.0) -> Heard:
    """In milliseconds."""
    return Heard(ms(stamp), ms(received), ms(since))


def by_name(times: list[HopTime]) -> dict[str, tuple[float, float, int]]:
    return {
        f'{time.node}: {time.hop.name}': (
            round(time.latency.p50, 6),
            round(time.latency.p99, 6),
            time.latency.count,
        )
        for time in times
    }


def test_given_stamps_and_arrivals_then_percentiles_are_those_of_their_distances() -> None:
    # Tokens take 30 + k ms, and a thought about every one of them another 100 + 2 k ms, k = 0 ... 100.
    tokens = [heard(1000 + 200 * k, 1030 + 201 * k) for k in range(101)]
    thoughts = [heard(1000 + 200 * k, 1130 + 203 * k) for k in range(101)]

    assert by_name(recorded_hops(Way(tokens=tokens, thought=thoughts))) == {
        'bag: camera to tokens': (80.0, 129.0, 101),
        'bag: tokens to thought': (200.0, 298.0, 101),
        'bag: camera to thought': (280.0, 427.0, 101),
    }


def test_given_thoughts_without_tokens_or_said_twice_then_only_the_first_about_tokens_counts() -> None:
    way = Way(
        tokens=[heard(1000, 1030), heard(1100, 1140)],
        thought=[heard(1050, 1051), heard(1100, 1240), heard(1100, 9000), heard(0, 1300)],
    )

    found = by_name(recorded_hops(way))

    assert found['bag: tokens to thought'] == (100.0, 100.0, 1)
    assert found['bag: camera to thought'] == (140.0, 140.0, 1)


def test_given_messages_out_of_order_then_those_within_the_slack_of_clocks_count_and_others_do_not() -> None:
    # Received 20 ms before the stamp: clocks are apart. Received a second before it: one of them is wrong.
    frames = [heard(2000, 1980), heard(1900, 1920), heard(3000, 2000), heard(1000, 1100)]
    # The recorder heard the first thought 10 ms before its tokens, the second 200 ms before.
    tokens, thoughts = [heard(100, 400), heard(200, 600)], [heard(100, 390), heard(200, 400)]

    assert by_name(recorded_hops(Way(frames, tokens, thoughts))) == {
        'bag: camera to frame': (20.0, 98.4, 3),  # of -20, 20 and 100
        'bag: camera to tokens': (350.0, 399.0, 2),
        'bag: tokens to thought': (-10.0, -10.0, 1),
        'bag: camera to thought': (245.0, 289.1, 2),
    }


def test_given_nothing_of_a_hop_then_it_is_absent_and_never_zero() -> None:
    assert recorded_hops(Way()) == []
    assert recorded_hops(Way(frame=[heard(5000, 1000)])) == []
    assert missing([]) == [hop.name for hop in HOPS]


def test_given_no_clock_in_the_bag_then_the_recorders_is_that_of_the_stamps() -> None:
    clock = BagClock([])

    assert not clock.is_simulated
    assert clock.heard(ms(1000), ms(1030)) == heard(1000, 1030)


def test_given_simulated_time_at_half_the_pace_then_ages_are_of_simulated_time() -> None:
    clock = BagClock([(WALL + ms(20 * k), ms(1000 + 10 * k)) for k in range(10)])

    found = clock.heard(ms(1000), WALL + ms(50))  # between the ticks 1020 and 1030

    assert found == heard(1000, 1025)
    assert found.age == 0.025
    assert clock.heard(ms(990), WALL - 1) is None, 'nobody knew the time yet'
    assert clock.heard(ms(1000), WALL + ms(500)) == heard(1000, 1090), (
        'the clock stands still behind its last tick'
    )


@pytest.mark.parametrize('to', [500.0, 31_000.0], ids=['back', 'ahead'])
def test_given_a_clock_that_jumps_then_nothing_is_timed_across_the_jump(to: float) -> None:
    ticks = [
        (WALL, ms(1000)),
        (WALL + ms(10), ms(1010)),
        (WALL + ms(20), ms(to)),
        (WALL + ms(30), ms(to + 10)),
    ]
    clock = BagClock(ticks)

    assert clock.heard(ms(1000), WALL + ms(15)) == heard(1000, 1010), 'it stood still until it jumped'
    across, behind = clock.heard(ms(1005), WALL + ms(25)), clock.heard(ms(to), WALL + ms(25))
    assert across is not None and across.age is None
    assert behind is not None and behind.age == 0.005

    tokens, thought = clock.heard(ms(1000), WALL + ms(15)), clock.heard(ms(1000), WALL + ms(25))
    assert tokens is not None and thought is not None
    found = by_name(recorded_hops(Way(tokens=[tokens], thought=[thought])))
    assert found == {'bag: camera to tokens': (10.0, 10.0, 1)}


def test_given_a_jump_back_of_less_than_the_slack_then_nothing_is_timed_across_it_either() -> None:
    clock = BagClock([(WALL, ms(1000)), (WALL + ms(10), ms(990)), (WALL + ms(20), ms(1000))])

    across = clock.heard(ms(985), WALL + ms(15))

    assert across is not None and across.age is None


def test_given_values_of_nodes_then_each_hop_is_found_at_its_own_node_only() -> None:
    encode = {'encode p50 [ms]': '10.00', 'encode p99 [ms]': '20.00', 'encode count': '3'}

    found = told_hops({'left/perception': encode, 'action': encode, 'reasoning': {}})

    assert [(time.node, time.hop.name, time.latency) for time in found] == [
        ('left/perception', 'encode', Latency(10.0, 20.0, 3))
    ]


def stamped(message: Any, stamp: float) -> Any:
    message.header.stamp = time_message(ms(stamp))
    return message


def told(node: str, values: dict[str, str], hardware: str = HARDWARE_ID) -> Any:
    return diagnostics_message(f'{node}: vla_ros', b'\x00', 'OK', values, 0, hardware)


def bag(folder: Path, space: str = '') -> Path:
    """Half the pace of the wall; frames take 5 ms, tokens 20 ms and thoughts 60 ms of simulated time."""
    messages: list[tuple[int, str, Any]] = []
    for k in range(101):
        messages.append((20 * k, '/clock', Clock(clock=time_message(ms(1000 + 10 * k)))))
    for stamp in (1000, 1100, 1200):
        begun = 2 * (stamp - 1000)
        messages.append((begun + 10, f'{space}/camera/front/image_raw', stamped(Image(), stamp)))
        messages.append(
            (begun + 10, f'{space}/camera/wrist/image_raw/compressed', stamped(CompressedImage(), stamp))
        )
        messages.append((begun + 40, f'{space}/perception/tokens', stamped(Image(), stamp)))
        messages.append((begun + 120, f'{space}/reasoning/thought', stamped(Image(), stamp)))
    values = {'inference p50 [ms]': '7.25', 'inference p99 [ms]': '9.50', 'inference count': '1'}
    node = f'{space}/action'.strip('/')
    messages.append((300, '/diagnostics', told(node, values)))
    messages.append((400, '/diagnostics', told(node, {**values, 'inference count': '2'})))
    messages.append((500, '/diagnostics', told(node, {**values, 'inference count': '9'}, 'somebody else')))
    messages.sort(key=lambda entry: entry[0])
    return write_bag(folder, [(topic, WALL + ms(at), message) for at, topic, message in messages])


@pytest.mark.parametrize(('space', 'prefix'), [('', ''), ('/left', 'left/')])
def test_given_a_bag_of_simulated_time_then_hops_are_read_from_it_in_the_order_of_the_way(
    tmp_path: Path, space: str, prefix: str
) -> None:
    clock, times = read_hop_times(bag(tmp_path / 'bag', space))

    assert clock.is_simulated
    assert list(by_name(times).items()) == [
        (f'{prefix}bag: camera to frame', (5.0, 5.0, 6)),
        (f'{prefix}bag: camera to tokens', (20.0, 20.0, 3)),
        (f'{prefix}bag: tokens to thought', (40.0, 40.0, 3)),
        (f'{prefix}bag: camera to thought', (60.0, 60.0, 3)),
        (f'{prefix}action: inference', (7.25, 9.5, 2)),
    ]


def test_the_command_shows_the_hops_and_writes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('COLUMNS', '120')

    assert run(monkeypatch, 'inspect', '--latency', bag(tmp_path / 'bag'), '--json', tmp_path / 'x.json') == 0

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ['camera', 'to', 'thought', 'bag', 'since', 'the', 'stamp', '60.0', '60.0', '3'] in lines
    assert ['inference', 'action', 'computing', '7.2', '9.5', '2'] in lines
    report = json.loads((tmp_path / 'x.json').read_text())
    assert report['clock'] == 'simulated'
    assert report['hops'][-1] == {
        'hop': 'inference',
        'node': 'action',
        'kind': 'computing',
        'p50_ms': 7.25,
        'p99_ms': 9.5,
        'count': 2,
    }
    assert report['missing'] == [hop.name for hop in HOPS if hop.name != 'inference']


def test_a_bag_without_any_hop_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = write_bag(tmp_path / 'bag', [('/clock', WALL, Clock())])

    assert run(monkeypatch, 'inspect', '--latency', empty) == 1

    error = capsys.readouterr().err
    assert 'found no hop' in error and error.count('\n') == 1
