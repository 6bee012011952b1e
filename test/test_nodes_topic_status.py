"""Rates and stamps are told as diagnostic_updater tells them: its sentences, levels and keys."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.diagnostics import Level, Report, node_and_task, status_name
from vla_ros.nodes.topic_status import STARTING, WINDOW, Acceptable, TopicStatus, merged

RATE_KEYS = {
    'Events in window',
    'Events since startup',
    'Duration of window (s)',
    'Actual frequency (Hz)',
}
STAMP_KEYS = {
    'Earliest timestamp delay',
    'Latest timestamp delay',
    'Earliest acceptable timestamp delay',
    'Latest acceptable timestamp delay',
    'Late diagnostic update count',
    'Early diagnostic update count',
    'Zero seen diagnostic update count',
}


def after(rate: float, acceptable: Acceptable, seconds: float = 20.0, age: float | None = None) -> Report:
    """What is told of a topic of so many messages a second that has been there for a while."""
    topic = TopicStatus(acceptable, begun=0.0)
    for number in range(round(seconds * rate)):
        topic.tick((number + 1) / rate, age)
    return topic.report(seconds)


@pytest.mark.parametrize(
    ('rate', 'level', 'summary'),
    [
        (10.0, Level.OK, 'Desired frequency met'),
        (9.2, Level.OK, 'Desired frequency met'),  # 10 % are tolerated
        (8.8, Level.WARN, 'Frequency too low.'),
        (20.0, Level.OK, 'Desired frequency met'),
        (21.8, Level.OK, 'Desired frequency met'),
        (22.4, Level.WARN, 'Frequency too high.'),
        (0.0, Level.ERROR, 'No events recorded.'),
    ],
)
def test_a_rate_is_judged_as_frequency_status_does(rate: float, level: Level, summary: str) -> None:
    report = after(rate, Acceptable(slowest=10.0, fastest=20.0))

    assert (report.level, report.summary) == (level, summary)
    assert float(report.values['Actual frequency (Hz)']) == pytest.approx(rate, abs=0.21)
    assert report.values['Minimum acceptable frequency (Hz)'] == '9.000000'
    assert report.values['Maximum acceptable frequency (Hz)'] == '22.000000'


def test_only_bounds_that_there_are_are_told() -> None:
    assert set(after(5.0, Acceptable()).values) == RATE_KEYS
    assert set(after(5.0, Acceptable(slowest=5.0, fastest=5.0)).values) == RATE_KEYS | {
        'Target frequency (Hz)',
        'Minimum acceptable frequency (Hz)',
        'Maximum acceptable frequency (Hz)',
    }


def test_a_topic_that_falls_silent_is_an_error_within_the_window_and_nothing_is_asked_of_one_that_begins() -> (
    None
):
    topic = TopicStatus(Acceptable(slowest=1.0), begun=100.0)

    assert topic.report(100.0 + STARTING / 2).level is Level.OK
    assert topic.report(100.0 + STARTING).level is Level.ERROR
    topic.tick(102.0)
    assert topic.report(102.0).level is not Level.ERROR
    assert topic.report(102.0 + WINDOW).level is not Level.ERROR
    assert topic.report(102.1 + WINDOW).summary == 'No events recorded.'
    assert topic.report(102.1 + WINDOW).values['Events since startup'] == '1'


@pytest.mark.parametrize(
    ('age', 'level', 'summary'),
    [
        (0.1, Level.OK, 'Desired frequency met'),
        (-0.4, Level.OK, 'Desired frequency met'),
        (0.6, Level.ERROR, 'Timestamps too far in past seen.'),
        (-0.6, Level.ERROR, 'Timestamps too far in future seen.'),
        (math.inf, Level.ERROR, 'Zero timestamp seen.'),
    ],
)
def test_stamps_are_judged_as_time_stamp_status_does(age: float, level: Level, summary: str) -> None:
    report = after(10.0, Acceptable(slowest=1.0, oldest=0.5, newest=0.5), age=age)

    assert (report.level, report.summary) == (level, summary)
    assert set(report.values) >= RATE_KEYS | STAMP_KEYS


def test_stamps_are_those_since_the_last_report_and_bad_reports_are_counted() -> None:
    topic = TopicStatus(Acceptable(oldest=0.5), begun=0.0)
    for moment, age in ((1.0, 0.1), (1.1, 0.7), (1.2, 0.2)):
        topic.tick(moment, age)

    first, second = topic.report(1.3), topic.report(1.4)

    assert (first.values['Earliest timestamp delay'], first.values['Latest timestamp delay']) == (
        '0.100000',
        '0.700000',
    )
    assert second.summary == 'No data since last update.'
    assert second.values['Late diagnostic update count'] == '1'


@given(st.lists(st.tuples(st.sampled_from(list(Level)), st.text(max_size=5)), min_size=1))
def test_tasks_in_one_have_the_worst_level_and_say_what_is_not_well(told: list[tuple[Level, str]]) -> None:
    found = merged([Report(level, summary) for level, summary in told])

    assert found.level == max(level for level, _ in told)
    wrong = [summary for level, summary in told if level > Level.OK]
    assert found.summary == ('; '.join(wrong) if wrong else told[0][1])


@pytest.mark.parametrize('node', ['action', 'left/action', 'a/b/action'])
def test_a_status_is_named_by_node_and_task(node: str) -> None:
    assert status_name(f'/{node}', 'camera front topic status') == f'{node}: camera front topic status'
    assert node_and_task(status_name(node, 'limits')) == (node, 'limits')
