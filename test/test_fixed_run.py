"""Buffers that are bound once: the same results as a plain call, call after call, shared or apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vla_ros.bundle import load_bundle
from vla_ros.fixed_run import FixedRun
from vla_ros.runtime import open_session
from vla_ros.types import VlaError

BUNDLE = load_bundle(Path(__file__).parent.parent / 'models' / 'tabletop')


@pytest.mark.parametrize('staged', [False, True], ids=['shared', 'as beside a GPU'])
def test_bound_buffers_give_what_a_plain_call_gives_each_time(staged: bool) -> None:
    session = open_session(BUNDLE.file('action'))
    run = FixedRun(session, 'cpu', staged=staged)
    draw = np.random.default_rng(0)
    for _ in range(2):
        for value in run.inputs.values():
            value[...] = draw.integers(0, 2, value.shape)
        (expected,) = session.run(None, dict(run.inputs))

        (found,) = run()

        np.testing.assert_array_equal(found, expected)


def test_a_graph_of_no_fixed_size_is_refused() -> None:
    with pytest.raises(VlaError, match='expected one of .* of a fixed size'):
        FixedRun(open_session(BUNDLE.file('language')))
