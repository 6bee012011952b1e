"""The chat completions of OpenAI-compatible servers: the request, and what a server may answer, read strictly.

After the reference of OpenAI's API (chat/completions, ``stream: true``), which vLLM, SGLang, NIM, Ollama and
``transformers serve`` speak. Nothing here opens a connection.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np

from vla_ros.types import ImageArray

LONGEST_LINE = 65_536  # bytes of one event
LONGEST_ANSWER = 8192  # characters
DONE = '[DONE]'
JPEG_QUALITY = 95


class ChatError(Exception):
    """The server did not answer as the protocol says; ``again`` tells whether to ask once more is worth it."""

    def __init__(self, sentence: str, *, again: bool) -> None:
        super().__init__(sentence)
        self.again = again


def data_url(image: ImageArray) -> str:
    """An image (h, w, 3) rgb8 as a JPEG in a data URL."""
    made, file = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not made:
        raise ValueError('image: OpenCV could not write it as JPEG')
    return f'data:image/jpeg;base64,{base64.b64encode(np.asarray(file).tobytes()).decode("ascii")}'


def request_body(
    model: str, system: str, user: str, image: ImageArray, max_tokens: int, schema: dict[str, Any] | None
) -> bytes:
    """The JSON of a request: greedy, streamed; ``schema`` asks servers that can to write nothing else."""
    content = [
        {'type': 'image_url', 'image_url': {'url': data_url(image)}},
        {'type': 'text', 'text': user},
    ]
    body: dict[str, Any] = {
        'model': model,
        'messages': [{'role': 'system', 'content': system}, {'role': 'user', 'content': content}],
        'temperature': 0,
        'max_tokens': max_tokens,
        'stream': True,
    }
    if schema is not None:
        wanted = {'name': 'answer', 'schema': schema, 'strict': True}
        body['response_format'] = {'type': 'json_schema', 'json_schema': wanted}
    return json.dumps(body).encode('utf-8')


def events(blocks: Iterable[bytes]) -> Iterator[str]:
    """The data of server-sent events, in whatever blocks of bytes they come."""
    waiting = b''
    for block in blocks:
        waiting += block
        *lines, waiting = waiting.split(b'\n')
        for line in (*lines, waiting):
            if len(line) > LONGEST_LINE:
                raise ChatError(f'a line is longer than {LONGEST_LINE} bytes', again=False)
        for line in lines:
            if line.startswith(b'data:'):
                try:
                    yield line[5:].decode('utf-8').strip()
                except UnicodeDecodeError as error:
                    raise ChatError('the answer is not UTF-8', again=False) from error


def texts(data: Iterable[str]) -> Iterator[str]:
    """The answer so far after each event that adds to it. It ends well only with the reason 'stop'.

    Raises:
        ChatError: an event is none, the answer is too long, cut off by a limit, or ends before its end.
    """
    written, reason = '', None
    for event in data:
        if event == DONE:
            break
        choice = _choice(event)
        if choice is None:
            continue  # usage, without a choice
        piece = _field(choice, 'delta').get('content')
        if piece is not None and not isinstance(piece, str):
            raise ChatError('an event has no text in it', again=False)
        if piece:
            written += piece
            _require_short(written)
            yield written
        reason = choice.get('finish_reason') or reason
    _require_stop(reason)
    yield written


def whole_text(content: bytes) -> str:
    """The answer of a server that does not stream. Raises ChatError as ``texts`` does."""
    choice = _choice(content.decode('utf-8', 'replace'))
    text = None if choice is None else _field(choice, 'message').get('content')
    if choice is None or not isinstance(text, str):
        raise ChatError('the answer has no text in it', again=False)
    _require_short(text)
    _require_stop(choice.get('finish_reason'))
    return text


def _choice(event: str) -> dict[str, Any] | None:
    try:
        content = json.loads(event)
    except (ValueError, RecursionError) as error:
        raise ChatError('the answer is no JSON', again=False) from error
    choices = content.get('choices') if isinstance(content, dict) else None
    if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
        raise ChatError('the answer has no choices in it', again=False)
    return choices[0] if choices else None


def _field(choice: dict[str, Any], name: str) -> dict[str, Any]:
    found = choice.get(name)
    if not isinstance(found, dict):
        raise ChatError(f'the answer has no {name} in it', again=False)
    return found


def _require_short(text: str) -> None:
    if len(text) > LONGEST_ANSWER:
        raise ChatError(f'the answer is longer than {LONGEST_ANSWER} characters', again=False)


def _require_stop(reason: object) -> None:
    if reason is None:
        raise ChatError('the answer ended before its end', again=True)
    if reason != 'stop':
        raise ChatError(
            f"the answer was cut off: finish_reason is {str(reason)[:40]!r}, not 'stop'", again=False
        )
