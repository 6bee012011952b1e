"""The thread that asks a policy server: what it says of a connection that it gave up itself."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from vla_ros.action.remote.caller import Caller
from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.link import Asked

PATIENCE = 20.0  # seconds until a test that waits for another thread gives up


class BreakingLink:
    """Never answers; breaks when it is given up, and ``abort`` comes back only after that was noticed."""

    def __init__(self) -> None:
        self._aborted, self._noticed = threading.Event(), threading.Event()

    def connect(self) -> None:
        if self._noticed.is_set():
            raise OSError('nobody listens')

    def ask(self, _: Asked) -> Any:
        self._aborted.wait(PATIENCE)
        raise OSError('no close frame received or sent')

    def abort(self) -> None:
        self._aborted.set()
        self._noticed.wait(PATIENCE)

    def close(self) -> None:
        self._noticed.set()


def test_given_a_link_that_breaks_at_once_when_it_is_given_up_then_the_reason_is_the_lateness() -> None:
    caller = Caller(BreakingLink(), 'ws://somewhere', 0.05)
    try:
        pause = threading.Event()
        while caller.problem:
            pause.wait(0.001)
        with pytest.raises(ServerError, match=r'no answer within 0\.05 s; connecting again'):
            caller.ask(Asked({}, {}, 'pick red cube'))
    finally:
        caller.close()


def test_given_a_server_that_is_gone_when_connecting_again_then_the_newest_reason_is_said() -> None:
    caller = Caller(BreakingLink(), 'ws://somewhere', 0.05)
    try:
        pause = threading.Event()
        while caller.problem:
            pause.wait(0.001)
        with pytest.raises(ServerError):
            caller.ask(Asked({}, {}, 'pick red cube'))
        while 'nobody listens' not in caller.problem:
            pause.wait(0.001)
    finally:
        caller.close()
