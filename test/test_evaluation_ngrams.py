"""The n-gram baseline: a proper probability, equal to the formula worked out by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.evaluation.ngrams import KneserNey

STREAMS = st.lists(st.integers(0, 4), min_size=8, max_size=60)


@given(STREAMS, st.lists(st.integers(0, 6), min_size=0, max_size=5), st.integers(1, 4))
@settings(max_examples=80, deadline=None)
def test_after_any_context_the_probabilities_of_all_tokens_sum_to_one(
    stream: list[int], context: list[int], order: int
) -> None:
    model = KneserNey(np.array(stream), 7, order)
    found = [model.probabilities(np.array([*context, token]))[-1] for token in range(7)]
    assert sum(found) == pytest.approx(1.0)
    assert min(found) > 0


@given(STREAMS, st.lists(st.integers(0, 6), min_size=2, max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_bigram_model_is_the_formula_of_kneser_and_ney(stream: list[int], asked: list[int]) -> None:
    vocabulary = 7
    pairs = Counter(zip(stream[:-1], stream[1:]))
    before = Counter(last for _, last in pairs)  # after how many different words

    def discount(counts: Counter) -> float:  # type: ignore[type-arg]
        once, twice = (sum(count == n for count in counts.values()) for n in (1, 2))
        return once / (once + 2 * twice) if once else 0.5

    def low(token: int) -> float:
        d, total = discount(before), sum(before.values())
        return max(before[token] - d, 0) / total + d * len(before) / total / vocabulary

    def high(context: int, token: int) -> float:
        after = {pair: n for pair, n in pairs.items() if pair[0] == context}
        if not after:
            return low(token)
        d, total = discount(pairs), sum(after.values())
        return max(pairs[context, token] - d, 0) / total + d * len(after) / total * low(token)

    found = KneserNey(np.array(stream), vocabulary, 2).probabilities(np.array(asked))
    expected = [low(asked[0]), *(high(a, b) for a, b in zip(asked[:-1], asked[1:]))]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_what_was_learned_by_heart_surprises_a_long_model_less_than_a_short_one() -> None:
    stream = np.tile([0, 1, 2, 3, 1, 0, 2, 2, 3], 40)
    surprise = [-np.log(KneserNey(stream, 5, order).probabilities(stream)).mean() for order in (1, 2, 4)]
    assert surprise[0] > surprise[1] > surprise[2]


def test_a_stream_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match='expected an order'):
        KneserNey(np.array([1, 2]), 5, 5)
