"""What an ONNX file leads to besides itself: nothing, or it is refused before ONNX Runtime reads it.

A tensor may say that its numbers stand in another file, and a node may say that its machine code does. No checksum of
a bundle covers those files, and their paths may lead anywhere. So the file is walked through as the protobuf that it
is; weights are stepped over, not read. A model of more than 2 GiB must have its weights in a file beside it: that one
file may be allowed, by whoever has checked it.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from vla_ros.types import VlaError

Span = tuple[int, int]

# Numbers of the fields that lead to tensors and nodes, by message of the ONNX format.
INSIDE: dict[str, dict[int, str]] = {
    'ModelProto': {7: 'GraphProto', 20: 'TrainingInfoProto', 25: 'FunctionProto'},
    'TrainingInfoProto': {1: 'GraphProto', 2: 'GraphProto'},
    'FunctionProto': {7: 'NodeProto', 11: 'AttributeProto'},
    'GraphProto': {1: 'NodeProto', 5: 'TensorProto', 15: 'SparseTensorProto'},
    'NodeProto': {5: 'AttributeProto'},
    'AttributeProto': {
        5: 'TensorProto',
        6: 'GraphProto',
        10: 'TensorProto',
        11: 'GraphProto',
        22: 'SparseTensorProto',
        23: 'SparseTensorProto',
    },
    'SparseTensorProto': {1: 'TensorProto', 2: 'TensorProto'},
    'TensorProto': {},
}
OP_TYPE, EXTERNAL_DATA, DATA_LOCATION = 4, 13, 14
KEY, VALUE = 1, 2  # of an entry of EXTERNAL_DATA
COMPILED = b'EPContext'
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def require_whole(path: Path, beside: str | None = None) -> None:
    """Raise VlaError if an ONNX file names other files than ``beside`` in its own folder, or is no protobuf."""
    try:
        with path.open('rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            problem = _problem(data, beside)
    except (OSError, ValueError, IndexError) as error:  # empty, or not what its own lengths say
        raise VlaError(f'{path} could not be opened: expected an ONNX model, found something else') from error
    if problem is not None:
        raise VlaError(f'{path}: {problem}')


def _problem(data: mmap.mmap, beside: str | None) -> str | None:
    waiting: list[tuple[str, Span]] = [('ModelProto', (0, len(data)))]
    while waiting:
        message, span = waiting.pop()
        for field, content in _fields(data, span):
            if message == 'TensorProto' and field in (EXTERNAL_DATA, DATA_LOCATION) and content != 0:
                elsewhere = _elsewhere(data, field, content, beside)
                if elsewhere is not None:
                    return elsewhere
            if isinstance(content, int):
                continue
            if message == 'NodeProto' and field == OP_TYPE and data[slice(*content)] == COMPILED:
                return 'expected a model to compile, found a node with compiled code'
            inside = INSIDE[message].get(field)
            if inside is not None:
                waiting.append((inside, content))
    return None


def _elsewhere(data: mmap.mmap, field: int, content: int | Span, beside: str | None) -> str | None:
    """What is wrong with a tensor that is kept outside of the file."""
    if beside is None:
        return 'expected all weights in the file itself, found a tensor that is kept outside'
    if field == DATA_LOCATION:
        return None  # where, is said by an entry of EXTERNAL_DATA; ONNX Runtime takes none without
    named = b'' if isinstance(content, int) else _location(data, content)
    if named in (None, beside.encode()):
        return None
    return f'expected weights in {beside} alone, found a tensor that is kept elsewhere'


def _location(data: mmap.mmap, span: Span) -> bytes | None:
    """The file that an entry of EXTERNAL_DATA names; None if the entry is about something else."""
    found = [(field, data[slice(*part)]) for field, part in _fields(data, span) if not isinstance(part, int)]
    if (KEY, b'location') not in found:
        return None
    values = {value for field, value in found if field == VALUE}
    return values.pop() if len(values) == 1 else b''


def _fields(data: mmap.mmap, span: Span) -> Iterator[tuple[int, int | Span]]:
    """Number and content of each field: a number, or where its bytes are."""
    place, end = span
    while place < end:
        tag, place = _varint(data, place)
        field, kind = tag >> 3, tag & 7
        content: int | Span = 0
        if kind == VARINT:
            content, place = _varint(data, place)
        elif kind == LENGTH:
            length, place = _varint(data, place)
            content = place, place + length
            place += length
        elif kind in (FIXED32, FIXED64):
            place += 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f'wire type {kind}')
        if place > end:
            raise ValueError('a field is longer than its message')
        yield field, content


def _varint(data: mmap.mmap, place: int) -> tuple[int, int]:
    """A number of at most 64 bits, and the place behind it."""
    number = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & (2**64 - 1), place
    raise ValueError('a number of more than 64 bits')
