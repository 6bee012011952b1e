"""The arithmetic and the memory traffic of the models, from their sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vla_ros.manifest import Precision

Product = tuple[int, int, int, int]
"""A matrix product of (rows, inner) with (inner, columns), and how often it is made."""
WEIGHT_BYTES: Mapping[Precision, int] = {'fp32': 4, 'fp16': 2, 'int8': 1}
"""Of a number, without the scales of blocks."""


@dataclass(frozen=True)
class Work:
    """What one call does.

    Attributes:
        flops: additions and multiplications in matrix products.
        bytes: weights that are read, each time that they are.
        operators: nodes that are run, or whatever else costs a fixed time.
    """

    flops: float
    bytes: float
    operators: float


def flow_products(sizes: Mapping[str, Any], thought_rows: int) -> list[Product]:
    """Of System 1: ``sizes`` are those of ``vla_ros.training.flow.FlowConfig``."""
    width, steps, heads, pairs = (sizes[key] for key in ('width', 'steps', 'heads', 'pairs'))
    rows, inner = sizes['horizon'] + 1, width // heads
    products: list[Product] = []
    for pair in range(pairs):
        count, channels = (
            (thought_rows, sizes['thought_width'])
            if pair % 2 == 0
            else (sizes['tokens'], sizes['token_width'])
        )
        products.append((count, channels, 2 * width, 1))  # keys and values, once a call
        products += [
            (rows, width, width, 2 * steps),  # query and output of attention to it
            (rows, inner, count, heads * steps),
            (rows, count, inner, heads * steps),
            (rows, width, 3 * width, steps),  # attention of the actions to each other
            (rows, inner, rows, heads * steps),
            (rows, rows, inner, heads * steps),
            (rows, width, width, steps),
            (rows, width, 4 * width, 2 * steps),  # feed-forward of both blocks
            (rows, 4 * width, width, 2 * steps),
        ]
    joints = sizes['joints']
    return [*products, (rows - 1, joints, width, steps), (rows - 1, width, joints, steps)]


def decoder_products(
    width: int, feed_forward: int, layers: int, vocabulary: int, read: int, past: int, answers: int
) -> list[Product]:
    """Of System 2, for one pass that reads ``read`` positions behind ``past``."""
    return [
        (read, width, 3 * width, layers),
        (read, width, past + read, layers),
        (read, past + read, width, layers),
        (read, width, width, layers),
        (read, width, 2 * feed_forward, layers),
        (read, feed_forward, width, layers),
        (answers, width, vocabulary, 1),
    ]


def work_of(products: Sequence[Product], operators: float, item: int = 4) -> Work:
    """Of all products together; each reads its right side, of ``item`` bytes a number, anew."""
    flops = sum(2 * m * k * n * times for m, k, n, times in products)
    return Work(flops, sum(item * k * n * times for _, k, n, times in products), operators)
