"""Starts the processes of a graph, notices when one dies, and stops them so that the arm comes to rest first."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from vla_ros.process import PATIENCE
from vla_ros.types import VlaError

DOMAINS = range(1, 100)
"""ROS domains whose ports lie below those that Linux gives to clients."""
TAIL = 3  # lines of a dead process's log that are repeated


@dataclass(frozen=True)
class _Running:
    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Supervisor:
    """Owns child processes; use it as a context manager, so that none is ever left behind.

    Args:
        logs: folder for one log file a process.
        environment: of the children.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = dict(environment)
        self._running: list[_Running] = []
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process in a process group of its own, out of reach of the terminal's Ctrl-C."""
        log = self._logs / f'{name}.log'
        try:
            with log.open('wb') as output:
                process = subprocess.Popen(
                    list(command),
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise VlaError(f'{name} could not be started: {command[0]}: {error.strerror}') from error
        self._running.append(_Running(name, process, log))

    def check(self) -> None:
        """Raise VlaError, with the end of its log, if a process has ended by itself."""
        for running in self._running:
            code = running.process.poll()
            if code is not None:
                raise VlaError(f'{running.name} {ended_how(code)}: {tail(running.log)} (log: {running.log})')

    def pid(self, name: str) -> int:
        """Of the running process of this name."""
        return self._named(name).process.pid

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and to whatever it started."""
        _signal(self._named(name).process, number)

    def wait(self, name: str, timeout: float = PATIENCE[0]) -> int:
        """Wait until a process has ended, and forget it: nobody misses it from then on.

        Returns:
            Its exit code, negative for a signal.
        """
        running = self._named(name)
        try:
            code = running.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise VlaError(f'{name} did not end within {timeout:g} s') from error
        self._running.remove(running)
        return code

    def _named(self, name: str) -> _Running:
        for running in self._running:
            if running.name == name:
                return running
        raise VlaError(f'{name}: expected one of {[each.name for each in self._running]}')

    def stop(self, names: Sequence[str] | None = None) -> list[str]:
        """Stop processes, the newest first, each politely before by force.

        Args:
            names: only these; None means all.

        Returns:
            Names of those that had to be killed.
        """
        chosen = [running for running in self._running if names is None or running.name in names]
        self._running = [running for running in self._running if running not in chosen]
        killed = []
        try:
            for running in reversed(chosen):
                if not _end(running.process):
                    killed.append(running.name)
        except BaseException:  # somebody is not patient enough: by force, then, but never leave one behind
            for running in chosen:
                _signal(running.process, signal.SIGKILL)
                running.process.wait()
            raise
        return killed


def _end(process: subprocess.Popen[bytes]) -> bool:
    """End a process and whatever it started; false if it had to be killed."""
    polite = False
    for number, patience in zip((signal.SIGINT, signal.SIGTERM), PATIENCE, strict=True):
        if process.poll() is None:
            _signal(process, number)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        polite = True
        break
    _signal(process, signal.SIGKILL)
    process.wait()
    return polite


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def ended_how(code: int) -> str:
    """An exit code in words: 'ended with code 1', 'was ended by SIGSEGV'."""
    if code < 0:
        return f'was ended by {signal.Signals(-code).name}'
    return f'ended with code {code}'


def tail(log: Path, lines: int = TAIL) -> str:
    """The last lines of a log that are not empty, in one line."""
    try:
        text = log.read_bytes()[-20_000:].decode('utf-8', errors='replace')
    except OSError:
        return 'no log'
    written = [line.strip() for line in text.splitlines() if line.strip()]
    return ' | '.join(written[-lines:]) or 'nothing was logged'


def free_domain(seed: int | None = None) -> int:
    """A ROS domain in which nobody on this machine is, in random order, so that two runs hardly meet."""
    generator = random.Random(seed if seed is not None else time.time_ns())
    domains = list(DOMAINS)
    generator.shuffle(domains)
    for domain in domains:
        if is_free(domain):
            return domain
    raise VlaError(
        f'ROS_DOMAIN_ID: no free domain among {DOMAINS.start} to {DOMAINS.stop - 1}; set it yourself'
    )


def is_free(domain: int) -> bool:
    """Whether nobody on this machine is in a ROS domain.

    The first participant of a domain holds the UDP port 7400 + 250 * domain + 10 (RTPS).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(('0.0.0.0', 7410 + 250 * domain))
        except OSError:
            return False
    return True
