"""A GR00T server: what it says of its checkpoint must be what is declared, and lies move nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zmq  # noqa: F401
from policy_servers import GROOT, HANG, GrootServer
from served_policy import PICTURES, TARGETS
from test_remote_policy import CONFIGURATION, GOOD, SHORT, WORDS, act, refusal_of, served, wait_until


@pytest.mark.parametrize('version', GROOT)
def test_given_a_groot_server_when_asked_then_it_gets_a_batch_of_one_and_its_chunk_is_ours(
    tmp_path: Path, version: str
) -> None:
    def answer(_: Any) -> Any:
        return [{'actions': GOOD[None].astype(np.float32)}, {}]

    with (
        GrootServer(answer, CONFIGURATION, version, token='secret') as server,
        served(tmp_path, server.address, 'groot') as policy,
    ):
        wait_until(policy)
        chunk = act(policy)

    (asked,) = server.asked
    np.testing.assert_array_equal(asked['video']['video/front'], PICTURES.images[0][None, None])
    assert (asked['state']['state'].dtype, asked['state']['state'].shape) == (np.float32, (1, 1, 2))
    assert asked['language'] == {'prompt': [[WORDS]]}
    np.testing.assert_allclose(chunk.positions, TARGETS, atol=1e-5)


def changed(modality: str, **changes: Any) -> Any:
    return {**CONFIGURATION, modality: {**CONFIGURATION[modality], **changes}}


def config(**changes: Any) -> Any:
    one = {**CONFIGURATION['action']['action_configs'][0], **changes}
    return changed('action', action_configs=[one])


@pytest.mark.parametrize(
    ('configuration', 'says'),
    [
        (changed('video', modality_keys=['ego']), "video: expected ['video/front']"),
        (changed('video', delta_indices=[-15, 0]), 'video: expected the present alone, [0]'),
        (changed('state', modality_keys=['state', 'hand']), "state: expected ['state']"),
        (changed('language', modality_keys=['task']), "language: expected 'prompt'"),
        (changed('action', delta_indices=list(range(16))), 'action: expected 8 steps from 0'),
        (changed('action', action_configs=[]), 'expected one action_config a key'),
        (config(type='EEF'), "expected joints (NON_EEF), found 'EEF'"),
        (config(rep='DELTA'), "declares ['absolute'], but the server gives 'delta'"),
        ({'video': CONFIGURATION['video']}, 'expected video, state, action, language'),
    ],
)
def test_given_a_groot_server_of_another_checkpoint_when_connected_then_one_sentence_says_what_differs(
    tmp_path: Path, configuration: Any, says: str
) -> None:
    with (
        GrootServer(lambda _: [{}, {}], configuration) as server,
        served(tmp_path, server.address, 'groot') as policy,
    ):
        pause = threading.Event()
        while 'not connected' in policy.problem:
            pause.wait(0.01)
        assert says in refusal_of(policy)
    assert server.asked == []


GROOT_LIES = {
    'nan': [{'actions': np.full((1, *GOOD.shape), np.nan)}, {}],
    'no batch': [{'actions': GOOD}, {}],
    'two of a batch': [{'actions': np.stack([GOOD, GOOD])}, {}],
    'another horizon': [{'actions': GOOD[None, :-1]}, {}],
    'no info': [{'actions': GOOD[None]}],
    'an error': {'error': 'CUDA out of memory'},
    'the old error': b'ERROR',
    'garbage': b'\xc1',
    'objects': [{'actions': {b'nd': True, b'type': '|O', b'kind': b'O', b'shape': [1], b'data': b'x'}}, {}],
}


@pytest.mark.parametrize('lie', GROOT_LIES)
def test_given_a_groot_server_that_lies_when_asked_then_the_chunk_is_refused_and_the_truth_is_taken_again(
    tmp_path: Path, lie: str
) -> None:
    with (
        GrootServer(lambda _: GROOT_LIES[lie], CONFIGURATION) as server,
        served(tmp_path, server.address, 'groot') as policy,
    ):
        wait_until(policy)
        assert '\n' not in refusal_of(policy)

        server.answer = lambda _: [{'actions': GOOD[None]}, {}]
        wait_until(policy)
        np.testing.assert_allclose(act(policy).positions, TARGETS, atol=1e-12)


def test_given_a_groot_server_that_hangs_when_asked_then_the_question_ends_in_time(tmp_path: Path) -> None:
    with (
        GrootServer(lambda _: HANG, CONFIGURATION) as server,
        served(tmp_path, server.address, 'groot', timeout=SHORT) as policy,
    ):
        wait_until(policy)
        assert 'no answer within 0.3 s' in refusal_of(policy)
        assert refusal_of(policy)
