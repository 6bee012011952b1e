"""Actions as words: each dimension cut into uniform bins (RT-2, arXiv 2307.15818, section 3.2).

The bins span what is common in the data, its 1st to 99th percentile, as in OpenVLA (arXiv 2406.09246, section 3.2): by
its extremes, a few odd actions would make all bins wide. What lies outside goes to the last bin on its side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vla_ros.action.action_tokens import ACTION_BINS
from vla_ros.manifest import ActionTokensSpec
from vla_ros.types import DoubleArray, IndexArray, VlaError, require_shape

PERCENTILES = (1.0, 99.0)
LEAST_SPAN = 0.02
"""rad between the ends of a joint's bins: one that never moves has some, too."""


@dataclass(frozen=True)
class Encoded:
    """Bins (..., J) in 0..count-1, and where (..., J) an action was outside of all of them, and so was clipped."""

    bins: IndexArray
    clipped: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bins:
    """``count`` bins a joint from ``low`` to ``high``, (J,) rad each; decoding gives the middle of a bin."""

    low: DoubleArray
    high: DoubleArray
    count: int = ACTION_BINS

    @property
    def width(self) -> DoubleArray:
        """(J,) rad of a bin; inside of the range, decoding is at most half of it away from what was encoded."""
        return (self.high - self.low) / self.count

    def encode(self, actions: npt.NDArray[np.floating]) -> Encoded:
        """The bins that actions (..., J) in rad lie in.

        Raises:
            VlaError: another number of joints, or an action that is no number.
        """
        require_shape('actions', actions, (*actions.shape[:-1], len(self.low)))
        if not np.isfinite(actions).all():
            raise VlaError('actions: expected finite numbers, found some that are not')
        exact = np.asarray(actions, np.float64)
        bins = np.floor((exact - self.low) / self.width)
        inside = np.clip(bins, 0, self.count - 1).astype(np.int64)
        return Encoded(inside, (exact < self.low) | (exact > self.high))

    def decode(self, bins: IndexArray) -> DoubleArray:
        """Actions (..., J) in rad, in the middle of their bins (..., J).

        Raises:
            VlaError: another number of joints, or a bin that there is not.
        """
        require_shape('bins', bins, (*bins.shape[:-1], len(self.low)))
        if bins.size and not (bins.min() >= 0 and bins.max() < self.count):
            raise VlaError(f'bins: expected 0 to {self.count - 1}, found {bins.min()} to {bins.max()}')
        return np.asarray(self.low + (bins + 0.5) * self.width)


def bins_of(actions: npt.NDArray[np.floating]) -> Bins:
    """The bins for actions (..., J) like these: from their 1st to their 99th percentile, joint by joint."""
    low, high = np.percentile(np.asarray(actions, np.float64).reshape(-1, actions.shape[-1]), PERCENTILES, 0)
    missing = np.maximum(LEAST_SPAN - (high - low), 0.0) / 2
    return Bins(low - missing, high + missing)


def bins_in(spec: ActionTokensSpec) -> Bins:
    """The bins that a manifest names."""
    return Bins(np.array(spec.low), np.array(spec.high), spec.bins)
