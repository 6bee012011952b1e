"""Asking a server without ever waiting longer than agreed: a thread of its own connects, asks, and connects again.

After an answer that did not come in time the connection is given up: the answer to an old question would be taken
for that to a new one.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.link import Asked, Link

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0  # seconds between attempts to connect; each is twice the one before
SHOWN = 300  # characters of what went wrong

Answer = Mapping[str, npt.NDArray[np.generic]]


class _Call:
    """A question on its way."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.answer: Answer | None = None
        self.problem = ''
        self.done = threading.Event()


class Caller:
    """Keeps a link to a server alive. ``ask`` may be called from one thread at a time."""

    def __init__(self, link: Link, address: str, timeout: float) -> None:
        """Begin to connect.

        Args:
            timeout: seconds until an answer is given up.
        """
        self._link, self._address, self._timeout = link, address, timeout
        self._condition = threading.Condition()
        self._problem = f'{address}: not connected yet'
        self._call: _Call | None = None
        self._closing = threading.Event()
        self._pause = FIRST_PAUSE
        self._thread = threading.Thread(target=self._run, name='policy server', daemon=True)
        self._thread.start()

    @property
    def problem(self) -> str:
        """Why no question may be asked now; '' if one may."""
        with self._condition:
            return self._problem

    def ask(self, asked: Asked) -> Answer:
        """The server's answer, within ``timeout``.

        Raises:
            ServerError: not connected, no answer in time, or one that cannot be read.
        """
        with self._condition:
            if self._problem:
                raise ServerError(self._problem)
            call = self._call = _Call(asked)
            self._condition.notify_all()
        if not call.done.wait(self._timeout):
            problem = f'{self._address}: no answer within {self._timeout:g} s; connecting again'
            with self._condition:
                self._problem = problem
                self._condition.notify_all()
            self._link.abort()
            raise ServerError(problem)
        if call.answer is None:
            raise ServerError(call.problem)
        return call.answer

    def close(self) -> None:
        """End thread and connection; soon, whatever the server does."""
        self._closing.set()
        with self._condition:
            self._problem = f'{self._address}: closed'
            self._condition.notify_all()
        self._link.abort()
        self._thread.join(2 * self._timeout)

    def _run(self) -> None:
        while not self._closing.is_set():
            connected = False
            try:
                self._link.connect()
                with self._condition:
                    self._problem = ''
                connected = True
                self._answer_questions()
            except (
                Exception
            ) as error:  # of the network, of TLS, of a library: all mean that there is no answer
                self._give_up(error, connected)
            self._link.close()
            self._closing.wait(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _answer_questions(self) -> None:
        """Until something goes wrong, which is raised."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._call or self._problem or self._closing.is_set())
                if self._problem or self._closing.is_set():
                    raise ServerError(self._problem)
                call = self._call
            assert call is not None
            call.answer = self._link.ask(call.asked)
            self._pause = FIRST_PAUSE
            with self._condition:
                self._call = None
            call.done.set()

    def _give_up(self, error: Exception, connected: bool) -> None:
        said = str(error) or repr(error)
        problem = said if said.startswith(self._address) else f'{self._address}: {said}'
        problem = ' '.join(problem.split())[:SHOWN]
        with self._condition:
            # A connection that was given up breaks because of that: the first reason is the true one.
            if not (connected and self._problem):
                self._problem = problem
            call, self._call = self._call, None
        if call is not None:
            call.problem = problem
            call.done.set()
