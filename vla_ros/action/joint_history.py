"""The joints of the last seconds, to know where they were when a frame was taken."""

from __future__ import annotations

from bisect import bisect_left

from vla_ros.types import NANOSECONDS, JointSample

KEPT = 2 * NANOSECONDS


class JointHistory:
    """Samples in the order of their stamps. Not thread-safe."""

    def __init__(self) -> None:
        self._samples: list[JointSample] = []

    @property
    def newest(self) -> JointSample | None:
        """The last sample, or None."""
        return self._samples[-1] if self._samples else None

    def add(self, sample: JointSample) -> None:
        """Take a sample; those that are not older, or far too old, are forgotten."""
        kept = [old for old in self._samples if sample.stamp - KEPT <= old.stamp < sample.stamp]
        self._samples = [*kept, sample]

    def at(self, stamp: int) -> JointSample | None:
        """Where the joints were: between two samples on the line that joins them, else the nearest sample."""
        i = bisect_left(self._samples, stamp, key=lambda sample: sample.stamp)
        if i == len(self._samples):
            return self.newest
        after = self._samples[i]
        if i == 0 or after.stamp == stamp:
            return after
        before = self._samples[i - 1]
        share = (stamp - before.stamp) / (after.stamp - before.stamp)
        return JointSample(
            stamp,
            before.positions + share * (after.positions - before.positions),
            before.velocities + share * (after.velocities - before.velocities),
        )

    def clear(self) -> None:
        """Forget all."""
        self._samples.clear()
