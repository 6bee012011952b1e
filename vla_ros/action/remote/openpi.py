"""The protocol of openpi's policy server (pi0, pi0.5): a websocket, msgpack, metadata first.

Written to packages/openpi-client and src/openpi/serving of Physical-Intelligence/openpi: the server says a dictionary
of metadata when a client connects, then answers each dictionary of observations with one that has the actions; a text
instead of bytes is its traceback.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.action.remote.arrays import LARGEST_MESSAGE, SHOWN, pack, unpack
from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.link import Asked
from vla_ros.action.remote.policy_file import PolicyFile

CLOSING = 0.5  # seconds that a farewell may take


class OpenPiLink:
    """A connection to ``ws://host:port`` or ``wss://...``. ``key`` is sent as openpi's client does, if there is one."""

    def __init__(self, file: PolicyFile, address: str, timeout: float, key: str = '') -> None:
        self._file, self._address, self._timeout, self._key = file, address, timeout, key
        self._connection: Any = None
        self._open = ExitStack()

    def connect(self) -> None:
        """Connect, and compare what the server says of itself with ``metadata`` of the policy's file."""
        from websockets.sync.client import connect

        opened = connect(
            self._address,
            compression=None,
            proxy=None,  # pictures and words go to the server that was named, and to nobody else
            max_size=LARGEST_MESSAGE,
            open_timeout=self._timeout,
            close_timeout=CLOSING,
            additional_headers={'Authorization': f'Api-Key {self._key}'} if self._key else None,
        )
        self._connection = self._open.enter_context(opened)
        said = self._hear(self._timeout)
        for key, expected in self._file.metadata.items():
            if key not in said or not _same(said[key], expected):
                found = repr(said[key])[:SHOWN] if key in said else 'nothing'
                raise ServerError(f'metadata: expected {key} to be {expected!r}, found {found}')

    def ask(self, asked: Asked) -> Mapping[str, npt.NDArray[np.generic]]:
        """One observation, one answer; for how long one waits is for ``abort`` to say."""
        question = {**asked.pictures, **asked.state, self._file.prompt_key: asked.prompt}
        self._connection.send(pack(question, 'openpi'))
        answer = self._hear(None)
        return {key: value for key, value in answer.items() if isinstance(value, np.ndarray)}

    def abort(self) -> None:
        """Shut the socket, on which both directions end."""
        connection = self._connection
        if connection is not None:
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Say good-bye."""
        self._connection = None
        with suppress(Exception):  # whatever state it is in
            self._open.close()

    def _hear(self, timeout: float | None) -> dict[Any, Any]:
        message = self._connection.recv(timeout)
        if isinstance(message, str):
            lines = message.strip().splitlines() or ['']
            raise ServerError(f'the server failed: {lines[-1][:SHOWN]}')
        found = unpack(message, 'openpi')
        if not isinstance(found, dict):
            raise ServerError(f'message: expected a dictionary, found {type(found).__name__}')
        return found


def _same(found: Any, expected: Any) -> bool:
    """Equal as plain values; an array is as good as a list of its numbers."""
    if isinstance(found, np.ndarray):
        found = found.tolist()
    return bool(found == expected)
