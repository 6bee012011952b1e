"""A served policy for the two joints of ``node_graph.write_bundle``, and what it is asked with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.action.remote.policy_file import PolicyFile, load_policy_file
from vla_ros.bundle import load_bundle
from vla_ros.manifest import Manifest
from vla_ros.paths import bundle_directory
from vla_ros.strict_yaml import write_yaml
from vla_ros.types import JointSample, Pictures, Thought

HORIZON, DT = 8, 0.05
COLUMNS = [
    {'joint': 'lift', 'unit': 'deg', 'sign': -1, 'zero': 0.5},
    {
        'joint': 'pan',
        'unit': 'line',
        'first': {'theirs': 0, 'rad': -1.0},
        'second': {'theirs': 1, 'rad': 1.0},
    },
]
"""theirs of lift = (0.5 - rad) in degrees; theirs of pan = (rad + 1) / 2."""


def policy_content(backend: str = 'openpi', **changes: Any) -> dict[str, Any]:
    return {
        'name': 'served',
        'title': 'A policy of a test',
        'backend': backend,
        'prompt': 'subtask',
        'prompt_key': 'prompt',
        'horizon': HORIZON,
        'dt': DT,
        'pictures': [{'key': 'video/front', 'camera': 'front'}],
        'state': [{'key': 'state', 'columns': COLUMNS}],
        'actions': [{'key': 'actions', 'space': 'joint', 'representation': 'absolute', 'columns': COLUMNS}],
        **changes,
    }


def tiny_manifest() -> Manifest:
    """The bundle that ships, as if it were made for an arm of two joints and for small pictures."""
    manifest = load_bundle(bundle_directory('tabletop')).manifest
    return manifest.model_copy(
        update={
            'robot': manifest.robot.model_copy(update={'joints': ('pan', 'lift'), 'rest': (0.0, 0.0)}),
            'cameras': tuple(
                camera.model_copy(update={'width': 8, 'height': 6}) for camera in manifest.cameras
            ),
        }
    )


def policy_path(folder: Path, backend: str = 'openpi', **changes: Any) -> Path:
    path = folder / 'served.yaml'
    write_yaml(path, policy_content(backend, **changes))
    return path


def policy_file(folder: Path, backend: str = 'openpi', **changes: Any) -> PolicyFile:
    return load_policy_file(str(policy_path(folder, backend, **changes)))


def theirs(targets: np.ndarray) -> np.ndarray:
    """Targets (H, J) rad, as ``pan, lift``, in the policy's own numbers."""
    pan, lift = targets[:, 0], targets[:, 1]
    return np.stack([np.degrees(0.5 - lift), (pan + 1) / 2], axis=1)


PICTURES = Pictures(7, tuple(np.full((6, 8, 3), shade, np.uint8) for shade in (10, 20)))
THOUGHT = Thought(5, np.ones((1, 5), np.float32))
JOINTS = JointSample(7, np.array([0.2, -0.3]), np.zeros(2))
NOISE = np.zeros((HORIZON, 2), np.float32)
TARGETS = JOINTS.positions + np.arange(1, HORIZON + 1)[:, None] * 0.01
