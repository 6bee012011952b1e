"""Peers: the same work in another library, in a process of its own that waits while others are measured.

So nothing of theirs is ever loaded into this process, and none is needed to run the bench. A peer says one line when
it is ready: JSON with ``answers``, what its work comes to, or with ``missing``, why it cannot be had. Then it does its
work once for each line that it is sent, and answers with the seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from vla_ros.types import VlaError

TORCH, COMPILE, TRANSFORMERS = 'torch', 'torch.compile', 'transformers'
PEERS = (TORCH, COMPILE, TRANSFORMERS)
THREADS = ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'VECLIB_MAXIMUM_THREADS')
ONE_THREAD = dict.fromkeys(THREADS, '1')
"""A core each, as the models have on the robot."""


class Peer:
    """A running peer; see the module.

    Raises:
        VlaError: it cannot be had.
    """

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self._name, self._process = name, process
        first = self._line()
        if 'missing' in first:
            raise VlaError(f'{name}: {first["missing"]}')
        self.answers = first['answers']

    def __call__(self) -> float:
        """Seconds of one repetition; a ``Contender``."""
        assert self._process.stdin is not None
        self._process.stdin.write('\n')
        self._process.stdin.flush()
        return float(self._line()['seconds'])

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise VlaError(f'{self._name}: ended with exit code {self._process.wait()}')
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def peer(name: str, module: str, *arguments: str) -> Iterator[Peer]:
    """A peer whose module, run as a program, calls ``serve``."""
    command = [sys.executable, '-m', f'vla_ros.bench.{module}', *arguments]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **ONE_THREAD},
    )
    try:
        yield Peer(name, process)
    finally:
        process.kill()
        process.communicate()


def serve(prepare: Callable[[Sequence[str]], tuple[Callable[[], Any], Any]]) -> None:
    """The peer's side: ``prepare`` makes of the arguments what is measured, and what it comes to."""
    out, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    try:
        work, answers = prepare(sys.argv[1:])
    except ImportError as error:
        _say(out, {'missing': f'not installed ({error})'})
        return
    except (
        Exception
    ) as error:  # a compiler that is not there is the peer's affair, and no reason to end the bench
        _say(out, {'missing': f'{type(error).__name__}: {str(error).strip().splitlines()[0:1]}'})
        return
    _say(out, {'answers': answers})
    for _ in sys.stdin:
        begun = time.perf_counter()
        work()
        _say(out, {'seconds': time.perf_counter() - begun})


def _say(out: IO[str], what: Mapping[str, Any]) -> None:
    out.write(json.dumps(what) + '\n')
    out.flush()
