"""Peer: what the machine can do, with numpy alone: products of given shapes, or copying memory. Run as a program."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vla_ros.bench.peers import serve

COPIED = 2**26
"""Bytes; more than any cache holds."""


def prepare(arguments: Sequence[str]) -> tuple[Callable[[], Any], Any]:
    """``products`` and a JSON list of (rows, inner, columns, times), or ``copy``."""
    if arguments[0] == 'copy':
        source = np.ones(COPIED // 4, np.float32)
        target = np.empty_like(source)
        return (lambda: np.copyto(target, source)), 2 * COPIED
    products = []
    for rows, inner, columns, times in json.loads(arguments[1]):
        # One call for all of a shape, the same numbers each time: nothing but the products is measured.
        a = np.broadcast_to(np.ones((rows, inner), np.float32), (times, rows, inner))
        b = np.broadcast_to(np.ones((inner, columns), np.float32), (times, inner, columns))
        products.append((a, b, np.empty((times, rows, columns), np.float32)))

    def work() -> None:
        for a, b, out in products:
            np.matmul(a, b, out=out)

    return work, sum(2 * a.size * b.shape[-1] for a, b, _ in products)


if __name__ == '__main__':
    serve(prepare)
