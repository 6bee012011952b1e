"""One HTTP request whose answer is awaited for a given time and no longer, however slowly it drips.

A thread of its own speaks with the server, so that neither a slow name server nor a byte a second can hold up whoever
waits; who waits hears a sign several times a second, and may give up. Redirects are not followed and proxies not
asked: the key goes to the host that was named, or nowhere.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from vla_ros.reasoning.chat_protocol import LONGEST_LINE, ChatError, events, texts, whole_text
from vla_ros.types import VlaError

SIGN = 0.1  # seconds between signs of life to who waits
LARGEST = 2**20  # bytes of a whole answer
WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
LOCAL = frozenset({'localhost', '127.0.0.1', '::1'})


@dataclass(frozen=True)
class Endpoint:
    """Where requests go. ``headers`` hold the key, so they are never shown."""

    url: SplitResult
    context: ssl.SSLContext | None
    headers: Mapping[str, str] = field(repr=False)


def endpoint(base_url: str, key: str, ca_file: str = '') -> Endpoint:
    """The chat completions below a base URL, as 'https://host/v1'; certificates are always verified.

    Args:
        key: '' if the server wants none.
        ca_file: certificates (PEM) to believe instead of the system's; '' for those.

    Raises:
        VlaError: no such URL, a key that would go unencrypted over a network or is none, no certificates.
    """
    try:
        url = urlsplit(base_url.rstrip('/') + '/chat/completions')
        _ = url.port
    except ValueError as error:
        raise VlaError(f'openai_url: expected a URL, found one that is none ({error})') from error
    if url.scheme not in ('http', 'https') or not url.hostname or url.username or url.query or url.fragment:
        raise VlaError(
            "openai_url: expected 'http://host:port/v1' or 'https://host/v1' without user, query and fragment"
        )
    if not base_url.isascii() or any(character <= ' ' for character in base_url):
        raise VlaError('openai_url: expected printable ASCII without spaces')
    if key and (not key.isascii() or not key.isprintable() or ' ' in key):
        raise VlaError('the key in the environment is none: expected printable ASCII without spaces')
    if key and url.scheme == 'http' and url.hostname not in LOCAL:
        raise VlaError(f'openai_url: expected https, as a key is sent, found http to {url.hostname}')
    context = None
    if url.scheme == 'https':
        try:
            context = ssl.create_default_context(cafile=ca_file or None)
        except OSError as error:
            raise VlaError(f'openai_ca_file: expected certificates in PEM, found {ca_file!r}') from error
    headers = {'Content-Type': 'application/json', 'Accept': 'text/event-stream', 'Connection': 'close'}
    if key:
        headers['Authorization'] = f'Bearer {key}'
    return Endpoint(url, context, headers)


def ask(to: Endpoint, body: bytes, deadline: float, on_text: Callable[[str], None]) -> str:
    """The whole answer to one request.

    Args:
        deadline: of ``time.monotonic``.
        on_text: told the answer so far at least every ``SIGN`` seconds; what it raises ends the request.

    Raises:
        ChatError: no connection, no valid certificate, an HTTP error, no whole answer, or none in time.
    """
    exchange = _Exchange(to, body, deadline)
    threading.Thread(target=exchange.run, name='chat', daemon=True).start()
    text = ''
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ChatError('no whole answer in time', again=False)
            try:
                news = exchange.news.get(timeout=min(left, SIGN))
            except queue.Empty:
                on_text(text)
                continue
            if isinstance(news, Exception):
                raise news
            if news is None:
                return text
            if news != text:
                text = news
                on_text(text)
    finally:
        exchange.give_up()


class _Exchange:
    """Runs in its own thread; ``news`` are the answer so far, then None or why there is no whole one."""

    def __init__(self, to: Endpoint, body: bytes, deadline: float) -> None:
        self.news: queue.SimpleQueue[str | None | ChatError] = queue.SimpleQueue()
        self._to, self._body, self._deadline = to, body, deadline
        self._socket: socket.socket | None = None
        self._given_up = False

    def give_up(self) -> None:
        """Let the thread end: whatever it waits for on the socket is over."""
        self._given_up = True
        used = self._socket
        if used is not None:
            with contextlib.suppress(OSError):  # it may be closed already
                socket.socket.shutdown(used, socket.SHUT_RDWR)

    def run(self) -> None:
        try:
            for text in self._texts():
                self.news.put(text)
            self.news.put(None)
        except ChatError as error:
            self.news.put(error)
        except TimeoutError:
            self.news.put(ChatError('no whole answer in time', again=False))
        except ssl.SSLCertVerificationError as error:
            self.news.put(ChatError(f'the certificate is not valid: {error.verify_message}', again=False))
        except (OSError, http.client.HTTPException, ValueError) as error:
            # The class alone: the text of some errors repeats what the server sent.
            self.news.put(ChatError(f'the connection failed ({type(error).__name__})', again=True))

    def _texts(self) -> Iterator[str]:
        connection = self._connect()
        try:
            url = self._to.url
            connection.request('POST', url.path, self._body, dict(self._to.headers))
            response = connection.getresponse()
            if response.status != 200:
                # The body is not read: servers repeat keys in it.
                again = response.status in WORTH_ANOTHER_TRY
                raise ChatError(f'the server says HTTP {response.status}', again=again)
            kind = response.headers.get_content_type()
            if kind == 'application/json':
                yield whole_text(b''.join(_blocks(response)))
            elif kind == 'text/event-stream':
                yield from texts(events(_blocks(response)))
            else:
                raise ChatError(f'the answer is {kind[:60]!r}, no event stream and no JSON', again=False)
        finally:
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        url, context = self._to.url, self._to.context
        host = str(url.hostname)
        port = url.port or (443 if context else 80)
        left = max(self._deadline - time.monotonic(), 0.001)
        plain = socket.create_connection((host, port), timeout=left)
        try:
            used = plain
            if context is not None:
                used = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
            self._socket = used
            if self._given_up:
                raise TimeoutError
            if isinstance(used, ssl.SSLSocket):
                used.do_handshake()
        except BaseException:
            plain.close()
            if self._socket is not None:
                self._socket.close()
            raise
        connection = http.client.HTTPConnection(host, port, timeout=left)
        connection.sock = used
        return connection


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """What comes, as it comes, up to a size; IncompleteRead if it breaks off."""
    size = 0
    while block := response.read1(LONGEST_LINE):
        size += len(block)
        if size > LARGEST:
            raise ChatError(f'the answer is larger than {LARGEST} bytes', again=False)
        yield block
