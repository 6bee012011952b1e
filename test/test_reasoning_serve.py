"""``transformers serve`` with a tiny LLaVA: asked over HTTP, it writes what the checkpoint writes in this process."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('fastapi')
pytest.importorskip('uvicorn')
pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('PIL')

from tiny_minds import write_llava

from vla_ros.reasoning.openai_reasoner import OpenAiMind, OpenAiSettings
from vla_ros.reasoning.transformers_reasoner import TransformersMind, TransformersSettings
from vla_ros.types import VlaError

PATIENCE, TOKENS = 120, 8
IMAGE = np.full((48, 64, 3), 128, np.uint8)  # of one colour, so that JPEG changes nothing


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp('llava')
    write_llava(folder)
    return str(folder)


@pytest.fixture(scope='module')
def url(checkpoint: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    script = str(Path(sys.executable).parent / 'transformers')
    words = [sys.executable, script, 'serve', checkpoint, '--host', '127.0.0.1', '--port', str(port)]
    with subprocess.Popen(words, env={**os.environ, 'HF_HUB_OFFLINE': '1'}) as server:
        try:
            assert answers(port, server), 'the server does not begin'
            yield f'http://127.0.0.1:{port}/v1'
        finally:
            server.terminate()


def answers(port: int, server: subprocess.Popen[bytes]) -> bool:
    """Whether a server is there in time."""
    poll = threading.Event()
    for _ in range(PATIENCE * 5):
        try:
            connection = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
            connection.request('GET', '/health')
            return connection.getresponse().status == 200
        except OSError:
            poll.wait(0.2)
        if server.poll() is not None:
            return False
    return False


def written(mind: OpenAiMind | TransformersMind) -> str:
    """All that a mind writes until it is cut off, which with random weights it is."""
    heard: list[str] = []
    with pytest.raises(VlaError, match='cut off'):
        mind.answer('be good', 'touch it', IMAGE, heard.append)
    return heard[-1].rstrip('\ufffd')  # half a character at the end


def test_it_writes_over_http_what_the_checkpoint_writes_here(url: str, checkpoint: str) -> None:
    remote = OpenAiMind(OpenAiSettings(url, checkpoint, timeout=PATIENCE, max_tokens=TOKENS), 'json')
    here = TransformersMind(TransformersSettings(checkpoint, timeout=PATIENCE, max_tokens=TOKENS))

    text = written(remote)

    assert text
    assert text == written(remote)
    assert written(here).startswith(text)
