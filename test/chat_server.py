"""An OpenAI-compatible server in a thread, for tests: real HTTP, and answers as good or as bad as a test wants them."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Reply = Callable[[BaseHTTPRequestHandler], None]


class ChatServer(ThreadingHTTPServer):
    """Answers each request with the next of ``replies``, and the last one for ever; keeps what it was asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *replies: Reply, certificate: Path | None = None) -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        self.replies = list(replies)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.paths: list[str] = []
        self.over = threading.Event()
        self._secure = certificate is not None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        scheme = 'https' if self._secure else 'http'
        return f'{scheme}://127.0.0.1:{self.server_address[1]}/v1'

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that gives up is no error of the test."""


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        server = self.server
        server.asked.append(json.loads(self.rfile.read(int(self.headers['Content-Length']))))
        server.keys.append(self.headers['Authorization'])
        server.paths.append(self.path)
        reply = server.replies.pop(0) if len(server.replies) > 1 else server.replies[0]
        reply(self)

    def log_message(self, *_: object) -> None:
        pass


def raw(content: bytes, kind: str = 'text/event-stream', status: int = 200, **headers: str) -> Reply:
    """These bytes, and the end of the connection."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header('Content-Type', kind)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    return reply


def event(content: Any) -> bytes:
    return b'data: ' + json.dumps(content).encode() + b'\n\n'


def stream(pieces: Sequence[str], reason: str | None = 'stop') -> bytes:
    """The events of a whole answer in pieces, as servers send them."""
    content = [event({'choices': [{'delta': {'role': 'assistant'}, 'finish_reason': None}]})]
    content += [event({'choices': [{'delta': {'content': p}, 'finish_reason': None}]}) for p in pieces]
    if reason is not None:
        content.append(event({'choices': [{'delta': {}, 'finish_reason': reason}]}))
        content += [event({'choices': [], 'usage': {'total_tokens': 3}}), b'data: [DONE]\n\n']
    return b''.join(content)


def says(*pieces: str) -> Reply:
    """A good answer, streamed."""
    return raw(stream(pieces))


def hangs(first: bytes = b'', drip: bytes = b'') -> Reply:
    """Begins to answer, and never ends; with ``drip``, sends that again and again."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        raw(first)(handler)
        server = handler.server
        assert isinstance(server, ChatServer)
        while not server.over.wait(0.05):
            if drip:
                handler.wfile.write(drip)

    return reply
