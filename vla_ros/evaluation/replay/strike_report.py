"""What ``vla_ros eval replay`` reports: a bag without faults, and with each kind of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from vla_ros.evaluation.machine import machine, versions
from vla_ros.evaluation.replay.faults import KINDS
from vla_ros.evaluation.replay.golden import selected
from vla_ros.evaluation.replay.model import Model
from vla_ros.evaluation.replay.report import comparison_report
from vla_ros.evaluation.replay.run import Selection
from vla_ros.evaluation.replay.strikes import Run, Struck, strike
from vla_ros.evaluation.replay.verdict import judge
from vla_ros.types import VlaError


def strike_report(
    bag: Path, model: Model, selection: Selection, run: Run, on_kind: Callable[[int], None]
) -> dict[str, Any]:
    """Replay a bag as it is, and once a kind of fault; all for JSON, times in seconds.

    Args:
        run: replays it with faults; none are as it is.
        on_kind: is told how many kinds are done.

    Raises:
        VlaError: the arm never moves for long enough that a fault could be seen to stop it.
    """
    begun = time.perf_counter(), time.process_time()
    clean = run(())
    verdict = judge(clean, None)
    struck: list[Struck] = []
    for kind in KINDS:
        struck += strike(run, clean, model, (kind,))
        on_kind(len(struck))
    if not any(one.rests for one in struck):
        raise VlaError(
            f'{bag}: expected an arm that the model moves for longer than faults take to stop it, found none'
        )
    return {
        'bag': str(bag),
        'passed': verdict.same is not False and all(one.passed is not False for one in struck),
        'without_faults': {
            'against': verdict.against,
            'same': verdict.same,
            'differences': list(verdict.differences),
            **comparison_report(verdict.comparison),
            'brakes': [asdict(brake) for brake in clean.brakes],
            'refusals': clean.refused(),
        },
        'kinds': [_row(one) for one in struck],
        'seconds': round(clean.seconds, 3),
        'wall_seconds': round(time.perf_counter() - begun[0], 2),
        'cpu_seconds': round(time.process_time() - begun[1], 2),
        'model': {'name': model.name, 'manifest_sha256': model.fingerprint},
        'selection': selected(selection),
        'machine': machine(),
        'versions': versions(),
    }


def _row(struck: Struck) -> dict[str, Any]:
    return {
        'kind': struck.kind,
        'what': (KINDS[struck.kind].__doc__ or '').strip().rstrip('.'),
        'passed': struck.passed,
        'seconds_allowed': round(struck.allowed, 3),
        'seconds_to_rest': _spread([rest.seconds_to_rest for rest in struck.rests]),
        'seconds_to_motion': _spread([rest.seconds_to_motion for rest in struck.rests]),
        'decision_agreement': round(struck.agreement, 4),
        'counted': struck.counted,
        'strikes': [
            {
                'begins': rest.fault.begins,
                'lasts': rest.fault.seconds,
                'seconds_to_rest': rest.seconds_to_rest,
                'seconds_to_motion': rest.seconds_to_motion,
            }
            for rest in struck.rests
        ],
    }


def _spread(seconds: Sequence[float | None]) -> dict[str, float | int]:
    """Median and largest of those there are, and how many there are not."""
    known = [value for value in seconds if value is not None]
    spread: dict[str, float | int] = {'never': len(seconds) - len(known)}
    if known:
        spread |= {'median': round(median(known), 3), 'largest': max(known)}
    return spread
