"""A replay in numbers: the JSON that a test or a person reads."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.evaluation.machine import machine, versions
from vla_ros.evaluation.replay.comparison import Comparison
from vla_ros.evaluation.replay.golden import Golden, selected
from vla_ros.evaluation.replay.model import Model
from vla_ros.evaluation.replay.outcome import Outcome, decisions_sha256, trajectories_sha256
from vla_ros.evaluation.replay.rest import rest_after
from vla_ros.evaluation.replay.run import Selection
from vla_ros.evaluation.replay.timing import ReplayTiming
from vla_ros.evaluation.replay.verdict import Verdict


def report(
    bag: Path,
    mode: str,
    model: Model,
    selection: Selection,
    timing: ReplayTiming,
    outcome: Outcome,
    verdict: Verdict,
    golden: Golden | None,
    took: tuple[float, float],
) -> dict[str, Any]:
    """Everything in one dictionary; times in seconds, angles in rad.

    Args:
        mode: 'lockstep' or 'live'.
        took: seconds by the wall and of computing in this process that the replay took.
    """
    result: dict[str, Any] = {
        'bag': str(bag),
        'mode': mode,
        'against': verdict.against,
        'same': verdict.same,
        'differences': list(verdict.differences),
        'trajectories_sha256': trajectories_sha256(outcome.sent, outcome.replayed.plans.values),
        'decisions_sha256': decisions_sha256(outcome.replayed),
        **comparison_report(verdict.comparison),
        'plans': len(outcome.replayed.plans),
        'plans_recorded': len(outcome.recorded.plans),
        'decisions': sum(bool(d.trace) for d in outcome.replayed.decisions.values),
        'refusals': outcome.refused(),
        'refused': [asdict(refusal) for refusal in outcome.refusals[:100]],
        'brakes': [asdict(brake) for brake in outcome.brakes],
        'faults': [_rest(outcome, fault) for fault in selection.faults],
        'latencies_ms': {name: _spread(values) for name, values in outcome.latencies.items() if values},
        'seconds': round(outcome.seconds, 3),
        'wall_seconds': round(took[0], 2),
        'cpu_seconds': round(took[1], 2),
        'times_real_time': round(outcome.seconds / took[0], 2) if took[0] > 0 else None,
        'model': {'name': model.name, 'manifest_sha256': model.fingerprint},
        'selection': selected(selection),
        'timing': asdict(timing),
        'machine': machine(),
        'versions': versions(),
    }
    if outcome.reports:
        result['diagnostics'] = {
            node: {key: value for key, value in values.items() if key.endswith(('[ms]', '[Hz]'))}
            for node, values in outcome.reports.items()
        }
    if golden is not None:
        result['golden'] = {
            'model': golden.model,
            'trajectories_sha256': golden.trajectories,
            'history': list(golden.history),
        }
    return result


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """The few of them that a person wants to see first."""
    shown = {
        'compared with': result['against'],
        'seconds': f'{result["seconds"]} in {result["wall_seconds"]} s',
        'trajectories': f'{result["plans"]}, SHA-256 {result["trajectories_sha256"][:16]}',
    }
    if result['joint_error'] is not None:
        error, holds = result['joint_error'], result['false_holds']
        shown['joint error [rad]'] = f'mean {error["mean"]}, p95 {error["p95"]}, largest {error["largest"]}'
        shown['decisions agree'] = f'{result["decision_agreement"]:.1%} of the time'
        shown['false holds'] = f'{holds["count"]}, {holds["share_of_motion"]:.1%} of the motion'
    for changed in result['decision_changes']:
        shown[f'“{changed["instruction"]}”'] = f'{changed["reference"]} -> {changed["replayed"]}'
    for fault in result['faults']:
        rest = fault['seconds_to_rest']
        told = 'the arm did not move then' if not fault['moved'] else f'{rest} s to rest'
        shown[f'{fault["kind"]} at {fault["begins"]:g} s'] = 'never at rest' if rest is None else told
    for node, counts in result['refusals'].items():
        shown[f'refused by {node}'] = ', '.join(f'{reason} {count}' for reason, count in counts.items())
    for sentence in result['differences']:
        shown[f'differs ({len(shown)})'] = sentence
    return shown


def comparison_report(comparison: Comparison | None) -> dict[str, Any]:
    """The numbers of a comparison; None of them against nothing."""
    if comparison is None:
        return {'joint_error': None, 'decision_agreement': None, 'decision_changes': [], 'false_holds': None}
    return {
        'joint_error': {
            'mean': round(comparison.mean, 6),
            'p95': round(comparison.p95, 6),
            'largest': round(comparison.largest, 6),
            'by_joint': {name: round(value, 6) for name, value in comparison.by_joint.items()},
        },
        'decision_agreement': round(comparison.agreement, 4),
        'decision_changes': [asdict(changed) for changed in comparison.changed],
        'false_holds': {
            'count': len(comparison.false_holds),
            'share_of_motion': round(comparison.false_hold_share, 4),
            'at': list(comparison.false_holds),
        },
    }


def _rest(outcome: Outcome, fault: Any) -> dict[str, Any]:
    rest = rest_after(outcome.replayed, fault, outcome.seconds)
    return {
        **asdict(fault),
        'moved': rest.moved,
        'seconds_to_rest': rest.seconds_to_rest,
        'seconds_to_motion': rest.seconds_to_motion,
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    p50, p99 = (float(value) * 1e3 for value in np.percentile(seconds, [50, 99]))
    return {'p50': round(p50, 2), 'p99': round(p99, 2), 'count': len(seconds)}
