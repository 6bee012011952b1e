"""Drawn tokens: as often as their probability says, nearly greedy when it is cold, and only for experiments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('onnx')

from test_reasoning_speculation import END, LONGEST, SPEC, WORDS, graph, plainly, seen, whole

from vla_ros.evaluation.drawn_tokens import DrawnTokens
from vla_ros.reasoning.greedy import GreedyWriter
from vla_ros.reasoning.shared_cache import SharedCache
from vla_ros.runtime import open_session
from vla_ros.types import DoubleArray, VlaError

__all__ = ['graph']
QUESTION = [3, 5, 2]


class Logits(SharedCache):
    answer = 'logits'


def logits(path: Path) -> DoubleArray:
    """What the model says of the first token that it writes."""
    said, _ = Logits(open_session(path), SPEC).read(seen(0), np.array(QUESTION), 0, 1)
    return np.asarray(said[0], float)


@pytest.mark.parametrize('temperature', [0.7, 1.2])
def test_tokens_are_drawn_as_often_as_their_probability_says(graph: Path, temperature: float) -> None:
    weights = np.exp((logits(graph) - logits(graph).max()) / temperature)
    expected = weights / weights.sum()
    decoder, count = DrawnTokens(temperature, 0, open_session(graph), SPEC), 4000

    drawn = [int(decoder.read(seen(0), np.array(QUESTION), 0, 1)[0][0]) for _ in range(count)]

    found = np.bincount(drawn, minlength=WORDS) / count
    deviation = np.sqrt(expected * (1 - expected) / count)
    assert (np.abs(found - expected) <= 5 * deviation + 1e-9).all()
    assert np.unique(drawn).size > 1


def test_when_it_is_cold_they_are_the_greedy_ones(graph: Path) -> None:
    cold = GreedyWriter(DrawnTokens(1e-6, 0, open_session(graph), SPEC), END, LONGEST)

    assert whole(cold.write(seen(1), QUESTION))[0] == plainly(graph, 1, QUESTION)[0]


def test_the_same_seed_draws_the_same(graph: Path) -> None:
    def drawn(seed: int) -> list[int]:
        decoder = DrawnTokens(2.0, seed, open_session(graph), SPEC)
        return whole(GreedyWriter(decoder, END, LONGEST).write(seen(1), QUESTION))[0]

    assert drawn(1) == drawn(1)
    assert len({tuple(drawn(seed)) for seed in range(8)}) > 1


def test_a_graph_of_before_is_refused_with_what_to_do() -> None:
    class Old:
        def get_inputs(self) -> list[object]:
            return []

    with pytest.raises(VlaError, match='vla_ros train graphs'):
        DrawnTokens(1.0, 0, Old(), SPEC)
