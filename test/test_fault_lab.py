"""Faults in a real graph of processes: the arm rests in time and obeys again, and the laboratory can say no."""

from __future__ import annotations

import re

import pytest

pytest.importorskip('rclpy')

from vla_ros.evaluation.faults import FAULTS, Expected, Fault, Nothing
from vla_ros.nodes.fault_lab import run_faults
from vla_ros.paths import bundle_directory

pytestmark = pytest.mark.slow
CHOSEN = ('control', 'reasoning_killed', 'joints_jump')
NO_FAULT = Fault('no fault', 'nothing', Nothing(), Expected.BRAKES, 0.3, ('peer',))
"""Demands that an arm comes to rest to which nothing happens: only a laboratory that believes anything passes it."""
LATE = re.compile(r'[0-9.]+ s (later )?instead of [0-9.]+ s$')
"""How quick it was is for `vla_ros eval faults` to say: the machine of a test may be busy."""


def test_the_arm_rests_in_time_and_obeys_again_and_a_demand_that_nothing_meets_fails(ros_domain: int) -> None:
    faults = [*(fault for fault in FAULTS if fault.name in CHOSEN), NO_FAULT]

    *rows, demanded = run_faults(faults, bundle_directory('tabletop'))

    problems = [(row.fault, [told for told in row.problems if not LATE.search(told)]) for row in rows]
    assert problems == [(name, []) for name in CHOSEN]
    assert [row.recovered for row in rows] == [True] * 3
    control, killed, jumped = rows
    assert control.seconds_to_rest is None
    assert killed.seconds_to_rest is not None
    assert jumped.seconds_to_rest is not None
    assert killed.reason == 'reasoning shows no life'
    assert 'jumped by' in jumped.reason
    assert 'the arm did not come to rest' in demanded.problems
    assert not demanded.passed
