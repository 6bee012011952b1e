"""System 2 behind any OpenAI-compatible server: vLLM, SGLang, NIM, Ollama, ``transformers serve``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from vla_ros.reasoning.answer import Form, JsonAnswer
from vla_ros.reasoning.chat_connection import ask, endpoint
from vla_ros.reasoning.chat_protocol import ChatError, request_body
from vla_ros.types import ImageArray, VlaError


@dataclass(frozen=True)
class OpenAiSettings:
    """How to reach a server.

    Attributes:
        url: the base, as 'http://localhost:8000/v1'.
        model: as the server calls it.
        key_variable: of the environment, where the key is; '' sends none.
        ca_file: certificates to believe instead of the system's.
        timeout: seconds for a whole answer, with all tries.
        retry_delay: seconds before the second try; twice as long before each further one.
        max_tokens: of an answer.
        constrain: ask the server to write nothing but the declared object.
    """

    url: str
    model: str
    key_variable: str = ''
    ca_file: str = ''
    timeout: float = 2.0
    retry_delay: float = 0.1
    max_tokens: int = 512
    constrain: bool = False


class OpenAiMind:
    """A ``foreign.Mind`` on a server: greedy, streamed, and within its time."""

    def __init__(self, settings: OpenAiSettings, form: Form) -> None:
        """Raises VlaError for settings with which no request could be sent; does not send one."""
        if not settings.model:
            raise VlaError("openai_model: expected the server's name of a model, found ''")
        if settings.constrain and form != 'json':
            raise VlaError(f"openai_constrain: expected a prompt whose answer is 'json', found {form!r}")
        key = ''
        if settings.key_variable:
            key = os.environ.get(settings.key_variable, '')
            if not key:
                raise VlaError(
                    f'openai_key_variable: expected a key in the environment variable {settings.key_variable!r}, '
                    'found none'
                )
        self._endpoint = endpoint(settings.url, key, settings.ca_file)
        self._settings = settings
        self._schema = JsonAnswer.model_json_schema() if settings.constrain else None

    def answer(self, system: str, user: str, image: ImageArray, on_text: Callable[[str], None]) -> str:
        """See ``foreign.Mind.answer``. What may be better the next time is tried again while there is time."""
        wanted = self._settings
        deadline = time.monotonic() + wanted.timeout
        body = request_body(wanted.model, system, user, image, wanted.max_tokens, self._schema)
        delay, reasons = wanted.retry_delay, []
        while True:
            try:
                return ask(self._endpoint, body, deadline, on_text)
            except ChatError as error:
                reasons.append(str(error))
                if not error.again or time.monotonic() + delay >= deadline:
                    said = ', then '.join(dict.fromkeys(reasons))
                    raise VlaError(
                        f'{self._endpoint.url.hostname}: {said} (tries: {len(reasons)}, {wanted.timeout:g} s at most)'
                    ) from error
            _wait(delay, on_text)
            delay *= 2


def _wait(seconds: float, on_text: Callable[[str], None]) -> None:
    """Sleep, but let who waits give up now and then."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        on_text('')
        time.sleep(min(left, 0.1))
