"""A decoder that draws its tokens instead of taking the likeliest: to show why a robot's may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.manifest import ReasoningSpec
from vla_ros.reasoning.shared_cache import SharedCache
from vla_ros.types import FloatArray, IndexArray, VlaError


class DrawnTokens(SharedCache):
    """Draws each token from softmax(logits / temperature): the arg max of logits / temperature + Gumbel noise.

    A ``Decoder`` that verifies no drafts: what is drawn twice need not be the same.

    Args:
        temperature: above 0. As it goes to 0, so does the noise, and the tokens become the greedy ones.
        seed: of the draws.

    Raises:
        VlaError: the bundle's graph does not give its logits together with a shared cache.
    """

    verifies = False
    answer = 'logits'

    def __init__(self, temperature: float, seed: int, session: Any, spec: ReasoningSpec) -> None:
        if not {value.name for value in session.get_inputs()} >= self.INPUTS:
            raise VlaError(
                'language.onnx: its tokens cannot be drawn; write it anew with `vla_ros train graphs`'
            )
        super().__init__(session, spec)
        self._temperature, self._rng = temperature, np.random.default_rng(seed)

    def read(
        self, visual: FloatArray, ids: npt.NDArray[np.int64], past: int, answers: int
    ) -> tuple[IndexArray, FloatArray]:
        """See ``Decoder.read``."""
        logits, hidden = super().read(visual, ids, past, answers)
        return (logits / self._temperature + self._rng.gumbel(size=logits.shape)).argmax(-1), hidden
