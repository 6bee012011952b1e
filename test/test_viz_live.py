"""The demonstration and evaluations in the terminal, with one and without."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from vla_ros.evaluation.episodes import Episode
from vla_ros.evaluation.trial import Outcome
from vla_ros.viz.live import LiveDisplay, View, picture
from vla_ros.viz.progress import PLAIN_EVERY, trial_progress

VIEW = View(
    heading='order 2 of 4',
    words='touch the [red] cube',
    trace='<think> i see red cube<loc_045><loc_070>.',
    verdict='go',
    subtask='touch red cube',
    reports={
        'perception': {'tokens rate [Hz]': '19.8'},
        'action': {'camera to trajectory p50 [ms]': '85.00'},
    },
)


def plain() -> Console:
    return Console(file=io.StringIO(), width=100, force_terminal=False)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_panel_shows_words_thought_verdict_and_figures() -> None:
    console = plain()

    console.print(picture(VIEW))

    shown = written(console)
    for part in (
        'touch the [red] cube',
        'red cube‹45,70›',
        'GO',
        'touch red cube',
        '19.8 Hz',
        '85.00 ms',
        'order 2 of 4',
    ):
        assert part in shown


def test_a_panel_of_nothing_yet_is_shown_as_well() -> None:
    console = plain()

    console.print(picture(View()))

    assert '...' in written(console)


def test_without_a_terminal_each_verdict_is_told_once_and_on_a_line_of_its_own() -> None:
    console = plain()

    with LiveDisplay(console) as display:
        for verdict in ('go', 'go', 'unsure', 'go'):
            display.show(View('order 1 of 4', 'touch it', 'trace', verdict, f'subtask {verdict}'))
        display.say('[green]done[/green]')

    lines = written(console).splitlines()
    assert lines == [
        'order 1 of 4: go: subtask go',
        'order 1 of 4: unsure: subtask unsure',
        'order 1 of 4: go: subtask go',
        'done',
    ]


def test_on_a_terminal_the_panel_is_drawn_and_taken_away_again() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)

    with LiveDisplay(console) as display:
        display.show(VIEW)
        assert 'chain of thought' in written(console)
        display.say('a line that stays')

    assert 'a line that stays' in written(console)


def outcome(success: bool) -> Outcome:
    episode = Episode(0, 1_000_000, 'touch', 'red cube', 'touch the red cube')
    return Outcome(episode, success, '' if success else 'missed', False, '', 1.0, 0.1, {}, 0.1)


@pytest.mark.parametrize('terminal', [True, False])
def test_progress_counts_successes(terminal: bool) -> None:
    console = Console(file=io.StringIO(), width=120, force_terminal=terminal)

    with trial_progress(console, 'touch', PLAIN_EVERY + 1) as tell:
        for index in range(PLAIN_EVERY + 1):
            tell(outcome(success=index != 3))

    shown = written(console)
    assert (
        f'{PLAIN_EVERY} of {PLAIN_EVERY + 1}' if not terminal else f'{PLAIN_EVERY}/{PLAIN_EVERY + 1}'
    ) in shown
