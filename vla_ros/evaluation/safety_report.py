"""An attack with the limits and the model that come with the package, and what it came to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vla_ros.action.limits import load_limits
from vla_ros.evaluation.model_chunks import model_chunks
from vla_ros.evaluation.planning_speed import planning_speed
from vla_ros.evaluation.safety import attack
from vla_ros.paths import bundle_directory, config_file
from vla_ros.sim.model import JOINT_NAMES, REST_POSE


def safety_report(chunks: int, seed: int, bundle: str, on_chunks: Callable[[int], None]) -> dict[str, Any]:
    """The numbers of ``vla_ros eval safety``; no bundle leaves the attacks with a model out.

    Raises:
        VlaError: no limits, or a bundle that is not there or not for this robot.
    """
    limits = load_limits(config_file('joint_limits.yaml'), JOINT_NAMES)
    model = model_chunks(bundle_directory(bundle), JOINT_NAMES) if bundle else None
    speed = planning_speed(limits, REST_POSE, seed)
    return attack(limits, chunks=chunks, seed=seed, model=model, on_chunks=on_chunks) | {'speed': speed}


def summary(report: dict[str, Any]) -> dict[str, str]:
    """Lines of a table."""
    refused = ', '.join(f'{reason} {count}' for reason, count in report['refused'].items())
    shares = ', '.join(
        f'{name} {100 * share:.1f} %' for name, share in report['largest_share_of_limit'].items()
    )
    lines = {
        'violations': str(report['violations']),
        'plans sent': f'{report["accepted"]}, and {report["brakes"]} brakes',
        'refused': refused,
        'closest to a limit': shares,
        'plan under attack': _milliseconds(report['plan_ms']),
    }
    lines |= {f'speed, {name}': _milliseconds(values) for name, values in report.get('speed', {}).items()}
    lines |= {f'example {i + 1}': sentence for i, sentence in enumerate(report['examples'])}
    return lines


def _milliseconds(values: dict[str, float]) -> str:
    return f'{values["p50"]:.2f} ms (p50), {values["p99"]:.2f} ms (p99)'
