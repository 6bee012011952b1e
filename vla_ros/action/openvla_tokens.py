"""OpenVLA's action tokens: 256 edges, so 255 bins, in the last 256 words of the vocabulary (arXiv 2406.09246).

As its ``ActionTokenizer`` and ``predict_action`` have it (openvla, c8f03f4), off-by-one and all: numbers are sorted by
256 edges that lie evenly from -1 to 1, which gives 1 to 256, of which 256 is 1 itself; the last two are both read as
the last bin. Of a word id outside of the last 256 OpenVLA takes the nearest bin; here it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_ros.types import DoubleArray, IndexArray, VlaError, require_shape

EDGES = 256
_edges = np.linspace(-1.0, 1.0, EDGES)
_centres = (_edges[:-1] + _edges[1:]) / 2.0


@dataclass(frozen=True)
class Bounds:
    """Of one data set, a number each (D,): the 1st and the 99th percentile, and which are normalised at all.

    In OpenVLA's dataset_statistics.json ``q01``, ``q99`` and ``mask`` of ``action``, under the ``unnorm_key``.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    mask: tuple[bool, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.low) == len(self.high) == len(self.mask):
            raise VlaError(
                f'q01, q99, mask: expected as many of each, found {len(self.low)}, {len(self.high)}, {len(self.mask)}'
            )
        if not all(np.isfinite([*self.low, *self.high])) or any(a > b for a, b in zip(self.low, self.high)):
            raise VlaError('q01, q99: expected finite numbers, none of q01 above that of q99')


def words_of(embeddings: int, pad_to_multiple_of: int) -> int:
    """Size of the vocabulary behind a padded table: 32,064 rows, padded by 64, are 32,000 words."""
    words = embeddings - pad_to_multiple_of
    if words < EDGES:
        raise VlaError(f'vocabulary: expected at least {EDGES} words, found {words}')
    return words


def tokens_of(normalised: DoubleArray, words: int) -> IndexArray:
    """Word ids (D,) of numbers (D,) in -1 to 1; what is beyond counts as the end. VlaError for NaN."""
    if np.isnan(normalised).any():
        raise VlaError('action: expected numbers, found NaN')
    return np.asarray(words - np.digitize(np.clip(normalised, -1.0, 1.0), _edges), np.intp)


def normalised_of(tokens: npt.ArrayLike, words: int) -> DoubleArray:
    """The middles of the bins (D,) in -1 to 1 that word ids (D,) stand for.

    Raises:
        VlaError: a word that is no action.
    """
    ids = np.asarray(tokens)
    if ids.dtype.kind not in 'iu' or (ids < words - EDGES).any() or (ids >= words).any():
        raise VlaError(
            f'action tokens: expected word ids in {words - EDGES} to {words - 1}, found {ids!r:.120}'
        )
    return np.asarray(_centres[np.clip(words - ids.astype(np.intp) - 1, 0, EDGES - 2)])


def unnormalised(normalised: DoubleArray, bounds: Bounds) -> DoubleArray:
    """Numbers (D,) of the data set; those without a mask are as they were, as OpenVLA's gripper is."""
    require_shape('action', normalised, (len(bounds.low),))
    low, high = np.array(bounds.low), np.array(bounds.high)
    return np.where(bounds.mask, 0.5 * (normalised + 1.0) * (high - low) + low, normalised)
