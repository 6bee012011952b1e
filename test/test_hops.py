"""What a hop is, and when the time between two clocks' numbers is none."""

from __future__ import annotations

import pytest
from doc_pages import text
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.action.guard import GuardSettings
from vla_ros.diagnostics import Latency, latency_told
from vla_ros.graph import ALL_NODES
from vla_ros.hops import CLOCK_SLACK, HOPS, LONGEST, TO_TRAJECTORY, seconds_between, seconds_since_stamp
from vla_ros.types import NANOSECONDS

MILLISECOND = NANOSECONDS // 1000
BEGUN = 1_700_000_000 * NANOSECONDS


@pytest.mark.parametrize(
    ('milliseconds', 'seconds'),
    [
        (0, 0.0),
        (12, 0.012),
        (60_000, 60.0),
        (60_001, None),  # a clock that jumped ahead in between
        (-50, -0.05),  # two clocks of which one is a little late
        (-51, None),  # a clock that went back in between
        (-3_600_000, None),
    ],
)
def test_given_two_times_then_what_lies_between_them_is_told_or_nothing_at_all(
    milliseconds: int, seconds: float | None
) -> None:
    assert seconds_between(BEGUN, BEGUN + milliseconds * MILLISECOND) == seconds


@given(begun=st.integers(0, 2**62), nanoseconds=st.integers(-(2**62), 2**62))
def test_given_any_two_times_then_the_answer_is_their_distance_or_it_is_out_of_bounds(
    begun: int, nanoseconds: int
) -> None:
    seconds = seconds_between(begun, begun + nanoseconds)

    if -CLOCK_SLACK * NANOSECONDS <= nanoseconds <= LONGEST * NANOSECONDS:
        assert seconds == nanoseconds / NANOSECONDS
    else:
        assert seconds is None


def test_given_a_stamp_that_says_nothing_then_its_age_is_not_told() -> None:
    assert seconds_since_stamp(0, 40 * MILLISECOND) is None


def test_given_a_clock_that_jumped_then_only_what_was_stamped_since_has_an_age() -> None:
    jumped = 30 * NANOSECONDS  # from 10 s to 30 s

    assert seconds_since_stamp(10 * NANOSECONDS, jumped + 5 * MILLISECOND, jumped) is None
    assert seconds_since_stamp(jumped, jumped + 5 * MILLISECOND, jumped) == 0.005


def test_clocks_may_be_as_far_apart_as_for_the_guard() -> None:
    assert GuardSettings().clock_slack == CLOCK_SLACK


def test_every_hop_has_one_name_and_a_node_and_those_to_the_trajectory_are_in_the_order_of_the_way() -> None:
    names = [hop.name for hop in HOPS]

    assert len(set(names)) == len(names)
    assert {hop.node for hop in HOPS} <= {node.name for node in ALL_NODES}
    assert [name for name in names if name in TO_TRAJECTORY] == list(TO_TRAJECTORY)


def test_the_page_explains_every_hop_with_its_node_and_no_other() -> None:
    rows = [line for line in text('performance.md').splitlines() if line.startswith('| `')]
    explained = [
        (name.strip(' `'), cells[2].strip())
        for cells in (row.split('|') for row in rows)
        for name in cells[1].split(',')
        if cells[2].strip() in {hop.node for hop in HOPS}
    ]

    assert explained == [(hop.name, hop.node) for hop in HOPS]


def test_given_values_of_diagnostics_then_a_latency_is_read_whole_or_not_at_all() -> None:
    values = {'encode p50 [ms]': '9.79', 'encode p99 [ms]': '21.88', 'encode count': '288'}

    assert latency_told(values, 'encode') == Latency(9.79, 21.88, 288)
    assert latency_told(values, 'inference') is None
    assert latency_told({**values, 'encode count': 'many'}, 'encode') is None
    assert latency_told({key: values[key] for key in list(values)[:2]}, 'encode') is None
