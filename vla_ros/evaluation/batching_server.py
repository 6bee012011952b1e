"""A stand-in for a large model behind an OpenAI-compatible server: it batches, takes its time, always says the same.

It writes a token of every answer that it is at in each step, and who comes later joins at the next step, as with
continuous batching on a GPU; a step for many takes little longer than a step for one. How long is declared, not
computed: so a fleet can be measured without a GPU.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

LARGEST_REQUEST = 2**24  # bytes


@dataclass(frozen=True)
class Pace:
    """How fast the pretended model writes.

    Attributes:
        tokens: steps that an answer takes.
        seconds: of a step with one answer.
        seconds_more: for each further answer in the same step.
        largest: answers in a step at most; others wait.
    """

    tokens: int = 40
    seconds: float = 0.01
    seconds_more: float = 0.0005
    largest: int = 16

    def of(self, answers: int) -> float:
        """Seconds for a step with so many answers."""
        return self.seconds + (answers - 1) * self.seconds_more


class _Waiting:
    """A request whose answer lacks some tokens."""

    def __init__(self, tokens: int) -> None:
        self.lacks = tokens
        self.done = threading.Event()


class BatchingServer:
    """Serves ``/v1/chat/completions`` on this machine while it is entered as a context.

    Attributes:
        steps: how many answers each step was for.
    """

    def __init__(self, answer: str, pace: Pace, wait: Callable[[float], None] = time.sleep) -> None:
        """``answer`` is what it says to everybody; ``wait`` is how it takes its time."""
        self.steps: list[int] = []
        self._answer, self._pace, self._wait = answer, pace, wait
        self._queue: list[_Waiting] = []
        self._changed = threading.Condition()
        self._closing = False
        self._server = _Server(self)
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,), name='stand-in', daemon=True),
            threading.Thread(target=self._write, name='stand-in steps', daemon=True),
        ]

    @property
    def url(self) -> str:
        """As the parameter ``openai_url`` wants it."""
        return f'http://127.0.0.1:{self._server.server_address[1]}/v1'

    def __enter__(self) -> BatchingServer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> str:
        """Wait until one request has its answer; what is said to it."""
        waiting = _Waiting(self._pace.tokens)
        with self._changed:
            self._queue.append(waiting)
            self._changed.notify_all()
        waiting.done.wait()
        return self._answer

    def _write(self) -> None:
        writing: list[_Waiting] = []
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(writing or self._queue or self._closing))
                room = self._pace.largest - len(writing)
                writing.extend(self._queue[:room])
                del self._queue[:room]
                if self._closing:
                    for waiting in (*writing, *self._queue):
                        waiting.done.set()
                    return
            self._wait(self._pace.of(len(writing)))
            self.steps.append(len(writing))
            for waiting in writing:
                waiting.lacks -= 1
                if waiting.lacks <= 0:
                    waiting.done.set()
            writing[:] = [waiting for waiting in writing if waiting.lacks > 0]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, model: BatchingServer) -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        self.model = model

    def handle_error(self, *_: object) -> None:
        """A client that gives up is no error of the server."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        size = int(self.headers.get('Content-Length', 0))
        if self.path != '/v1/chat/completions' or not 0 < size <= LARGEST_REQUEST:
            self.send_error(404)
            return
        self.rfile.read(size)
        text = self.server.model.take()
        choice = {'index': 0, 'message': {'role': 'assistant', 'content': text}, 'finish_reason': 'stop'}
        content = json.dumps({'object': 'chat.completion', 'choices': [choice]}).encode('utf-8')
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing to read."""
