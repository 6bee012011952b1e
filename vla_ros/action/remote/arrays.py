"""Arrays in msgpack, in the three ways that policy servers write them. Read strictly: numbers, of the size they say.

``openpi``: ``{b'__ndarray__': True, b'data', b'dtype', b'shape'}`` (openpi-client, msgpack_numpy.py).
``npy``: ``{'__ndarray_class__': True, 'as_npy': <.npy file>}`` (GR00T N1.6 and the first N1.7, server_client.py).
``numpy``: ``{b'nd': True, b'type', b'kind', b'shape', b'data'}`` (package msgpack-numpy; GR00T N1.7 since).
No way leads to pickle.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from vla_ros.action.remote.errors import ServerError

Dialect = Literal['openpi', 'npy', 'numpy']
Array = npt.NDArray[Any]
LARGEST_MESSAGE = 2**24  # bytes of an answer; a chunk of 1000 x 200 doubles has a tenth of that
SHOWN = 200  # characters of what went wrong


def pack(value: Any, dialect: Dialect) -> bytes:
    """A message whose arrays are numpy's."""
    import msgpack  # one of the extra packages: nobody needs it who asks no server

    packed: bytes = msgpack.packb(value, default=_PACKERS[dialect])
    return packed


def unpack(data: bytes, dialect: Dialect) -> Any:
    """What a message says.

    Raises:
        ServerError: it is too large, not msgpack, or has arrays that are not what they say.
    """
    import msgpack

    if len(data) > LARGEST_MESSAGE:
        raise ServerError(f'message: expected at most {LARGEST_MESSAGE} bytes, found {len(data)}')
    try:
        return msgpack.unpackb(data, object_hook=_UNPACKERS[dialect], raw=False, strict_map_key=False)
    except ServerError:
        raise
    except (
        Exception
    ) as error:  # msgpack raises its own errors, ValueError, RecursionError and others on garbage
        raise ServerError(f'message: expected msgpack, found {error!r:.{SHOWN}}') from error


def _array(dtype: Any, shape: Any, data: Any) -> Array:
    """An array of numbers from its parts."""
    try:
        kind = np.dtype(dtype.decode() if isinstance(dtype, bytes) else dtype)
        sides = tuple(int(side) for side in shape)
    except (TypeError, ValueError, SyntaxError, UnicodeDecodeError) as error:
        raise ServerError(f'array: expected a type and a shape, found {error!r:.{SHOWN}}') from error
    if kind.kind not in 'fiub' or kind.names is not None or kind.subdtype is not None:
        raise ServerError(f'array: expected numbers, found {kind!s:.{SHOWN}}')
    if any(side < 0 for side in sides) or not isinstance(data, bytes):
        raise ServerError(f'array: expected bytes of a shape, found {type(data).__name__} of {sides}')
    if math.prod(sides) * kind.itemsize != len(data):
        raise ServerError(f'array: expected {sides} of {kind}, found {len(data)} bytes')
    return np.frombuffer(data, kind).reshape(sides)


def _pack_openpi(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {
            b'__ndarray__': True,
            b'data': value.tobytes(),
            b'dtype': value.dtype.str,
            b'shape': value.shape,
        }
    raise TypeError(f'expected an array, found {type(value).__name__}')


def _unpack_openpi(found: Mapping[Any, Any]) -> Any:
    if b'__ndarray__' in found:
        return _array(found.get(b'dtype'), found.get(b'shape'), found.get(b'data'))
    if b'__npgeneric__' in found:
        return found.get(b'data')
    return found


def _pack_npy(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        file = io.BytesIO()
        np.save(file, value, allow_pickle=False)
        return {'__ndarray_class__': True, 'as_npy': file.getvalue()}
    raise TypeError(f'expected an array, found {type(value).__name__}')


def _unpack_npy(found: Mapping[Any, Any]) -> Any:
    if '__ndarray_class__' not in found:
        return found
    file = io.BytesIO(found.get('as_npy', b''))
    version = np.lib.format.read_magic(file)
    if version != (1, 0):
        raise ServerError(f'array: expected .npy of version 1.0, found {version}')
    # Its own reader would make room for whatever shape the header names.
    shape, by_columns, kind = np.lib.format.read_array_header_1_0(file)
    if by_columns and len(shape) > 1:
        return _array(kind, shape[::-1], file.read()).T
    return _array(kind, shape, file.read())


def _pack_numpy(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {
            b'nd': True,
            b'type': value.dtype.str,
            b'kind': b'',
            b'shape': value.shape,
            b'data': value.tobytes(),
        }
    raise TypeError(f'expected an array, found {type(value).__name__}')


def _unpack_numpy(found: Mapping[Any, Any]) -> Any:
    said = found.get(b'nd', found.get('nd'))
    if said is None:
        return found

    def part(name: str) -> Any:
        return found.get(name.encode(), found.get(name))

    return _array(part('type'), part('shape') if said else (), part('data'))


_PACKERS: Mapping[Dialect, Callable[[Any], Any]] = {
    'openpi': _pack_openpi,
    'npy': _pack_npy,
    'numpy': _pack_numpy,
}
_UNPACKERS: Mapping[Dialect, Callable[[Mapping[Any, Any]], Any]] = {
    'openpi': _unpack_openpi,
    'npy': _unpack_npy,
    'numpy': _unpack_numpy,
}
