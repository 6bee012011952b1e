"""What came of a demonstration, as numbers: read from its bag, so that it can be read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vla_ros.diagnostics import latency_told
from vla_ros.evaluation.machine import machine, versions
from vla_ros.evaluation.recording import Recording, Timeline
from vla_ros.evaluation.segments import Segment, segments
from vla_ros.evaluation.story import Order, Story

LATENCIES = {
    'camera_to_tokens_ms': ('perception', 'camera to tokens'),
    'camera_to_thought_ms': ('reasoning', 'camera to thought'),
    'camera_to_trajectory_ms': ('action', 'camera to trajectory'),
    'planning_ms': ('action', 'planning'),
    'thinking_ms': ('reasoning', 'thinking'),
}
RATES = {
    'front_camera_hz': 'camera/front/image_raw',
    'wrist_camera_hz': 'camera/wrist/image_raw',
    'joint_states_hz': 'joint_states',
    'tokens_hz': 'perception/tokens',
    'thoughts_hz': 'reasoning/thought',
    'trajectories_hz': 'joint_trajectory',
}


def demo_report(recording: Recording, story: Story, bundle: str) -> dict[str, Any]:
    """The report of one run of the story."""
    cut = segments(recording)
    orders = [_order(order, _find(cut, order)) for order in story.orders]
    return {
        'success': all(order['as_expected'] for order in orders),
        'orders': orders,
        'latencies': latencies(recording),
        'rates': {name: _rate(recording, cut, topic) for name, topic in RATES.items()},
        'refused_plans': refused_plans(recording),
        'real_time_factor': real_time_factor(recording),
        'seconds': round(recording.ends - recording.begins, 1),
        'seed': story.seed,
        'bundle': bundle,
        'machine': machine(),
        'versions': versions(),
    }


def latencies(recording: Recording) -> dict[str, dict[str, Any]]:
    """p50, p99 and number of samples as the nodes themselves measured them, over the whole run, in ms.

    What begins at a camera's stamp is timed by the clock of the stamps, the simulator's; computing alone, by the wall.
    """
    found = {}
    for name, (node, key) in LATENCIES.items():
        told = latency_told(_last(recording, node), key)
        if told is not None:
            found[name] = {**asdict(told), 'clock': 'simulated' if key.startswith('camera') else 'wall'}
    return found


def real_time_factor(recording: Recording) -> float | None:
    """Simulated seconds a second, on average over the run; None if the simulator did not say."""
    line = recording.diagnostics.get('simulator', Timeline())
    factors = [float(values['real-time factor']) for values in line.values if 'real-time factor' in values]
    return round(sum(factors) / len(factors), 3) if factors else None


def refused_plans(recording: Recording) -> dict[str, int]:
    """Refusals by node and reason, as the nodes counted them."""
    return {
        f'{node}: {key.removeprefix("refused ")}': int(value)
        for node in sorted(recording.diagnostics)
        for key, value in _last(recording, node).items()
        if key.startswith('refused ')
    }


def _last(recording: Recording, node: str) -> Mapping[str, str]:
    line = recording.diagnostics.get(node, Timeline())
    return line.values[-1] if len(line) else {}


def _find(cut: Sequence[Segment], order: Order) -> Segment | None:
    return next((segment for segment in cut if segment.instruction == order.words), None)


def _order(order: Order, segment: Segment | None) -> dict[str, Any]:
    result: dict[str, Any] = {'instruction': order.words, 'expected': order.expected.value}
    if segment is None:
        return {**result, 'ended': 'not given', 'as_expected': False}
    decision = segment.decision
    return {
        **result,
        'ended': segment.ending.value,
        'as_expected': segment.ending is order.expected,
        'seconds': round(segment.ended - segment.begins, 2),
        'decision': decision.subtask if decision is not None else '',
        'trace': decision.trace if decision is not None else '',
    }


def _rate(recording: Recording, cut: Sequence[Segment], topic: str) -> float:
    """Messages a second while orders were being followed."""
    line = recording.arrivals.get(topic, Timeline())
    seconds = sum(segment.ended - segment.begins for segment in cut)
    count = sum(len(line.between(segment.begins, segment.ended)) for segment in cut)
    return round(count / seconds, 2) if seconds > 0 else 0.0


def shortfall(report: dict[str, Any]) -> str:
    """One sentence about the orders that did not end as they should."""
    failed = [str(number) for number, order in enumerate(report['orders'], 1) if not order['as_expected']]
    orders = 'order' if len(failed) == 1 else 'orders'
    return (
        f'{orders} {", ".join(failed)} of {len(report["orders"])} did not end as expected; the exit code is 1'
    )
