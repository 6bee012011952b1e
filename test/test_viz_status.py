"""The dashboard: every value that a node tells is shown in one place, and what is wrong is said first."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from vla_ros.diagnostics import LIMITS_TASK, STATE_TASK, Level, Report
from vla_ros.types import Decision, Verdict
from vla_ros.viz import status_view
from vla_ros.viz.status_panel import status_panel
from vla_ros.viz.status_view import STALE_AFTER, StatusView, Told, as_json, complaints

ACTION = {
    'lifecycle': 'active',
    'execution providers': 'CPUExecutionProvider',
    'enabled': 'True',
    'stopped': 'False',
    'dry run': 'False',
    'tokens rate [Hz]': '9.7',
    'tokens age [s]': '0.123',
    'joint state age [s]': '0.011',
    'planning p50 [ms]': '12.50',
    'planning p99 [ms]': '31.25',
    'planning count': '77',
    'planning latest [ms]': '12.1 12.9 31.2',
    'refused start_jump': '3',
    'refused hold': '12',
    'peer perception': 'alive',
    'chains [of thought]': 'strange',
}
SHOWN = {key: value for key, value in ACTION.items() if 'latest' not in key}
DECISION = Decision(Verdict.REFUSED, 'there is no red cube', 'touch the red cube', '<think> i see')


def view(
    level: Level = Level.OK, age: float = 0.5, values: dict[str, str] | None = None, **tasks: Report
) -> StatusView:
    told = {f'left/action: {STATE_TASK}': Told(Report(level, 'a [summary]', values or ACTION), age)}
    told |= {f'left/action: {name}': Told(report, age) for name, report in tasks.items()}
    return StatusView(told, (DECISION, 1.25), 'i see <loc_010>', 'ROS_DOMAIN_ID 7')


def shown(seen: StatusView, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(status_panel(seen))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_every_value_for_people_stands_in_exactly_one_table() -> None:
    tables = (
        *status_view.streams(view()),
        *status_view.latencies(view()),
        *status_view.refusals(view()),
        *status_view.switches(view()),
        *status_view.others(view()),
    )
    values = [value for row in tables for value in row.columns.values()]

    elsewhere = (*status_view.NODE_COLUMNS, 'planning latest [ms]')
    told = {key: value for key, value in ACTION.items() if key not in elsewhere}
    assert sorted(values) == sorted(told.values())
    assert {row.node for row in tables} == {'left/action'}


def test_all_of_it_is_to_be_read() -> None:
    text = shown(view())

    assert '12.1 12.9' not in text
    for value in (*SHOWN.values(), 'rate [Hz]', 'age [s]', 'p99 [ms]', 'chains [of thought]', 'a [summary]'):
        assert value in text
    assert 'touch the red cube' in text and 'REFUSED' in text and 'there is no red cube' in text
    assert '1.2 s ago' in text and '‹10,' in text and 'ROS_DOMAIN_ID 7' in text


@pytest.mark.parametrize(('width', 'beside'), [(80, False), (160, True)])
def test_no_word_is_cut_where_there_is_little_room(width: int, beside: bool) -> None:
    text = shown(view(), width)

    for word in ('joint state', 'perception', 'stopped', 'start_jump', 'p99 [ms]', 'CPUExecutionProvider'):
        assert word in text
    assert any('arm' in line and 'latencies' in line for line in text.splitlines()) is beside


def test_rates_and_ages_of_one_stream_stand_in_one_row() -> None:
    rows = {row.about: row.columns for row in status_view.streams(view())}

    assert rows == {
        'tokens': {'rate [Hz]': '9.7', 'age [s]': '0.123'},
        'joint state': {'age [s]': '0.011'},
    }


def test_the_most_frequent_refusal_comes_first() -> None:
    assert [row.about for row in status_view.refusals(view())] == ['hold', 'start_jump']


@pytest.mark.parametrize(
    ('level', 'age', 'seen', 'in_error'),
    [
        (Level.OK, 0.5, Level.OK, False),
        (Level.WARN, 0.5, Level.WARN, False),
        (Level.ERROR, 0.5, Level.ERROR, True),
        (Level.OK, STALE_AFTER + 0.1, Level.STALE, True),
    ],
)
def test_who_does_not_speak_any_more_is_in_error_too(
    level: Level, age: float, seen: Level, in_error: bool
) -> None:
    found = view(level, age)

    assert (found.worst, found.is_in_error) == (seen, in_error)
    assert (seen.name in shown(found)) and (complaints(found) != []) is (seen > Level.OK)


def test_the_worst_complaint_comes_first_and_the_level_of_a_task_counts() -> None:
    found = view(
        Level.WARN,
        **{
            'tokens topic status': Report(Level.ERROR, 'No events recorded.'),
            LIMITS_TASK: Report(Level.OK, 'in force', {'pan': '-1 to 1 rad'}),
        },
    )

    assert [name for name, _ in complaints(found)] == [
        'left/action: tokens topic status',
        'left/action: vla_ros',
    ]
    assert found.is_in_error
    assert [*found.tasks()] == ['left/action: tokens topic status']
    assert 'No events recorded.' in shown(found)


def test_a_provider_that_is_not_the_one_asked_for_is_seen() -> None:
    values = {**ACTION, 'execution provider missing': 'CUDAExecutionProvider'}

    assert 'CPUExecutionProvider (not CUDAExecutionProvider)' in shown(view(values=values))


def test_without_a_graph_it_says_that_it_waits() -> None:
    empty = StatusView({}, where='ROS_DOMAIN_ID 7')

    assert 'no node of vla_ros is heard yet' in shown(empty)
    assert empty.worst is Level.OK


def test_as_numbers_it_is_plain_json() -> None:
    found = json.loads(json.dumps(as_json(view(Level.WARN, limits=Report(Level.OK, 'in force', {'a': 'b'})))))

    assert found['level'] == 'WARN'
    assert found['nodes']['left/action']['values'] == ACTION
    assert found['tasks']['left/action: limits']['values'] == {'a': 'b'}
    assert found['decision']['verdict'] == 'refused'
