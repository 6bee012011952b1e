"""Policy servers of each protocol in a thread of their own, which answer as a test tells them to.

Written to the protocols' descriptions with msgpack alone, so that they do not share a mistake with the package.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

import msgpack
import numpy as np
import zmq
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

HANG = object()  # what a server answers that does not


def openpi_bytes(value: Any) -> bytes:
    def array(found: Any) -> dict[bytes, Any]:
        return {
            b'__ndarray__': True,
            b'data': found.tobytes(),
            b'dtype': found.dtype.str,
            b'shape': found.shape,
        }

    return msgpack.packb(value, default=array)


def openpi_value(data: bytes) -> Any:
    def array(found: Any) -> Any:
        if b'__ndarray__' not in found:
            return found
        return np.ndarray(buffer=found[b'data'], dtype=found[b'dtype'], shape=found[b'shape'])

    return msgpack.unpackb(data, object_hook=array)


class OpenPiServer:
    """``answer`` makes a message of an observation: bytes, text, HANG, or raises to end the connection."""

    def __init__(self, answer: Callable[[Any], Any], metadata: Any = None, port: int = 0) -> None:
        self.answer, self.metadata = answer, {} if metadata is None else metadata
        self.asked: list[Any] = []
        self.headers: list[Any] = []
        self.connections = 0
        self._open: list[ServerConnection] = []
        self._ending = threading.Event()
        self._server = serve(self._handle, '127.0.0.1', port, compression=None, max_size=None)
        self.port = self._server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f'ws://127.0.0.1:{self.port}'

    def __enter__(self) -> OpenPiServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._thread.join()
        for connection in self._open:  # older releases of websockets let them be
            connection.close()

    def _handle(self, connection: ServerConnection) -> None:
        self.connections += 1
        self._open.append(connection)
        self.headers.append(connection.request.headers)
        try:
            connection.send(openpi_bytes(self.metadata))
            for message in connection:
                self.asked.append(openpi_value(message))
                said = self.answer(self.asked[-1])
                if said is HANG:
                    self._ending.wait()
                    return
                connection.send(said)
        except (ConnectionClosed, RuntimeError):
            return


class DeafServer:
    """Shakes hands, says its metadata, and never reads: what is sent to it stays in the buffers of the sockets."""

    def __init__(self) -> None:
        self._socket = socket.create_server(('127.0.0.1', 0))
        self.address = f'ws://127.0.0.1:{self._socket.getsockname()[1]}'
        self._accepted: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> DeafServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        for connection in (self._socket, *self._accepted):
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._accepted.append(connection)
            request = more = connection.recv(4096)
            while more and b'\r\n\r\n' not in request:
                more = connection.recv(4096)
                request += more
            found = re.search(rb'Sec-WebSocket-Key: (\S+)', request, re.IGNORECASE)
            if found is None:
                continue
            key = found.group(1)
            proof = hashlib.sha1(key + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest()  # RFC 6455, 1.3
            connection.sendall(
                b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                b'Sec-WebSocket-Accept: ' + base64.b64encode(proof) + b'\r\n\r\n'
                b'\x82\x01\x80'  # a frame of one byte: an empty dictionary
            )


def npy(found: np.ndarray) -> dict[str, Any]:
    file = io.BytesIO()
    np.save(file, found, allow_pickle=False)
    return {'__ndarray_class__': True, 'as_npy': file.getvalue()}


def of_npy(found: Any) -> Any:
    if '__ndarray_class__' not in found:
        return found
    return np.load(io.BytesIO(found['as_npy']), allow_pickle=False)


def numpys(found: np.ndarray) -> dict[bytes, Any]:
    return {
        b'nd': True,
        b'type': found.dtype.str,
        b'kind': b'',
        b'shape': found.shape,
        b'data': found.tobytes(),
    }


def of_numpys(found: Any) -> Any:
    if b'nd' not in found:
        return found
    return np.ndarray(buffer=found[b'data'], dtype=found[b'type'], shape=found[b'shape'])


GROOT = {
    'N1.6': ('__ModalityConfig_class__', npy, of_npy),
    'N1.7': ('__ModalityConfig__', numpys, of_numpys),
}
"""How these write a configuration and an array, and read one."""


class GrootServer:
    """``answer`` makes the reply of an observation: a value, bytes as they are, or HANG."""

    def __init__(
        self, answer: Callable[[Any], Any], configuration: Any, version: str = 'N1.7', token: str = ''
    ) -> None:
        self.answer, self.configuration, self.token = answer, configuration, token
        self._mark, self._array, self._of = GROOT[version]
        self.asked: list[Any] = []
        self._ending = threading.Event()
        self._socket = zmq.Context.instance().socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)
        self.address = f'tcp://127.0.0.1:{self._socket.bind_to_random_port("tcp://127.0.0.1")}'
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> GrootServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._ending.is_set():
            if not self._socket.poll(20):
                continue
            request = msgpack.unpackb(self._socket.recv(), object_hook=self._of)
            said = self._reply(request)
            if said is HANG:
                self._ending.wait()
                return
            self._socket.send(said if isinstance(said, bytes) else msgpack.packb(said, default=self._array))

    def _reply(self, request: Any) -> Any:
        if self.token and request.get('api_token') != self.token:
            return {'error': 'Unauthorized: Invalid API token'}
        if request['endpoint'] == 'get_modality_config':
            return {key: {self._mark: True, 'as_json': entry} for key, entry in self.configuration.items()}
        assert request['endpoint'] == 'get_action'
        self.asked.append(request['data']['observation'])
        return self.answer(self.asked[-1])
