"""The matrix products of an ONNX graph that have weights: what a lower precision is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import ModelProto, helper, numpy_helper

from vla_ros.types import FloatArray

SHORTEST = 16
"""A product with a shorter side goes to or from joints. It costs nothing, and the action is what all is about."""


@dataclass(frozen=True)
class Product:
    """x W' + bias, by a node MatMul or Gemm.

    ``weight`` is (outputs, inputs), and ``name`` tells it from others: nodes that share it have the same.
    """

    node: Any
    name: str
    weight: FloatArray
    bias: str | None


def products(model: ModelProto) -> Iterator[Product]:
    """All products by constant weights, in order, but those with a side shorter than SHORTEST."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in ('MatMul', 'Gemm') or node.input[1] not in weights:
            continue
        matrix = numpy_helper.to_array(weights[node.input[1]])
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        turned = bool(attributes.get('transB', 0))
        plain = {k: v for k, v in attributes.items() if k != 'transB' and v != (0 if k == 'transA' else 1)}
        if matrix.ndim != 2 or matrix.dtype != np.float32 or min(matrix.shape) < SHORTEST or plain:
            continue
        bias = node.input[2] if len(node.input) > 2 else None
        name = f'{node.input[1]}_{"rows" if turned else "columns"}'
        yield Product(node, name, matrix if turned else matrix.T, bias)


def without_unused_weights(model: ModelProto) -> None:
    """Leave out the weights that no node reads any more."""
    read = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
