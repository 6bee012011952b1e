"""The language model's graph with what it has read in its cache: what reads, whatever the cache is made of."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vla_ros.manifest import ReasoningSpec
from vla_ros.types import FloatArray, IndexArray


class Decoder(Protocol):
    """One caller at a time.

    Attributes:
        verifies: it says the next token after each position that it reads, and the same to the bit however its reading
            is cut into passes of two positions or more. So it can verify guesses, and keep what it has read.
    """

    verifies: bool

    def read(
        self, visual: FloatArray, ids: npt.NDArray[np.int64], past: int, answers: int
    ) -> tuple[IndexArray, FloatArray]:
        """One pass behind the first ``past`` positions of what was read; what stood there is forgotten.

        Args:
            visual: (V, channels) visual tokens; ids: (T,) the tokens behind them.
            answers: for how many of the last positions the next token is wanted; 1 unless ``verifies``.

        Returns:
            The most likely tokens (answers,), and hidden states (V + T, width) of all that was read now.
        """
        ...


class GrowingCache:
    """A graph that takes the cache as one input and gives a longer one back: bundles of before have it."""

    INPUTS = frozenset({'visual', 'ids', 'cache'})
    verifies = False

    def __init__(self, session: Any, spec: ReasoningSpec) -> None:
        self._session = session
        self._cache = np.zeros((spec.layers, 2, spec.heads, 0, spec.head_width), np.float32)

    def read(
        self, visual: FloatArray, ids: npt.NDArray[np.int64], past: int, answers: int
    ) -> tuple[IndexArray, FloatArray]:
        """See ``Decoder.read``."""
        inputs = {'visual': visual, 'ids': ids, 'cache': self._cache[:, :, :, :past]}
        logits, hidden, self._cache = self._session.run(None, inputs)
        return logits.reshape(answers, -1).argmax(-1), hidden
