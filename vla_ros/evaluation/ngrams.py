"""Interpolated Kneser-Ney: the n-gram model that a language model must beat, as a proper probability.

Each order discounts its counts by D and gives what that frees to the next shorter context; below the highest order,
what counts is not how often an n-gram was seen but after how many different words (Kneser and Ney, ICASSP 1995; Chen
and Goodman, Computer Speech & Language 13, 1999, whose estimate D = n1 / (n1 + 2 n2) is used). The shortest context
falls back to the uniform distribution, so that every token of the vocabulary has a probability.

An n-gram is named by a number: that of its first n-1 tokens times the vocabulary plus its last token. Numbers of orders
below are dense ranks, so that they never overflow, whatever the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vla_ros.types import DoubleArray, IndexArray


@dataclass(frozen=True)
class _Order:
    """The n-grams of one order that were seen, sorted by number.

    Attributes:
        numbers: (N,) prefix rank * vocabulary + last token.
        counts: (N,) how often, or after how many different words.
        totals, kinds: (P,) sum of counts, and number of n-grams, after each prefix by its rank.
        discount: D.
    """

    numbers: IndexArray
    counts: IndexArray
    totals: IndexArray
    kinds: IndexArray
    discount: float


class KneserNey:
    """A model of order ``order`` of streams of tokens below ``vocabulary``."""

    def __init__(self, stream: IndexArray, vocabulary: int, order: int) -> None:
        if order < 1 or len(stream) < order:
            raise ValueError(f'expected an order from 1 and as many tokens, found {order} and {len(stream)}')
        self.vocabulary, self.order = vocabulary, order
        # Of the n-gram of each order that begins at each position.
        names: list[IndexArray] = [np.zeros(len(stream), np.int64)]
        levels = []
        for n in range(1, order + 1):
            prefix, last = names[-1][: len(stream) - n + 1], stream[n - 1 :]
            numbers, first, name, counts = np.unique(
                prefix * vocabulary + last, return_index=True, return_inverse=True, return_counts=True
            )
            names.append(name)
            levels.append((numbers, first, counts))
        self._orders = [self._make_order(levels, names, n) for n in range(1, order + 1)]

    def _make_order(
        self, levels: list[tuple[IndexArray, IndexArray, IndexArray]], names: list[IndexArray], n: int
    ) -> _Order:
        numbers, _, counts = levels[n - 1]
        if n < self.order:
            # Different words before it: each longer n-gram that ends in it, once.
            _, first, _ = levels[n]
            counts = np.bincount(names[n][first + 1], minlength=len(numbers))
        prefix = numbers // self.vocabulary
        size = len(levels[n - 2][0]) if n > 1 else 1
        totals = np.bincount(prefix, weights=counts, minlength=size).astype(np.int64)
        kinds = np.bincount(prefix, weights=counts > 0, minlength=size).astype(np.int64)
        once, twice = int((counts == 1).sum()), int((counts == 2).sum())
        discount = once / (once + 2 * twice) if once else 0.5
        return _Order(numbers, counts, totals, kinds, discount)

    def probabilities(self, stream: IndexArray) -> DoubleArray:
        """p (T,) of each token given the ``order - 1`` tokens before it, fewer at the beginning."""
        found = np.full(len(stream), 1.0 / self.vocabulary)
        for n, order in enumerate(self._orders[: len(stream)], 1):
            context = self._ranks(stream, n - 1)
            at, known = self._find(order, context, stream[n - 1 :])
            safe = np.maximum(context, 0)
            total = np.where(context >= 0, order.totals[safe], 0)
            count = np.where(known, order.counts[at], 0)
            seen = total > 0
            lower = found[n - 1 :]
            divisor = np.maximum(total, 1)
            mixed = np.maximum(count - order.discount, 0) / divisor
            mixed = mixed + order.discount * order.kinds[safe] / divisor * lower
            found[n - 1 :] = np.where(seen, mixed, lower)
        return found

    def _ranks(self, stream: IndexArray, n: int) -> IndexArray:
        """The rank of the n-gram before each token from the n-th on, -1 where it was never seen."""
        ranks: IndexArray = np.zeros(len(stream) - n, np.int64)
        for k in range(1, n + 1):
            at, known = self._find(self._orders[k - 1], ranks, stream[k - 1 : len(stream) - n + k - 1])
            ranks = np.where(known, at, -1)
        return ranks

    def _find(self, order: _Order, prefix: IndexArray, last: IndexArray) -> tuple[IndexArray, IndexArray]:
        """Where the n-grams are in an order, and whether they are in it."""
        numbers = np.where(prefix >= 0, prefix, 0) * self.vocabulary + last
        at = np.minimum(np.searchsorted(order.numbers, numbers), len(order.numbers) - 1)
        return at, (prefix >= 0) & (order.numbers[at] == numbers)
