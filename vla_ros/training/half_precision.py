"""Products and attention in float16, everything else in float32: for GPUs, which have units for just that.

Norms, sums with what went before, flow time and the action itself stay in float32, and a Cast stands where one meets
the other. So does softmax: where attention is one operator, ONNX Runtime has it in float32 inside. What goes into a
graph and comes out stays float32, so the robot's code is the same. But the language model's cache, which never leaves
its device, is float16: half the memory, and the type that ONNX Runtime's attention with a cache wants on CUDA.

On a CPU without such units ONNX Runtime casts weights and numbers back: the same results, slower than in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from vla_ros.training.graph_products import products, without_unused_weights

COMPUTING: dict[str, Sequence[int]] = {
    'MatMul': (0, 1),
    'Gemm': (0, 1, 2),
    'MultiHeadAttention': (0, 1, 2, 3, 5),
    'GroupQueryAttention': (0, 1, 2, 3, 4, 7, 8),
}
"""Always in float16: the inputs that are of the type in which they compute."""
CACHE_INPUTS, CACHE_OUTPUTS = (3, 4), (1, 2)
"""Of GroupQueryAttention: keys and values before and after."""
POINTWISE = frozenset({'Add', 'Mul', 'Tanh', 'Gelu', 'FastGelu', 'QuickGelu'})
MOVING = frozenset({'Split', 'Squeeze', 'Unsqueeze', 'Reshape', 'Transpose'})
"""In float16 between two that compute in it; where something else meets them, in float32."""


def with_half_products(model: ModelProto) -> None:
    """Rewrite the graph in place. Products to and from joints stay as they are, see ``products``."""
    _HalfGraph(model).rewrite()
    without_unused_weights(model)


class _HalfGraph:
    def __init__(self, model: ModelProto) -> None:
        self._graph = model.graph
        self._weights: dict[str, Any] = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == 'Constant':
                self._weights[node.output[0]] = helper.get_node_attr_value(node, 'value')
        self._products = {product.node.output[0] for product in products(model)}
        self._halves: dict[str, str] = {}  # names of the float16 values, by those of the float32 ones
        self._made: set[str] = set()  # what was made in float16,
        self._restored: set[str] = set()  # and cast to float32 as well
        self._nodes: list[NodeProto] = []

    def rewrite(self) -> None:
        for node in self._graph.node:
            kept = self._keep_cache(node) if node.op_type == 'GroupQueryAttention' else set()
            inputs = self._in_half(node)
            for i, name in enumerate(node.input):
                if i in inputs:
                    node.input[i] = self._half(name)
                elif name in self._made:
                    self._restore(name)
            if inputs:
                for i, name in enumerate(node.output):
                    if name and name not in kept:
                        self._made.add(name)
                        node.output[i] = self._halves[name] = f'{name}_half'
            self._nodes.append(node)
        for value in self._graph.output:
            if value.name in self._made:
                self._restore(value.name)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)

    def _in_half(self, node: NodeProto) -> Sequence[int]:
        """Which inputs the node reads in float16; none if it computes in float32."""
        if node.op_type in COMPUTING:
            by_weights = len(node.input) > 1 and node.input[1] in self._weights
            if by_weights and node.output[0] not in self._products:
                return ()
            return [i for i in COMPUTING[node.op_type] if i < len(node.input) and node.input[i]]
        if node.op_type in MOVING:
            return (0,) if node.input[0] in self._made else ()
        others = [name for name in node.input if name not in self._weights]
        half = bool(others) and all(name in self._made for name in others)
        return range(len(node.input)) if node.op_type in POINTWISE and half else ()

    def _half(self, name: str) -> str:
        """The float16 value that stands for this one."""
        if name not in self._halves:
            half = self._halves[name] = f'{name}_half'
            if name in self._weights:
                with np.errstate(
                    over='ignore'
                ):  # what is too large is infinite, and found when it is compared
                    array = numpy_helper.to_array(self._weights[name]).astype(np.float16)
                self._graph.initializer.append(numpy_helper.from_array(array, half))
            else:
                self._nodes.append(helper.make_node('Cast', [name], [half], to=TensorProto.FLOAT16))
        return self._halves[name]

    def _restore(self, name: str) -> None:
        """See that there is a float32 value of this name."""
        if name not in self._restored:
            self._restored.add(name)
            self._nodes.append(helper.make_node('Cast', [self._halves[name]], [name], to=TensorProto.FLOAT))

    def _keep_cache(self, node: NodeProto) -> set[str]:
        """The cache of a layer as float16 outside of the graph, too; the names of what comes out."""
        before, after = (
            [names[i] for i in places]
            for names, places in ((node.input, CACHE_INPUTS), (node.output, CACHE_OUTPUTS))
        )
        for value in (*self._graph.input, *self._graph.output):
            if value.name in (*before, *after):
                value.type.tensor_type.elem_type = TensorProto.FLOAT16
        self._halves.update({name: name for name in before})
        return set(after)
