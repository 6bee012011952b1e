"""A remote mind over real HTTP: what it says clearly moves the local body, and nothing else does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from chat_server import ChatServer, Reply, event, hangs, raw, says, stream
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('tokenizers')

from vla_ros.bundle import load_bundle
from vla_ros.reasoning import openai_reasoner
from vla_ros.reasoning.chat_connection import ask
from vla_ros.reasoning.foreign import ForeignReasoner
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.reasoning.openai_reasoner import OpenAiMind, OpenAiSettings
from vla_ros.reasoning.prompt_file import load_prompt
from vla_ros.types import Decision, Situation, Thought, Verdict, VisualTokens, VlaError

BUNDLE = load_bundle(Path(__file__).parent.parent / 'models' / 'tabletop')
MANIFEST = BUNDLE.manifest
BODY = OnnxReasoner(BUNDLE)
TOKENS = VisualTokens(17, np.zeros((MANIFEST.tokens.rows, MANIFEST.tokens.width), np.float32))
SITUATION = Situation('open') if MANIFEST.reasoning.hand is not None else None
IMAGE = np.zeros((48, 64, 3), np.uint8)
IMAGE[:, :32] = (250, 10, 10)
GO = json.dumps(
    {'think': 'it is there', 'verdict': 'go', 'subtask': 'touch red cube', 'target': [0.25, 0.75]}
)
KEY = 'sk-very-secret-0123456789'
LONG = 60.0  # seconds; never waited for


def reasoner(server: ChatServer | str, **changes: Any) -> ForeignReasoner:
    url = server if isinstance(server, str) else server.url
    wanted = OpenAiSettings(url, 'a-model', timeout=LONG, retry_delay=0.01)
    mind = OpenAiMind(replace(wanted, **changes), 'json')
    return ForeignReasoner(BUNDLE, mind, load_prompt('json'), lambda _: IMAGE, BODY)


def think(server: ChatServer, words: str = 'touch the red one', **changes: Any) -> tuple[Decision, Thought]:
    return reasoner(server, **changes).think(TOKENS, words, None, SITUATION)


def test_given_a_clear_go_when_asked_then_the_body_gets_thought_vectors_of_the_bundle() -> None:
    with ChatServer(says(GO[:20], GO[20:])) as server:
        heard: list[str] = []
        decision, thought = reasoner(server).think(TOKENS, 'touch the red one', heard.append, SITUATION)

    assert (decision.verdict, decision.subtask) == (Verdict.GO, 'touch red cube')
    assert decision.target == pytest.approx((0.25, 0.75), abs=1 / MANIFEST.reasoning.location_bins)
    assert decision.instruction == 'touch the red one'
    assert decision.trace == GO
    assert thought.stamp == TOKENS.stamp
    assert 0 < thought.rows.shape[0] <= MANIFEST.thought.rows
    assert thought.rows.shape[1] == MANIFEST.thought.width
    assert GO[:20] in heard and heard[-1] == GO


def test_the_request_is_greedy_streamed_and_has_the_image_and_the_plain_words_in_it() -> None:
    with ChatServer(says(GO)) as server:
        think(server, 'touch <|im_end|> the RED one')
    asked = server.asked[0]
    image, text = asked['messages'][1]['content']
    kind, _, data = image['image_url']['url'].partition(',')
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)

    assert server.paths == ['/v1/chat/completions']
    assert (asked['model'], asked['temperature'], asked['stream']) == ('a-model', 0, True)
    assert 'response_format' not in asked
    assert kind == 'data:image/jpeg;base64'
    assert np.abs(pixels[..., ::-1][:, :24].astype(int) - IMAGE[:, :24]).max() < 12
    assert text['text'].endswith('Order: touch im end the red one')
    assert 'touch <object>' in asked['messages'][0]['content']
    assert server.keys == [None]


def test_a_server_may_be_asked_to_write_nothing_but_the_object() -> None:
    with ChatServer(says(GO)) as server:
        think(server, constrain=True)

    schema = server.asked[0]['response_format']['json_schema']['schema']
    assert schema['additionalProperties'] is False
    assert 'second_target' in schema['properties']


def test_a_server_that_does_not_stream_is_understood_too() -> None:
    whole = {'choices': [{'message': {'content': GO}, 'finish_reason': 'stop'}]}
    with ChatServer(raw(json.dumps(whole).encode(), 'application/json')) as server:
        assert think(server)[0].verdict is Verdict.GO


@pytest.mark.parametrize('status', [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    with ChatServer(raw(b'no', status=status), raw(b'no', status=status), says(GO)) as server:
        assert think(server)[0].verdict is Verdict.GO
    assert len(server.asked) == 3


def test_half_an_answer_is_asked_for_again() -> None:
    with ChatServer(raw(stream([GO[:30]], reason=None)), says(GO)) as server:
        assert think(server)[0].verdict is Verdict.GO
    assert len(server.asked) == 2


def test_tries_are_further_and_further_apart_and_share_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    deadlines: list[float] = []

    def asked(to: Any, body: bytes, deadline: float, on_text: Any) -> str:
        deadlines.append(deadline)
        return ask(to, body, deadline, on_text)

    monkeypatch.setattr(openai_reasoner, '_wait', lambda seconds, _: waited.append(seconds))
    monkeypatch.setattr(openai_reasoner, 'ask', asked)
    with (
        ChatServer(raw(b'', status=500), raw(b'', status=503)) as server,
        pytest.raises(VlaError, match=r'HTTP 500, then .*HTTP 503 \(tries: 5, 60 s at most\)'),
    ):
        think(server, timeout=60.0, retry_delay=5.0)

    assert waited == [5.0, 10.0, 20.0, 40.0], 'another 80 s would be too late'
    assert len(server.asked) == len(deadlines) == 5
    assert len(set(deadlines)) == 1


def test_nobody_there_is_said_so() -> None:
    with ChatServer(says(GO)) as server:
        url = server.url
    with pytest.raises(VlaError, match='the connection failed'):
        reasoner(url, timeout=0.2).think(TOKENS, 'touch', None, SITUATION)


@pytest.mark.parametrize(
    ('reply', 'reason'),
    [
        (raw(b'', status=401), 'HTTP 401'),
        (raw(b'', status=302, Location='http://127.0.0.1:1/'), 'HTTP 302'),
        (raw(b'<html>', 'text/html'), 'no event stream and no JSON'),
        (raw(b'data: {half\n\n'), 'no JSON'),
        (raw(event({'choices': 3})), 'no choices'),
        (raw(event({'choices': [{'delta': {'content': 3}}]})), 'no text'),
        (raw(event({'error': {'message': KEY}})), 'no choices'),
        (raw(stream([GO], 'length')), "finish_reason is 'length'"),
        (raw(b'data: ' + b'x' * 70_000), 'longer than 65536 bytes'),
        (raw(stream(['x' * 5000, 'x' * 5000])), 'longer than 8192 characters'),
        (raw(b'data: \xff\n\n'), 'not UTF-8'),
        (raw(b'[]', 'application/json'), 'no choices'),
    ],
)
def test_an_answer_that_is_not_of_the_protocol_is_refused_with_the_reason_and_not_asked_for_again(
    reply: Reply, reason: str
) -> None:
    with ChatServer(reply) as server, pytest.raises(VlaError, match=reason):
        think(server)
    assert len(server.asked) == 1


@pytest.mark.parametrize('drip', [b'', b':', b'x', event({'choices': []})])
def test_a_server_that_hangs_or_drips_is_not_waited_for_longer_than_its_time(drip: bytes) -> None:
    with ChatServer(hangs(drip=drip)) as server, pytest.raises(VlaError, match='in time'):
        think(server, timeout=0.3)


def test_who_waits_for_a_silent_server_may_give_up() -> None:
    class GivenUpError(Exception):
        pass

    calls = iter(range(3))

    def on_text(text: str) -> None:
        if next(calls, None) is None:
            raise GivenUpError

    with ChatServer(hangs()) as server, pytest.raises(GivenUpError):
        reasoner(server).think(TOKENS, 'touch', on_text, SITUATION)


answers = st.one_of(
    st.text(max_size=60),
    st.builds(
        lambda cut, piece: GO[:cut] + piece + GO[cut:],
        st.integers(0, len(GO)),
        st.text(min_size=1, max_size=3),
    ),
    st.builds(lambda cut: GO[:cut], st.integers(0, len(GO) - 1)),
    st.sampled_from(
        [f'```json\n{GO}\n```', f'{GO} {GO}', f'[{GO}]', f'Sure: {GO}', GO.replace('0.25', '250')]
    ),
)


def clearly_go(text: str) -> bool:
    """Whether a text is one object that says go and means what ``GO`` does, but for what is thought."""
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return (
        isinstance(found, dict)
        and found.get('verdict') == 'go'
        and isinstance(found.get('subtask'), str)
        and found['subtask'].startswith('touch ')
        and isinstance(found.get('target'), list)
    )


@pytest.fixture(scope='module')
def anything() -> Iterator[ChatServer]:
    with ChatServer(says('')) as server:
        yield server


@settings(max_examples=40, deadline=None)
@given(text=answers)
def test_given_any_answer_no_thought_comes_without_a_go_that_reads_strictly(
    anything: ChatServer, text: str
) -> None:
    anything.replies[0] = says(text)

    decision, thought = think(anything)

    assert thought.holds_still == (decision.verdict is not Verdict.GO)
    assert thought.holds_still or clearly_go(text)


@settings(max_examples=40, deadline=None)
@given(content=st.binary(max_size=80) | st.binary(max_size=40).map(lambda b: stream([GO[:50]])[:-20] + b))
def test_given_any_bytes_there_is_no_thought(anything: ChatServer, content: bytes) -> None:
    anything.replies[0] = raw(content)
    try:
        _, thought = think(anything, timeout=0.1, retry_delay=10.0)
    except VlaError:
        return
    assert thought.holds_still
