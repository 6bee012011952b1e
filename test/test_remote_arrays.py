"""Arrays as policy servers pack them: they come back as they were, and nothing else is believed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq  # noqa: F401
from hypothesis import given
from hypothesis import strategies as st
from policy_servers import OpenPiServer, npy, numpys
from served_policy import (
    PICTURES,
    TARGETS,
)
from test_remote_policy import GOOD, WORDS, act, arrays, said, served, wait_until

from vla_ros.action.remote.arrays import pack, unpack
from vla_ros.action.remote.errors import ServerError


@given(arrays, st.sampled_from(['openpi', 'npy', 'numpy']))
def test_arrays_come_back_as_they_were(array: np.ndarray, dialect: Any) -> None:
    found = unpack(pack({'x': [array]}, dialect), dialect)['x'][0]

    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


def test_arrays_by_columns_come_back_as_they_were() -> None:
    array = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(unpack(pack(array, 'npy'), 'npy'), array)


@given(st.binary(max_size=60), st.sampled_from(['openpi', 'npy', 'numpy']))
def test_given_any_bytes_when_read_then_they_are_a_value_or_refused(data: bytes, dialect: Any) -> None:
    forged = [
        data,
        msgpack.packb({'as_npy': data, '__ndarray_class__': True}),
        msgpack.packb({b'__ndarray__': True, b'data': data, b'dtype': data, b'shape': data}),
        msgpack.packb({b'nd': True, b'type': data, b'shape': list(data), b'data': data}),
        msgpack.packb(npy(np.zeros(2)), default=str)[: len(data)],
        msgpack.packb(numpys(np.zeros(2)), default=str)[: len(data)],
    ]
    for message in forged:
        try:
            unpack(message, dialect)
        except ServerError as refusal:
            assert len(str(refusal)) < 500


def test_given_a_header_that_promises_a_terabyte_when_read_then_no_room_is_made_for_it() -> None:
    file = io.BytesIO()
    header = {'descr': '<f8', 'fortran_order': False, 'shape': (10**12,)}
    np.lib.format.write_array_header_1_0(file, header)
    lying = file.getvalue() + bytes(16)
    with pytest.raises(ServerError, match='found 16 bytes'):
        unpack(msgpack.packb({'__ndarray_class__': True, 'as_npy': lying}), 'npy')


def test_the_official_client_of_openpi_packs_and_reads_the_same(tmp_path: Path) -> None:
    official = pytest.importorskip('openpi_client.msgpack_numpy')
    question = {'image': PICTURES.images[0], 'state': np.arange(3, dtype=np.float32), 'prompt': WORDS}

    assert pack(question, 'openpi') == official.packb(question)
    answer = unpack(official.packb({'actions': GOOD, 'infer_ms': np.float64(2.5)}), 'openpi')
    np.testing.assert_array_equal(answer['actions'], GOOD)
    assert answer['infer_ms'] == 2.5


def test_the_official_client_of_openpi_and_ours_get_the_same_of_one_server(tmp_path: Path) -> None:
    official = pytest.importorskip('openpi_client.websocket_client_policy')
    with (
        OpenPiServer(lambda _: said(), {'robot': 'so101'}) as server,
        served(tmp_path, server.address) as ours,
    ):
        wait_until(ours)
        chunk = act(ours)
        theirs_too = official.WebsocketClientPolicy('127.0.0.1', server.port)
        assert theirs_too.get_server_metadata() == {'robot': 'so101'}
        answer = theirs_too.infer(server.asked[0])
        np.testing.assert_array_equal(answer['actions'], GOOD)
        np.testing.assert_allclose(chunk.positions, TARGETS, atol=1e-12)
        for key, value in server.asked[0].items():
            np.testing.assert_array_equal(server.asked[1][key], value)
