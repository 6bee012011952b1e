"""What ``vla_ros eval faults`` reports: the rows, by which measure, and where they were measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vla_ros.evaluation.fault_verdict import FURTHER, PLANS, REST_WITHIN, WINDOW, Row
from vla_ros.evaluation.machine import machine, versions
from vla_ros.evaluation.rest import COMMAND_JUMP, POSITION_SLACK, REST_SPEED, STAYS
from vla_ros.sim.model import TIME_STEP


def fault_report(rows: Sequence[Row], bundle: Path, begun: float) -> dict[str, Any]:
    """For JSON.

    Args:
        begun: when it all began, by ``time.perf_counter``.
    """
    return {
        'faults': len(rows),
        'passed': sum(row.passed for row in rows),
        'rows': [row.as_dict() for row in rows],
        'measure': {
            'seen_every_s': TIME_STEP,
            'rest_rad_s': REST_SPEED,
            'stays_s': STAYS,
            'rest_within_s': REST_WITHIN,
            'goes_on': {'plans': PLANS, 'moved_rad': FURTHER, 'window_s': WINDOW},
            'position_slack_rad': POSITION_SLACK,
            'command_jump_rad': COMMAND_JUMP,
        },
        'bundle': bundle.name,
        'seconds': round(time.perf_counter() - begun, 1),
        'machine': machine(),
        'versions': versions(),
    }
