"""How a stage of the language road was trained and what came of it, written beside its weights."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vla_ros.training.loop import Schedule


def write_metrics(
    folder: Path, schedule: Schedule, log: list[dict[str, float]], metrics: dict[str, Any], before: Any
) -> dict[str, Any]:
    """Write ``folder/metrics.json`` and return its content; ``before`` tells what the stage began with."""
    loss = log[-1]['loss'] if log else None
    summary = {'start': before, 'schedule': asdict(schedule), 'final_loss': loss, **metrics}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'metrics.json').write_text(json.dumps(summary, indent=1), encoding='utf-8')
    return summary
