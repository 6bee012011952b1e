"""The supervisor of child processes. No ROS: any command will do."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vla_ros.nodes.supervisor import DOMAINS, Supervisor, ended_how, free_domain, tail
from vla_ros.types import VlaError

PYTHON = sys.executable


def announced(folder: Path, name: str) -> Path:
    """A FIFO that a child writes to when it is ready, so that a test can wait for it without sleeping."""
    path = folder / f'{name}.ready'
    os.mkfifo(path)
    return path


def program(ready: Path, on_interrupt: str) -> list[str]:
    code = (
        'import signal, sys, threading\n'
        f'def interrupted(*_):\n    {on_interrupt}\n'
        'signal.signal(signal.SIGINT, interrupted)\n'
        f'open({str(ready)!r}, "w").write("ready")\n'
        'while True: signal.pause()\n'
    )
    return [PYTHON, '-c', code]


def test_given_a_process_that_dies_the_error_is_one_sentence_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Supervisor(tmp_path, os.environ) as supervisor:
        supervisor.start('action', [PYTHON, '-c', 'import sys; sys.exit("error: no limits, no motion")'])
        supervisor._running[0].process.wait()

        with pytest.raises(VlaError, match='action ended with code 1: error: no limits, no motion') as caught:
            supervisor.check()

    assert '\n' not in str(caught.value)


def test_given_a_process_that_listens_it_is_interrupted_and_not_killed(tmp_path: Path) -> None:
    ready = announced(tmp_path, 'polite')
    supervisor = Supervisor(tmp_path, os.environ)
    supervisor.start('polite', program(ready, 'print("arm at rest", flush=True); sys.exit(0)'))
    ready.read_text()

    assert supervisor.stop() == []
    assert (tmp_path / 'polite.log').read_text().strip() == 'arm at rest'


def test_given_a_deaf_process_and_its_child_both_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait_until: Callable[..., bool]
) -> None:
    monkeypatch.setattr('vla_ros.nodes.supervisor.PATIENCE', (0.05, 0.05))
    ready = announced(tmp_path, 'deaf')
    code = (
        'import os, signal\n'
        'signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n'
        'child = os.fork()\n'
        f'if child: open({str(ready)!r}, "w").write(str(child))\n'
        'while True: signal.pause()\n'
    )
    supervisor = Supervisor(tmp_path, os.environ)
    supervisor.start('deaf', [PYTHON, '-c', code])
    child = int(ready.read_text())

    assert supervisor.stop() == ['deaf']
    assert wait_until(lambda: is_dead(child)), 'a signal takes a moment'


def is_dead(process: int) -> bool:
    """Gone, or a zombie that nobody has collected yet."""
    try:
        state = Path(f'/proc/{process}/stat').read_text().rsplit(')', 1)[1].split()[0]
    except FileNotFoundError:
        return True
    return state == 'Z'


def test_given_several_processes_the_newest_is_stopped_first(tmp_path: Path) -> None:
    order = tmp_path / 'order'
    supervisor = Supervisor(tmp_path, os.environ)
    for name in ('simulator', 'action'):
        ready = announced(tmp_path, name)
        supervisor.start(name, program(ready, f'open({str(order)!r}, "a").write("{name} "); sys.exit(0)'))
        ready.read_text()

    supervisor.stop()

    assert order.read_text() == 'action simulator '


def test_given_a_program_that_does_not_exist_the_error_names_it(tmp_path: Path) -> None:
    with pytest.raises(VlaError, match='simulator could not be started: /no/such/program'):
        Supervisor(tmp_path, os.environ).start('simulator', ['/no/such/program'])


def test_given_a_signal_the_exit_code_is_told_in_words() -> None:
    assert ended_how(-11) == 'was ended by SIGSEGV'
    assert ended_how(3) == 'ended with code 3'


def test_given_a_long_log_only_its_last_lines_are_repeated(tmp_path: Path) -> None:
    log = tmp_path / 'x.log'
    log.write_text('\n'.join(f'line {i}' for i in range(100)) + '\n\n')

    assert tail(log, 2) == 'line 98 | line 99'


def test_given_a_domain_in_use_on_this_machine_another_one_is_chosen() -> None:
    first = free_domain(seed=5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(('0.0.0.0', 7410 + 250 * first))
        second = free_domain(seed=5)

    assert second != first
    assert {first, second} <= set(DOMAINS)


def test_given_an_interruption_while_it_stops_them_then_all_are_killed_and_none_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeper = [PYTHON, '-c', 'import signal; signal.pause()']
    supervisor = Supervisor(tmp_path, os.environ)
    for name in ('first', 'second'):
        supervisor.start(name, sleeper)
    processes = [running.process for running in supervisor._running]

    def interrupted(_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr('vla_ros.nodes.supervisor._end', interrupted)
    with pytest.raises(KeyboardInterrupt):
        supervisor.stop()

    assert [process.poll() for process in processes] == [-signal.SIGKILL] * 2


def test_given_a_signal_to_one_process_it_ends_and_is_not_missed(tmp_path: Path) -> None:
    sleeper = [PYTHON, '-c', 'import signal; signal.pause()']
    with Supervisor(tmp_path, os.environ) as supervisor:
        supervisor.start('killed', sleeper)
        supervisor.start('other', sleeper)
        assert os.getpgid(supervisor.pid('killed')) == supervisor.pid('killed')

        supervisor.send('killed', signal.SIGKILL)

        assert supervisor.wait('killed') == -signal.SIGKILL
        supervisor.check()
        with pytest.raises(VlaError, match=r"killed: expected one of \['other'\]"):
            supervisor.pid('killed')
        with pytest.raises(VlaError, match='other did not end within 0.01 s'):
            supervisor.wait('other', 0.01)
