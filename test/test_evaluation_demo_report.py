"""The report of a demonstration says what the bag says."""

from __future__ import annotations

import json
from dataclasses import replace

from vla_ros.evaluation.demo_report import (
    demo_report,
    latencies,
    real_time_factor,
    refused_plans,
    shortfall,
)
from vla_ros.evaluation.recording import Recording, Timeline
from vla_ros.evaluation.story import make_story
from vla_ros.types import Decision, Verdict

STORY = make_story()


def line(*events):
    return Timeline(tuple(t for t, _ in events), tuple(v for _, v in events))


def good_run() -> Recording:
    """Order i is given at 10 i, decided 1 s and, if possible, done 3 s later."""
    given, decided, scored = [], [], []
    for index, order in enumerate(STORY.orders):
        begins = 10.0 * index
        refused = order.expected.value == 'refused'
        verdict = Verdict.REFUSED if refused else Verdict.GO
        given += [(begins, order.words), (begins + 9.0, '')]
        decided.append((begins + 1.0, Decision(verdict, f'about {order.wanted}', order.words, 'trace')))
        if not refused:
            scored.append((begins + 3.0, {'success': 'true', 'failure': ''}))
    action = {
        'camera to trajectory p50 [ms]': '80.50',
        'camera to trajectory p99 [ms]': '120.00',
        'camera to trajectory count': '50',
        'refused hold': '4',
    }
    return Recording(
        instructions=line(*given),
        decisions=line(*decided),
        scores=line(*scored),
        diagnostics={
            'action': line((1.0, {'refused hold': '1'}), (39.0, action)),
            'simulator': line((1.0, {'real-time factor': '1.0'}), (2.0, {'real-time factor': '0.5'})),
        },
        arrivals={'joint_states': Timeline(tuple(0.1 * i for i in range(400)), (None,) * 400)},
    )


def test_a_run_in_which_each_order_ends_as_it_should_is_a_success() -> None:
    found = demo_report(good_run(), STORY, 'tabletop')

    assert found['success'] is True
    assert [order['ended'] for order in found['orders']] == ['done', 'done', 'refused', 'done']
    assert [order['seconds'] for order in found['orders']] == [3.0, 3.0, 1.0, 3.0]
    assert found['rates']['joint_states_hz'] == 10.0
    assert found['seed'] == STORY.seed
    assert json.loads(json.dumps(found)) == found


def test_one_order_that_ends_otherwise_is_enough_for_a_failure() -> None:
    run = good_run()
    scores = Timeline(
        run.scores.times, ({'success': 'false', 'failure': 'wrong_object'}, *run.scores.values[1:])
    )

    found = demo_report(replace(run, scores=scores), STORY, 'tabletop')

    assert found['success'] is False
    assert (found['orders'][0]['ended'], found['orders'][0]['as_expected']) == ('failed', False)
    assert shortfall(found) == 'order 1 of 4 did not end as expected; the exit code is 1'


def test_carrying_out_the_impossible_is_a_failure() -> None:
    run = good_run()
    impossible = next(i for i, order in enumerate(STORY.orders) if order.expected.value == 'refused')
    scores = line(*run.scores, (10.0 * impossible + 2.0, {'success': 'true', 'failure': ''}))

    found = demo_report(replace(run, scores=line(*sorted(scores, key=lambda e: e[0]))), STORY, 'tabletop')

    assert found['orders'][impossible]['ended'] == 'done'
    assert found['success'] is False


def test_an_order_that_was_never_given_is_a_failure() -> None:
    found = demo_report(Recording(), STORY, 'tabletop')

    assert found['success'] is False
    assert {order['ended'] for order in found['orders']} == {'not given'}
    assert shortfall(found).startswith('orders 1, 2, 3, 4 of 4 ')


def test_the_last_word_of_a_node_counts_and_says_by_which_clock() -> None:
    run = good_run()

    assert latencies(run) == {
        'camera_to_trajectory_ms': {'p50': 80.5, 'p99': 120.0, 'count': 50, 'clock': 'simulated'}
    }
    assert refused_plans(run) == {'action: hold': 4}
    assert real_time_factor(run) == 0.75
    assert real_time_factor(Recording()) is None
