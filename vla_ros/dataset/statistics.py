"""The statistics of ``meta/stats.json`` and of each episode, as LeRobot defines them (compute_stats.py).

Of numbers: one of each a column. Of pictures: one of each a colour, in 0..1, shape (3, 1, 1), of every so many pixels.
Minimum, maximum, mean, standard deviation (of the population), quantiles, count (frames).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from vla_ros.types import DoubleArray, ImageArray, IndexArray

Statistics = dict[str, DoubleArray]
"""'min', 'max', 'mean', 'std', 'count' and 'q01' to 'q99', each a column long."""
QUANTILES = {f'q{round(100 * share):02d}': share for share in (0.01, 0.10, 0.50, 0.90, 0.99)}
LARGE, ENOUGH = 300, 150
"""Pictures of at least so many pixels along the longer edge are thinned out to about this many."""


def of_numbers(values: npt.NDArray[np.generic]) -> Statistics:
    """Of (T, columns) or (T,) numbers."""
    columns = values.reshape(len(values), -1).astype(np.float64)
    found = {
        'min': columns.min(0),
        'max': columns.max(0),
        'mean': columns.mean(0),
        'std': columns.std(0),
        'count': np.array([len(columns)], np.float64),
    }
    return found | dict(zip(QUANTILES, np.quantile(columns, list(QUANTILES.values()), axis=0)))


class PictureStatistics:
    """Of the pictures of one camera, which are counted one by one and not kept."""

    def __init__(self) -> None:
        self._histogram: IndexArray = np.zeros((3, 256), np.int64)
        self._count = 0

    def add(self, image: ImageArray) -> None:
        """Count a picture (height, width, 3)."""
        longer = max(image.shape[:2])
        thin = image if longer < LARGE else image[:: longer // ENOUGH, :: longer // ENOUGH]
        for colour in range(3):
            self._histogram[colour] += np.bincount(thin[..., colour].ravel(), minlength=256)
        self._count += 1

    def result(self) -> Statistics:
        """Of at least one picture."""
        values = np.arange(256) / 255
        share = self._histogram / self._histogram.sum(1, keepdims=True)
        mean = share @ values
        variance = share @ values**2 - mean**2
        seen = self._histogram > 0
        found = {
            'min': values[seen.argmax(1)],
            'max': values[255 - seen[:, ::-1].argmax(1)],
            'mean': mean,
            'std': np.sqrt(np.maximum(variance, 0)),
        }
        below = np.cumsum(share, 1)
        for name, wanted in QUANTILES.items():
            found[name] = values[np.minimum((below < wanted - 1e-12).sum(1), 255)]
        shaped = {name: value.reshape(3, 1, 1) for name, value in found.items()}
        return shaped | {'count': np.array([self._count], np.float64)}


def together(parts: Sequence[Statistics]) -> Statistics:
    """Of several episodes as one; of the quantiles, which cannot be told any more, the outermost."""
    stacked = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    counts = stacked['count'].reshape(-1, *[1] * (stacked['mean'].ndim - 1))
    total = counts.sum(0)
    mean = (stacked['mean'] * counts).sum(0) / total
    spread = stacked['std'] ** 2 + (stacked['mean'] - mean) ** 2
    found = {
        'min': stacked['min'].min(0),
        'max': stacked['max'].max(0),
        'mean': mean,
        'std': np.sqrt((spread * counts).sum(0) / total),
        'count': stacked['count'].sum(0),
    }
    for name, share in QUANTILES.items():
        found[name] = stacked[name].min(0) if share <= 0.5 else stacked[name].max(0)
    return found


def as_plain(statistics: Mapping[str, Statistics]) -> dict[str, dict[str, object]]:
    """As JSON has them; counts are whole numbers."""
    return {
        key: {
            name: value.astype(np.int64).tolist() if name == 'count' else value.tolist()
            for name, value in numbers.items()
        }
        for key, numbers in statistics.items()
    }
