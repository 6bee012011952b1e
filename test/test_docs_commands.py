"""Every command in a code block runs (test/doc_commands.py, a step of .ci/run), or says what it needs."""

from __future__ import annotations

import re

import pytest
import typer
from doc_commands import NEEDS, DocCommand, as_run, doc_commands, needed
from doc_pages import ROOT

from vla_ros.cli import app

COMMANDS = doc_commands()
OURS = [command for command in COMMANDS if command.words[0] == 'vla_ros']
UsageError = typer.BadParameter.__mro__[1]  # of the click that typer brings along or depends on
PASSED_ON = ('train', 'export')  # to the app of training


def parse(words: list[str]) -> None:
    """Let click read a command line, values and all, without running it."""
    here, rest = typer.main.get_command(app), list(words)
    while rest and rest[0] in getattr(here, 'commands', {}):
        here = here.commands[rest.pop(0)]
    if rest == ['--help']:
        return
    with here.make_context(words[0], rest):
        pass


@pytest.mark.parametrize('command', COMMANDS, ids=str)
def test_every_command_runs_here_or_says_what_it_needs(command: DocCommand) -> None:
    assert command.needs or command.words[0] in ('vla_ros', 'python', 'python3'), command


def test_nothing_is_said_of_commands_that_no_page_has() -> None:
    for where, pattern, _ in NEEDS:
        fitting = [
            c for c in COMMANDS if re.fullmatch(where, c.page) and re.fullmatch(pattern, ' '.join(c.words))
        ]
        assert fitting, pattern


def test_most_of_our_commands_run() -> None:
    ours = [command for command in OURS if command.words[1] not in PASSED_ON]
    running = [command for command in ours if not command.needs]

    assert len(running) > len(ours) / 2
    assert {command.words[1] for command in running} >= {'run', 'say', 'replay', 'eval', 'inspect'}


def test_the_step_is_in_the_list_of_what_a_change_must_pass() -> None:
    assert 'test/doc_commands.py' in (ROOT / '.ci' / 'run').read_text(encoding='utf-8')


@pytest.mark.parametrize('command', OURS, ids=str)
def test_the_command_line_reads_it(command: DocCommand) -> None:
    if command.words[1] not in PASSED_ON:
        parse(as_run(command.words)[1:])


@pytest.mark.parametrize('words', ['replay', 'replay bag --loops many', 'eval success --episodes 0', 'say'])
def test_given_a_line_that_the_command_line_cannot_read_then_it_is_noticed(words: str) -> None:
    with pytest.raises(UsageError):
        parse(words.split())


def test_what_needs_a_robot_does_not_run_here() -> None:
    assert needed('robot.md', 'ros2 topic list')
    assert needed('README.md', 'vla_ros train all')
    assert needed('README.md', 'vla_ros inspect') == ''
