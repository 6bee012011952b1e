"""Where the joints were when a frame was taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.action.joint_history import JointHistory
from vla_ros.types import JointSample


@settings(deadline=None)
@given(st.lists(st.integers(0, 200), min_size=1, max_size=30, unique=True), st.integers(0, 200))
def test_joints_between_two_samples_lie_on_the_line_and_outside_at_the_nearest(stamps, asked) -> None:
    stamps.sort()
    history = JointHistory()
    for stamp in stamps:
        history.add(JointSample(stamp, np.array([2.0 * stamp]), np.array([1.0 * stamp])))
    seen = history.at(asked)
    assert seen is not None
    clipped = min(max(asked, stamps[0]), stamps[-1])
    assert seen.positions[0] == pytest.approx(2.0 * clipped)
    assert seen.velocities[0] == pytest.approx(1.0 * clipped)
    assert seen.stamp == clipped


def test_an_empty_history_knows_nothing() -> None:
    history = JointHistory()
    assert history.newest is None
    assert history.at(5) is None
