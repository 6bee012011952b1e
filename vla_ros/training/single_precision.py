"""ONNX graphs in bfloat16 to the same graphs in single precision: ONNX Runtime has few kernels for the former on a CPU.

Every number in bfloat16 is one in single precision, so no weight changes; what is between is rounded less.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

HALF, SINGLE = TensorProto.BFLOAT16, TensorProto.FLOAT
NAMES_A_TYPE = ('to', 'dtype', 'output_dtype')
LARGEST_ALONE = 2**30  # bytes, if all numbers had eight; protobuf ends at twice as many


def to_single_precision(model: onnx.ModelProto) -> None:
    """Change a model, with all its weights loaded, in place."""
    graphs = list(_graphs(model.graph))
    for graph in graphs:
        for tensor in graph.initializer:
            _widen(tensor)
        for value in (*graph.input, *graph.output, *graph.value_info):
            if value.type.tensor_type.elem_type == HALF:
                value.type.tensor_type.elem_type = SINGLE
    inside = [node for function in model.functions for node in function.node]
    for node in (*inside, *(node for graph in graphs for node in graph.node)):
        for attribute in node.attribute:
            if attribute.name in NAMES_A_TYPE and attribute.i == HALF:
                attribute.i = SINGLE
            if attribute.type == onnx.AttributeProto.TENSOR:
                _widen(attribute.t)
            for tensor in attribute.tensors:
                _widen(tensor)


def save(model: onnx.ModelProto, path: Path) -> Path | None:
    """Write a model; where its weights are when they do not fit into its file, beside it, or None."""
    if sum(8 * math.prod(tensor.dims) for tensor in model.graph.initializer) <= LARGEST_ALONE:
        onnx.save_model(model, path)
        return None
    weights = path.with_name(f'{path.name}.data')
    onnx.save_model(model, path, save_as_external_data=True, location=weights.name)
    return (
        weights if weights.is_file() else None
    )  # what is small stays in the graph: shapes are read from there alone


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """The graph and all that its nodes have inside."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField('g') else []), *attribute.graphs):
                yield from _graphs(inner)


def _widen(tensor: TensorProto) -> None:
    if tensor.data_type == HALF:
        numbers = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(numbers, tensor.name))
