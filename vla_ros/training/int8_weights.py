"""Weights of eight bits: a quarter of the memory to read, which is what one token after another waits for.

Products become ``com.microsoft.MatMulNBits``. Each row of a weight is cut into blocks, and each block has a scale of
its own; so has each block of each row that is multiplied by it, found when it runs. No row depends on those beside it:
a token has the same thought to the bit whatever is read in the same pass, as speculation needs. One scale for all rows,
as dynamic quantisation has it (DynamicQuantizeLinear), would break that.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, helper, numpy_helper

from vla_ros.training.graph_builder import MICROSOFT, MICROSOFT_OPSET
from vla_ros.training.graph_products import products, without_unused_weights
from vla_ros.types import FloatArray

BLOCK = 64
"""Inputs with one scale. With 128, ONNX Runtime's kernel for AVX-512 adds up the last of an odd number of rows in
another order than the others; with fewer there are more scales to multiply by."""
LARGEST, ZERO = 127, 128  # of the numbers with sign, and where their zero is stored
EIGHT_BIT_PRODUCTS = 4  # the operator's accuracy_level; without it, weights are unpacked in each call


def quantise(weight: FloatArray) -> tuple[npt.NDArray[np.uint8], FloatArray]:
    """(outputs, inputs) to numbers (outputs, blocks, BLOCK) and scales (outputs, blocks): (numbers - ZERO) * scale."""
    outputs, inputs = weight.shape
    blocks = -(-inputs // BLOCK)
    padded = np.pad(weight, ((0, 0), (0, blocks * BLOCK - inputs))).reshape(outputs, blocks, BLOCK)
    scale = (np.abs(padded).max(-1) / LARGEST).astype(np.float32)
    scale[scale < np.finfo(np.float32).tiny] = 1  # nothing, or next to it
    return (np.rint(padded / scale[..., None]) + ZERO).astype(np.uint8), scale


def with_int8_weights(model: ModelProto) -> None:
    """Quantise the weights of all products; inputs and outputs and everything between stay float32."""
    known, made = {tensor.name: tensor.dims for tensor in model.graph.initializer}, set[str]()
    for product in list(products(model)):
        if product.bias is not None and len(known.get(product.bias, ())) != 1:
            continue  # a bias for each row, which the operator does not have
        node, (outputs, inputs) = product.node, product.weight.shape
        names = [f'{product.name}_{what}' for what in ('numbers', 'scale')]
        if product.name not in made:
            numbers, scale = quantise(product.weight)
            model.graph.initializer.append(numpy_helper.from_array(numbers, names[0]))
            model.graph.initializer.append(numpy_helper.from_array(scale, names[1]))
            made.add(product.name)
        rest = [] if product.bias is None else ['', '', product.bias]
        node.CopyFrom(
            helper.make_node(
                'MatMulNBits',
                [node.input[0], *names, *rest],
                list(node.output),
                domain=MICROSOFT,
                K=inputs,
                N=outputs,
                bits=8,
                block_size=BLOCK,
                accuracy_level=EIGHT_BIT_PRODUCTS,
            )
        )
    without_unused_weights(model)
    if all(opset.domain != MICROSOFT for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(MICROSOFT, MICROSOFT_OPSET))
