"""A mind on a server and its secrets: the key goes to the right server, over what can be believed, and nowhere else."""

from __future__ import annotations

import json
import logging
import subprocess
from pathlib import Path

import pytest
from chat_server import ChatServer, raw, says

pytest.importorskip('tokenizers')

from test_reasoning_openai import GO, KEY, think

from vla_ros.reasoning.chat_connection import endpoint
from vla_ros.reasoning.openai_reasoner import OpenAiMind, OpenAiSettings
from vla_ros.types import Verdict, VlaError


def test_the_key_goes_to_the_server_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv('A_KEY', KEY)
    caplog.set_level(logging.DEBUG)
    told = raw(f'wrong key {KEY}'.encode(), status=401)
    with ChatServer(told) as server, pytest.raises(VlaError) as refused:
        think(server, key_variable='A_KEY')
    mind = OpenAiMind(OpenAiSettings(server.url, 'm', 'A_KEY'), 'json')

    assert server.keys == [f'Bearer {KEY}']
    shown = [str(refused.value), repr(refused.value), caplog.text, *capfd.readouterr()]
    shown += [repr(mind), repr(mind._endpoint), repr(mind._settings), json.dumps(server.asked)]
    assert not any(KEY in text for text in shown)


def test_a_key_that_is_named_and_not_there_is_said_at_the_start() -> None:
    with pytest.raises(VlaError, match="environment variable 'NO_SUCH_KEY', found none"):
        OpenAiMind(OpenAiSettings('http://localhost/v1', 'm', 'NO_SUCH_KEY'), 'json')


@pytest.mark.parametrize(
    ('url', 'key', 'words'),
    [
        ('http://far.example/v1', KEY, 'expected https'),
        ('ftp://localhost/v1', '', 'openai_url'),
        ('localhost:8000', '', 'openai_url'),
        ('http://me:pass@localhost/v1', '', 'openai_url'),
        ('http://localhost:port/v1', '', 'openai_url'),
        ('http://local host/v1', '', 'openai_url'),
        ('https://localhost/v1', 'a\r\nb', 'the key'),
    ],
)
def test_an_address_or_a_key_that_will_not_do_is_refused_without_showing_either(
    url: str, key: str, words: str
) -> None:
    with pytest.raises(VlaError, match=words) as refused:
        endpoint(url, key)
    assert not key or key not in str(refused.value)
    assert 'pass@' not in str(refused.value)


@pytest.fixture(scope='module')
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate of 127.0.0.1 in one file, signed by nobody else."""
    file = tmp_path_factory.mktemp('tls') / 'both.pem'
    words = 'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test'
    try:
        subprocess.run(
            [
                *words.split(),
                '-addext',
                'subjectAltName=IP:127.0.0.1',
                '-keyout',
                file,
                '-out',
                f'{file}.crt',
            ],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip('needs openssl')
    file.write_text(file.read_text() + Path(f'{file}.crt').read_text())
    return file


def test_a_certificate_that_nobody_vouches_for_gets_neither_image_nor_key(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('A_KEY', KEY)
    with ChatServer(says(GO), certificate=certificate) as server:
        with pytest.raises(VlaError, match='the certificate is not valid'):
            think(server, key_variable='A_KEY')
        assert server.asked == []
        decision, _ = think(server, key_variable='A_KEY', ca_file=f'{certificate}.crt')

    assert decision.verdict is Verdict.GO
    assert server.keys == [f'Bearer {KEY}']


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VlaError, match='openai_ca_file'):
        endpoint('https://localhost/v1', '', str(tmp_path / 'none.pem'))
