"""The endurance run: what counts as a leak, as slower and as hanging, and what the restless person does."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.evaluation.process_usage import Usage, usage_of
from vla_ros.evaluation.soak import (
    LATENCIES,
    LATENCY_FROM,
    LATENCY_GROWTH,
    MEMORY_GROWTH,
    Hang,
    Sample,
    SoakLog,
    soak_report,
    windows,
)
from vla_ros.evaluation.soak_acts import DECK, Act, Kind, acts
from vla_ros.reasoning.orders import SHOWN, ReasoningSettings
from vla_ros.sim.scene import sample_scene
from vla_ros.types import VlaError

SEED = 900_000
HOUR = 60.0
MEBIBYTE = 2**20
STEADY = Usage(200 * MEBIBYTE, threads=17, files=26)


def log_of(minutes: float, growth: float = 0.0, slower: float = 0.0, every: float = 1.0) -> SoakLog:
    """A run in which memory, and each latency, is larger by these shares in its second half."""
    log, seconds = SoakLog(), 60 * minutes
    for index in range(int(seconds / every) + 1):
        at = index * every
        late = at > seconds / 2
        memory = round(STEADY.memory * (1 + growth * late))
        log.samples.append(Sample(at, 0.5 * at, {'action': replace(STEADY, memory=memory)}))
        for line in log.latencies.values():
            line.append((at, 100.0 * (1 + slower * late)))
    return log


def broken(log: SoakLog, minutes: float) -> list[str]:
    report = soak_report(log, minutes)
    assert report['passed'] == (not report['broken'])
    return list(report['broken'])


def test_of_an_hour_the_last_ten_minutes_are_compared_with_the_first_ten_after_a_minute() -> None:
    assert windows(3600.0) == ((60.0, 660.0), (3000.0, 3600.0))


@given(st.floats(1.0, 1e5))
def test_given_a_run_of_any_length_its_windows_are_a_sixth_of_it_and_apart(seconds: float) -> None:
    (begins, ends), (begins_late, ends_late) = windows(seconds)

    assert begins == pytest.approx(min(60.0, seconds / 6))
    assert ends - begins == pytest.approx(seconds / 6)
    assert ends_late - begins_late == pytest.approx(seconds / 6)
    assert ends < begins_late < ends_late == seconds


@pytest.mark.parametrize('minutes', [2.0, HOUR])
def test_given_nothing_grows_then_every_promise_is_kept(minutes: float) -> None:
    report = soak_report(log_of(minutes), minutes)

    assert report['passed']
    assert report['complete']
    assert report['real_time_factor'] == 0.5
    assert report['processes']['action']['memory_mib'] == [200.0, 200.0]


@pytest.mark.parametrize('minutes', [2.0, HOUR])
def test_memory_may_grow_by_two_percent_however_long_the_run(minutes: float) -> None:
    assert broken(log_of(minutes, growth=MEMORY_GROWTH - 0.001), minutes) == []
    (sentence,) = broken(log_of(minutes, growth=MEMORY_GROWTH + 0.001), minutes)
    assert sentence.startswith('action: memory grew by 2.1%, from 200.0 to 204.2 MiB')


def test_what_is_taken_during_the_warm_up_is_no_growth() -> None:
    log = log_of(2.0)
    log.samples = [
        sample if sample.at >= 20.0 else replace(sample, usage={'action': replace(STEADY, memory=MEBIBYTE)})
        for sample in log.samples
    ]

    assert broken(log, 2.0) == []


def test_given_a_moment_of_much_memory_then_it_is_no_growth() -> None:
    log = log_of(2.0)
    log.samples[110] = replace(log.samples[110], usage={'action': replace(STEADY, memory=2**40)})

    assert broken(log, 2.0) == []


@pytest.mark.parametrize('what', ['threads', 'files'])
def test_given_one_more_thread_or_file_in_the_end_then_it_leaks(what: str) -> None:
    log = log_of(2.0)
    more = replace(STEADY, **{what: getattr(STEADY, what) + 1})
    log.samples = [s if s.at < 60.0 else replace(s, usage={'action': more}) for s in log.samples]

    (sentence,) = broken(log, 2.0)
    assert what in sentence


@pytest.mark.parametrize(('slower', 'count'), [(LATENCY_GROWTH - 0.01, 0), (LATENCY_GROWTH + 0.01, 2)])
def test_the_99th_percentile_of_a_latency_may_grow_by_a_tenth(slower: float, count: int) -> None:
    sentences = broken(log_of(HOUR, slower=slower), HOUR)

    assert len(sentences) == count
    assert all('p99 grew by 11.0%, from 100 to 111 ms' in sentence for sentence in sentences)


def test_given_too_few_samples_then_latencies_are_reported_and_not_judged() -> None:
    minutes = LATENCY_FROM - 1
    report = soak_report(log_of(minutes, slower=1.0), minutes)

    assert report['passed']
    assert report['promises']['latency_p99_growth'] is None
    assert report['latencies']['camera to thought']['p99_growth'] == 1.0


def test_given_nothing_was_timed_in_a_long_run_then_that_is_no_proof() -> None:
    log = log_of(HOUR)
    log.latencies['camera to thought'] = [
        (at, ms) for at, ms in log.latencies['camera to thought'] if at < 1000
    ]

    (sentence,) = broken(log, HOUR)
    assert sentence.startswith('camera to thought: nothing was timed')


def test_given_it_gets_faster_then_that_is_no_problem() -> None:
    assert broken(log_of(HOUR, growth=-0.1, slower=-0.5), HOUR) == []


def test_given_something_did_not_come_then_it_is_named() -> None:
    log = log_of(2.0)
    log.hangs.append(Hang(31.4, "asks 'touch the red cube'", 'no decision about it came'))

    assert broken(log, 2.0) == ["after 31 s, asks 'touch the red cube': no decision about it came"]


@pytest.mark.parametrize(
    ('reason', 'is_wrong'),
    [
        ('action: internal_error', True),
        ('simulator: rejected_empty', True),
        ('perception: bad_image', True),
        ('action: below_table', False),
        ('action: hold', False),
        ('reasoning: long_instruction', False),
        ('action: stale_observation', False),
    ],
)
def test_what_nodes_count_is_reported_and_wrong_if_nobody_may_bring_it_about(
    reason: str, is_wrong: bool
) -> None:
    log = log_of(2.0)
    log.before, log.refusals = {reason: 3}, {reason: 3}
    assert broken(log, 2.0) == []

    log.refusals = {reason: 5}

    assert soak_report(log, 2.0)['refusals'] == {reason: 2}
    assert broken(log, 2.0) == ([f'{reason}: counted 2 times'] if is_wrong else [])


def test_given_a_run_that_was_cut_short_then_what_there_is_is_judged() -> None:
    report = soak_report(log_of(6.0, growth=0.05), HOUR)

    assert not report['complete']
    assert not report['passed']
    assert report['windows'] == {'first_s': [60.0, 120.0], 'last_s': [300.0, 360.0]}


def test_given_nothing_was_seen_then_there_is_a_report_all_the_same() -> None:
    report = soak_report(SoakLog(), HOUR)

    assert report['seconds'] == 0.0
    assert not report['complete']


@pytest.mark.parametrize(('minutes', 'count', 'length'), [(HOUR, 60, 60.0), (2.0, 24, 5.0)])
def test_the_run_is_cut_into_slices_for_a_chart(minutes: float, count: int, length: float) -> None:
    slices = soak_report(log_of(minutes, growth=0.5), minutes)['slices']

    assert len(slices) == count
    assert [piece['until_s'] for piece in slices[:2]] == [length, 2 * length]
    assert slices[0]['memory_mib'] == {'action': 200.0}
    assert slices[-1]['memory_mib'] == {'action': 300.0}
    assert set(slices[0]['latencies_ms']) == set(LATENCIES)
    assert slices[3]['real_time_factor'] == 0.5


def test_given_nobody_looked_for_a_while_then_that_slice_has_no_numbers() -> None:
    log = log_of(2.0)
    log.samples = [sample for sample in log.samples if not 29.0 < sample.at < 51.0]

    piece = soak_report(log, 2.0)['slices'][8]

    assert piece['memory_mib'] == {'action': None}
    assert piece['real_time_factor'] is None


def first(count: int, seed: int = SEED) -> list[Act]:
    return list(itertools.islice(acts(seed), count))


def test_the_same_seed_gives_the_same_acts_and_another_gives_others() -> None:
    assert first(60) == first(60)
    assert first(60) != first(60, SEED + 100)


def test_every_scene_has_all_kinds_of_acts_in_an_order_of_its_own() -> None:
    size = 1 + sum(DECK.values())
    scenes = [first(3 * size)[i * size : (i + 1) * size] for i in range(3)]

    for index, scene in enumerate(scenes):
        assert scene[0].kind is Kind.SCENE
        assert {act.seed for act in scene} == {SEED + index}
        assert Counter(act.kind for act in scene[1:]) == DECK
    assert len({tuple(act.kind for act in scene) for scene in scenes}) == 3


def test_orders_name_what_is_there_or_not_as_they_should() -> None:
    for act in first(200):
        names = [thing.name for thing in sample_scene(act.seed).objects]
        is_there = any(name in act.words for name in names)
        if act.kind in (Kind.TOUCH, Kind.HURRIED):
            assert is_there
        elif act.kind in (Kind.MISSING, Kind.NONSENSE):
            assert act.words.strip()
            assert not is_there
        elif act.kind is not Kind.LONG:
            assert act.words == ''


def test_a_decision_is_known_by_the_words_that_it_repeats() -> None:
    assert Act(Kind.NONSENSE, ' touch  this ', 1.0, SEED).heard == 'touch this'
    assert Act(Kind.STOP, '', 1.0, SEED).heard == ''
    long = [act for act in first(1500) if act.kind is Kind.LONG]
    assert len(long) > 50
    for act in long:
        assert len(act.words) > ReasoningSettings.max_instruction_length
        assert act.heard == act.words[:SHOWN]


def test_what_a_process_holds_is_what_it_took() -> None:
    before = usage_of(os.getpid())
    taken = bytearray(64 * MEBIBYTE)
    taken[::1024] = bytes(len(taken) // 1024)  # a page counts once it is written to
    with Path(os.devnull).open('rb'), Path(os.devnull).open('rb'):
        after = usage_of(os.getpid())

    assert after.memory - before.memory == pytest.approx(len(taken), rel=0.1)
    assert after.files - before.files == 2
    assert after.threads >= 1


def test_given_a_process_that_is_not_there_then_a_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(VlaError, match='expected a running process'):
        usage_of(1, tmp_path)
