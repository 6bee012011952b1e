"""How to plan, by the action node's parameters: the same numbers on a robot and in offline evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vla_ros.action.guard import GuardSettings
from vla_ros.action.planner import PlannerSettings
from vla_ros.action.shape import ShapeSettings
from vla_ros.action.stitch import StitchSettings
from vla_ros.action.stitching import make_stitching
from vla_ros.manifest import ChunkSpec, Manifest
from vla_ros.types import VlaError

START_JUMP = (0.25,)
ENSEMBLE_DECAY = 0.01
GUARD_JUMP = 0.1
"""rad that the guard allows beyond start_jump: the arm goes on between measuring and planning."""


def planner_settings(
    values: Mapping[str, Any], manifest: Manifest, chunk: ChunkSpec | None = None
) -> PlannerSettings:
    """The settings that parameters stand for; one that is not among ``values`` has its default.

    ``chunk`` is that of the policy, if it is not the manifest's; plans have points as far apart as the manifest's.

    Raises:
        VlaError: ``start_jump`` has neither one value nor one a joint, or ``stitching`` does not fit the bundle.
    """
    joints = len(manifest.robot.joints)
    jumps = tuple(float(jump) for jump in values.get('start_jump', START_JUMP))
    if len(jumps) not in (1, joints):
        raise VlaError(f"parameter 'start_jump': expected 1 or {joints} values, found {len(jumps)}")
    jumps = jumps * joints if len(jumps) == 1 else jumps
    return PlannerSettings(
        seed=values.get('seed', PlannerSettings.seed),
        stamp_plans=values.get('stamp_plans', PlannerSettings.stamp_plans),
        stitching=make_stitching(
            values.get('stitching', 'auto'),
            (chunk or manifest.chunk).prefix,
            values.get('ensemble_decay', ENSEMBLE_DECAY),
        ),
        stitch=StitchSettings(
            transport_lead=values.get('transport_lead', StitchSettings.transport_lead), start_jump=jumps
        ),
        shape=ShapeSettings(dt=manifest.chunk.dt, smoothing=values.get('smoothing', ShapeSettings.smoothing)),
        guard=GuardSettings(
            max_observation_age=values.get('max_token_age', GuardSettings.max_observation_age),
            max_thought_age=values.get('max_thought_age', GuardSettings.max_thought_age),
            max_joint_state_age=values.get('max_joint_state_age', GuardSettings.max_joint_state_age),
            start_jump=tuple(jump + GUARD_JUMP for jump in jumps),
        ),
    )


def node_parameters(file: Path, node: str) -> dict[str, Any]:
    """What a ROS parameter file says of a node, in whatever namespace; empty if it says nothing.

    Raises:
        VlaError: no file, or not YAML.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise VlaError(f'{file}: expected a ROS parameter file: {str(error).splitlines()[0]}') from error
    for name, entry in content.items() if isinstance(content, dict) else ():
        if str(name).rsplit('/', 1)[-1] == node and isinstance(entry, dict):
            return dict(entry.get('ros__parameters', {}))
    return {}


def action_parameters(file: Path) -> dict[str, Any]:
    """What a ROS parameter file says of the action node, in whatever namespace.

    Raises:
        VlaError: no file, not YAML, or nothing about an action node.
    """
    found = node_parameters(file, 'action')
    if not found:
        raise VlaError(f"{file}: expected parameters of a node 'action', found none")
    return found
