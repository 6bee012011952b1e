"""Policies on real servers of both protocols: what is asked, what comes back, and what a bad server cannot do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq  # noqa: F401
from hypothesis import strategies as st
from policy_servers import DeafServer, GrootServer, OpenPiServer, openpi_bytes
from served_policy import (
    HORIZON,
    JOINTS,
    NOISE,
    PICTURES,
    TARGETS,
    THOUGHT,
    policy_file,
    theirs,
    tiny_manifest,
)

from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.policy import KEY, RemotePolicy, open_policy
from vla_ros.types import ActionChunk, Pictures, Thought, VisualTokens, VlaError

TIMEOUT = 20.0  # seconds, for what is to succeed on a busy machine
SHORT = 0.3  # for what is not
WORDS = 'pick red cube'
GOOD = theirs(TARGETS)
CONFIGURATION = {
    'video': {'delta_indices': [0], 'modality_keys': ['video/front']},
    'state': {'delta_indices': [0], 'modality_keys': ['state']},
    'language': {'delta_indices': [0], 'modality_keys': ['prompt']},
    'action': {
        'delta_indices': list(range(HORIZON)),
        'modality_keys': ['actions'],
        'action_configs': [{'rep': 'RELATIVE', 'type': 'NON_EEF', 'format': 'DEFAULT', 'state_key': None}],
    },
}


def said(actions: Any = GOOD) -> bytes:
    """What an openpi server answers."""
    return openpi_bytes({'actions': actions, 'server_timing': {'infer_ms': 1.5}})


@contextmanager
def served(
    folder: Path, address: str, backend: str = 'openpi', timeout: float = TIMEOUT, **changes: Any
) -> Iterator[RemotePolicy]:
    """A policy that has heard the words of the thought."""
    file = policy_file(folder, backend, **changes)
    policy = open_policy(backend, file, tiny_manifest(), address, timeout, {KEY: 'secret'})
    policy.hear_words(THOUGHT.stamp, WORDS)
    policy.warm_up()
    try:
        yield policy
    finally:
        policy.close()


def act(policy: RemotePolicy, thought: Thought = THOUGHT) -> ActionChunk:
    return policy.act(PICTURES, thought, JOINTS, NOISE)


def wait_until(policy: RemotePolicy, connected: bool = True) -> None:
    """The policy's own thread announces nothing outside, so look again and again."""
    pause = threading.Event()
    for _ in range(6000):
        if (policy.problem == '') == connected:
            return
        pause.wait(0.01)
    pytest.fail(f'waited in vain; {policy.problem!r}')


def refusal_of(policy: RemotePolicy) -> str:
    with pytest.raises(ServerError) as refusal:
        act(policy)
    return str(refusal.value)


def test_given_an_openpi_server_when_asked_then_it_gets_pictures_state_and_words_and_its_chunk_is_ours(
    tmp_path: Path,
) -> None:
    with OpenPiServer(lambda _: said()) as server, served(tmp_path, server.address) as policy:
        wait_until(policy)
        chunk = act(policy)

    (asked,) = server.asked
    assert sorted(asked) == ['prompt', 'state', 'video/front']
    assert asked['prompt'] == WORDS
    np.testing.assert_array_equal(asked['video/front'], PICTURES.images[0])
    assert (asked['state'].dtype, asked['state'].shape) == (np.float32, (2,))
    np.testing.assert_allclose(asked['state'], [np.degrees(0.8), 0.6], rtol=1e-6)
    assert server.headers[0]['Authorization'] == 'Api-Key secret'
    assert (chunk.stamp, chunk.dt) == (PICTURES.stamp, 0.05)
    np.testing.assert_allclose(chunk.positions, TARGETS, atol=1e-12)


def test_given_words_of_another_thought_when_asked_then_nobody_is_asked(tmp_path: Path) -> None:
    with OpenPiServer(lambda _: said()) as server, served(tmp_path, server.address) as policy:
        wait_until(policy)
        with pytest.raises(ServerError, match='expected the words of the thought in force'):
            act(policy, Thought(THOUGHT.stamp + 1, THOUGHT.rows))
        policy.hear_words(THOUGHT.stamp, '')
        assert 'expected the words' in refusal_of(policy)
        policy.hear_words(THOUGHT.stamp, WORDS)
        policy.forget_words()
        assert 'expected the words' in refusal_of(policy)
    assert server.asked == []


def test_given_tokens_or_pictures_of_another_size_when_asked_then_nobody_is_asked(tmp_path: Path) -> None:
    with OpenPiServer(lambda _: said()) as server, served(tmp_path, server.address) as policy:
        wait_until(policy)
        for sight in (
            VisualTokens(7, np.zeros((4, 3), np.float32)),
            Pictures(7, (PICTURES.images[0][:-1], PICTURES.images[1])),
        ):
            with pytest.raises(VlaError):
                policy.act(sight, THOUGHT, JOINTS, NOISE)
    assert server.asked == []


LIES = {
    'nan': said(np.full_like(GOOD, np.nan)),
    'another horizon': said(GOOD[:-1]),
    'another width': said(GOOD[:, :1]),
    'no actions': openpi_bytes({'reward': 1.0}),
    'a list': openpi_bytes([1, 2]),
    'garbage': b'\xc1 this is not msgpack',
    'half an answer': said()[:-9],
    'a text': 'Traceback (most recent call last):\nValueError: no such key',
    'objects': openpi_bytes(
        {
            'actions': {
                b'__ndarray__': True,
                b'data': b'12345678',
                b'dtype': '|O',
                b'shape': [1],
            }
        }
    ),
    'a shape beyond its bytes': openpi_bytes(
        {'actions': {b'__ndarray__': True, b'data': b'12345678', b'dtype': '<f8', b'shape': [2**40]}}
    ),
    'nested too deeply': b'\x91' * 100_000 + b'\x00',
}


@pytest.mark.parametrize('lie', LIES)
def test_given_an_openpi_server_that_lies_when_asked_then_the_chunk_is_refused_and_the_truth_is_taken_again(
    tmp_path: Path, lie: str
) -> None:
    with OpenPiServer(lambda _: LIES[lie]) as server, served(tmp_path, server.address) as policy:
        wait_until(policy)
        sentence = refusal_of(policy)
        assert '\n' not in sentence
        assert len(sentence) < 500

        server.answer = lambda _: said()
        wait_until(policy)
        np.testing.assert_allclose(act(policy).positions, TARGETS, atol=1e-12)


def test_given_a_server_that_hangs_when_asked_then_the_question_ends_in_time_and_its_answer_is_never_taken(
    tmp_path: Path,
) -> None:
    late = threading.Event()

    def answer(_: Any) -> Any:
        late.wait(60)
        return said(GOOD + 1.0)

    with (
        OpenPiServer(answer) as server,
        served(tmp_path, server.address, timeout=SHORT) as policy,
    ):
        wait_until(policy)
        assert 'no answer within 0.3 s' in refusal_of(policy)
        assert 'connecting again' in refusal_of(policy)  # at once: nobody waits a second time

        server.answer = lambda _: said()
        late.set()
        wait_until(policy)
        assert server.connections > 1
        np.testing.assert_allclose(_until_answered(policy).positions, TARGETS, atol=1e-12)


def _until_answered(policy: RemotePolicy) -> ActionChunk:
    """A short time limit may pass on a busy machine; what comes in the end is looked at."""
    for _ in range(50):
        wait_until(policy)
        try:
            return act(policy)
        except ServerError:
            continue
    raise AssertionError(policy.problem)


def test_given_a_server_that_does_not_read_when_asked_then_sending_ends_in_time(tmp_path: Path) -> None:
    """A picture larger than the buffers of the sockets stays in them."""
    manifest = tiny_manifest()
    large = manifest.model_copy(
        update={
            'cameras': tuple(
                camera.model_copy(update={'width': 4000, 'height': 2000}) for camera in manifest.cameras
            )
        }
    )
    images = tuple(np.zeros((2000, 4000, 3), np.uint8) for _ in manifest.cameras)
    with DeafServer() as server:
        policy = open_policy('openpi', policy_file(tmp_path), large, server.address, 2 * SHORT)
        policy.hear_words(THOUGHT.stamp, WORDS)
        policy.warm_up()
        try:
            wait_until(policy)
            with pytest.raises(ServerError, match='no answer within'):
                policy.act(Pictures(7, images), THOUGHT, JOINTS, NOISE)
            wait_until(policy)
        finally:
            policy.close()


def test_given_no_server_when_it_comes_goes_and_comes_back_then_the_policy_follows(tmp_path: Path) -> None:
    with OpenPiServer(lambda _: said()) as server:
        port = server.port
    with served(tmp_path, f'ws://127.0.0.1:{port}') as policy:
        assert refusal_of(policy)
        for _ in range(2):
            with OpenPiServer(lambda _: said(), port=port):
                wait_until(policy)
                np.testing.assert_allclose(act(policy).positions, TARGETS, atol=1e-12)
            assert refusal_of(policy)


@pytest.mark.parametrize('metadata', [{}, {'robot': 'other'}, {'robot': ['so101']}, [1]])
def test_given_a_server_of_something_else_when_connected_then_it_is_refused_until_it_is_the_right_one(
    tmp_path: Path, metadata: Any
) -> None:
    with (
        OpenPiServer(lambda _: said(), metadata) as server,
        served(tmp_path, server.address, metadata={'robot': 'so101', 'reset_pose': [0.0, 1.0]}) as policy,
    ):
        pause = threading.Event()
        while 'expected' not in policy.problem:
            pause.wait(0.01)
        assert 'expected' in refusal_of(policy)
        assert server.asked == []

        server.metadata = {'robot': 'so101', 'reset_pose': np.array([0.0, 1.0]), 'more': 1}
        wait_until(policy)
        act(policy)


def test_given_a_wrong_token_when_connected_then_the_server_says_so(tmp_path: Path) -> None:
    with (
        GrootServer(lambda _: None, CONFIGURATION, token='other') as server,
        served(tmp_path, server.address, 'groot') as policy,
    ):
        pause = threading.Event()
        while 'not connected' in policy.problem:
            pause.wait(0.01)
        assert 'Unauthorized' in refusal_of(policy)


@pytest.mark.parametrize(
    ('backend', 'address', 'says'),
    [
        ('groot', 'tcp://127.0.0.1:1', 'expected backend groot, found openpi'),
        ('openpi', 'http://127.0.0.1:1', 'expected an address with ws:// or wss://'),
        ('openpi', '', "found ''"),
    ],
)
def test_given_settings_that_do_not_fit_when_opened_then_it_is_refused(
    tmp_path: Path, backend: str, address: str, says: str
) -> None:
    with pytest.raises(VlaError, match=says):
        open_policy(backend, policy_file(tmp_path), tiny_manifest(), address, 1.0)


arrays = st.builds(
    lambda dtype, shape: np.arange(np.prod(shape), dtype=np.float64).reshape(shape).astype(dtype),
    st.sampled_from(['<f4', '<f8', '|u1', '<i8', '>f4']),
    st.lists(st.integers(0, 4), max_size=4),
)
