"""What the numbers of a tiny GR00T mean: a policy's file, as those in config/policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vla_ros.action.remote.policy_file import PolicyFile


def groot_policy(
    parts: Mapping[str, Sequence[str]], cameras: Sequence[str], horizon: int, /, **changes: Any
) -> PolicyFile:
    """``parts`` are joints by the key of state and actions; ``changes`` take the place of keys of the file."""
    columns = {key: [{'joint': joint} for joint in joints] for key, joints in parts.items()}
    actions = {'space': 'joint', 'representation': 'absolute'}
    content: dict[str, Any] = {
        'name': 'tiny',
        'title': 'A tiny GR00T',
        'backend': 'groot_onnx',
        'prompt': 'subtask',
        'prompt_key': 'task',
        'horizon': horizon,
        'dt': 0.1,
        'pictures': [{'key': key, 'camera': key} for key in cameras],
        'state': [{'key': key, 'columns': columns[key]} for key in parts],
        'actions': [{'key': key, 'columns': columns[key], **actions} for key in parts],
    }
    return PolicyFile.model_validate({**content, **changes})
