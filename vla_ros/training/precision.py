"""In which precision a graph computes, and how far from PyTorch in float32 that may lead.

Below float32 rounding is the purpose and no accident, and it grows with the numbers. So what is held to a limit is
relative: the norm of the difference, over the norm of what PyTorch says. Roundings of products behind each other are
independent and add up like the root of their number. That says whether a graph is what its weights say, not whether it
is good enough for a task: only closed-loop success does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import onnx

from vla_ros.manifest import Precision, PrecisionSpec
from vla_ros.training.half_precision import with_half_products
from vla_ros.training.int8_weights import with_int8_weights
from vla_ros.types import FloatArray, VlaError

GRAPHS = ('vision', 'language', 'action')
GAINING: Mapping[Precision, Sequence[str]] = {
    'fp32': GRAPHS,
    'fp16': GRAPHS,
    # The eyes multiply by 64 rows a camera: that is bound by arithmetic and not by weights, and gains next to nothing.
    'int8': ('language', 'action'),
}
REWRITES: Mapping[Precision, Callable[[onnx.ModelProto], None]] = {
    'fp16': with_half_products,
    'int8': with_int8_weights,
}
LIMITS: Mapping[Precision, float] = {'fp16': 1e-2, 'int8': 1e-1}
"""One rounding to float16 is off by up to 2 ** -11, and four hundred behind each other by 1e-2. A product in eight bits
is off by 8e-3, if its numbers are normally distributed; 1e-1 is a hundred and fifty of them, and a cosine of 0.995
between the two, which others ask of quantised policies, too (arXiv 2606.20537)."""


def chosen(spec: PrecisionSpec, precision: str, graphs: Sequence[str] = ()) -> PrecisionSpec:
    """``spec`` with this precision for the ``graphs``; if none are named, for those that gain, and fp32 elsewhere.

    Raises:
        VlaError: there is no such precision, or no such graph.
    """
    known = next((name for name in get_args(Precision) if name == precision), None)
    if known is None:
        raise VlaError(f'precision: expected one of {list(get_args(Precision))}, found {precision!r}')
    strange = [graph for graph in graphs if graph not in GRAPHS]
    if strange:
        raise VlaError(f'graph: expected some of {list(GRAPHS)}, found {strange[0]!r}')
    others = {} if graphs else dict.fromkeys(GRAPHS, 'fp32')
    return spec.model_copy(update={**others, **dict.fromkeys(graphs or GAINING[known], known)})


def lower(path: Path, precision: Precision) -> None:
    """Rewrite the float32 graph of a file in this precision."""
    if precision != 'fp32':
        model = onnx.load(str(path))
        REWRITES[precision](model)
        onnx.save(model, str(path))


def relative_difference(
    path: Path, pairs: Sequence[tuple[FloatArray, FloatArray]], precision: Precision
) -> float:
    """The largest relative difference of what PyTorch and a graph below float32 say.

    Raises:
        VlaError: it is more than rounding explains.
    """
    limit = LIMITS[precision]
    difference = max(float(np.linalg.norm(a - b) / np.linalg.norm(a)) for a, b in pairs)
    if not difference < limit:
        raise VlaError(
            f'{path}: expected a relative difference from PyTorch below {limit:g} in {precision}, found '
            f'{difference:.2g}; export it in fp32'
        )
    return difference
