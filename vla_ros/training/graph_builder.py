"""ONNX graphs written node by node, where what PyTorch exports would not be what the robot should run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper, save_model
from torch import Tensor

OPSET, MICROSOFT_OPSET, IR_VERSION = 20, 1, 10
MICROSOFT = 'com.microsoft'
"""Operators of ONNX Runtime's own: docs/ContribOperators.md there."""
KINDS = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.bool_): TensorProto.BOOL,
}

Shape = Sequence[int | str]


class GraphBuilder:
    """Nodes in the order in which they are written. Values are known by their names."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._count = 0

    def constant(self, value: Tensor | npt.ArrayLike) -> str:
        """A weight; the same numbers twice are kept once."""
        array = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
        key = (array.dtype.str, array.shape, sha256(array.tobytes()).digest())
        if key not in self._constants:
            self._constants[key] = self._name('constant')
            self._weights.append(
                numpy_helper.from_array(
                    np.ascontiguousarray(array).reshape(array.shape), self._constants[key]
                )
            )
        return self._constants[key]

    def op(self, kind: str, *inputs: str, domain: str = '', **attributes: Any) -> str:
        """One node with one output, whose name is returned; '' is an input that is left out."""
        return self.ops(kind, 1, *inputs, domain=domain, **attributes)[0]

    def ops(self, kind: str, outputs: int, *inputs: str, domain: str = '', **attributes: Any) -> list[str]:
        """One node with several outputs."""
        names = [self._name(kind) for _ in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), names, domain=domain, **attributes))
        return names

    def named(self, value: str, name: str) -> None:
        """Give a value the name of an output of the graph."""
        self._nodes.append(helper.make_node('Identity', [value], [name]))

    def node(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], domain: str, **what: Any
    ) -> None:
        """One node whose outputs have names of their own; '' is an output that nobody wants."""
        self._nodes.append(helper.make_node(kind, list(inputs), list(outputs), domain=domain, **what))

    def linear(self, x: str, layer: Any) -> str:
        """x W' + b of a ``torch.nn.Linear``."""
        product = self.op('MatMul', x, self.constant(layer.weight.detach().T))
        return product if layer.bias is None else self.op('Add', product, self.constant(layer.bias))

    def save(
        self,
        path: Path,
        inputs: Mapping[str, tuple[type[np.generic], Shape]],
        outputs: Mapping[str, tuple[type[np.generic], Shape]],
    ) -> None:
        """Write the graph with these inputs and outputs; a size that is a word may be any."""

        def described(values: Mapping[str, tuple[type[np.generic], Shape]]) -> list[Any]:
            return [
                helper.make_tensor_value_info(name, KINDS[np.dtype(kind)], list(shape))
                for name, (kind, shape) in values.items()
            ]

        graph = helper.make_graph(
            self._nodes, path.stem, described(inputs), described(outputs), self._weights
        )
        opsets = [helper.make_opsetid('', OPSET), helper.make_opsetid(MICROSOFT, MICROSOFT_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name='vla_ros')
        path.parent.mkdir(parents=True, exist_ok=True)
        save_model(model, str(path))

    def _name(self, kind: str) -> str:
        self._count += 1
        return f'{kind}_{self._count}'
