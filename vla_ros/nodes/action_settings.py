"""The parameters of the action node, and what they mean for planning."""

from __future__ import annotations

from pathlib import Path

from vla_ros.action.guard import GuardSettings
from vla_ros.action.planner import PlannerSettings
from vla_ros.action.shape import ShapeSettings
from vla_ros.action.stitch import StitchSettings
from vla_ros.action.stitching import CHOICES, make_stitching
from vla_ros.bundle import Manifest
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.model import MODEL_SETTINGS
from vla_ros.nodes.parameters import Setting
from vla_ros.paths import config_file
from vla_ros.types import VlaError

SETTINGS = (
    *MODEL_SETTINGS,
    Setting(
        'limits_file', 'joint_limits.yaml', "Joint limits with MoveIt's keys: a path, or a file in config/."
    ),
    Setting('start_enabled', False, 'Enable the arm on activation, without a call of action/enable.'),
    Setting('replan_rate', 8.0, 'Plans a second.', 0.5, 100.0, live=True),
    Setting(
        'max_token_age', 0.5, 'Visual tokens older than this in s are not acted on.', 0.01, 10.0, live=True
    ),
    Setting('max_thought_age', 3.0, 'Older thoughts than this in s mean: hold still.', 0.05, 60.0, live=True),
    Setting('max_joint_state_age', 0.2, 'Older joint states in s are not acted on.', 0.01, 10.0, live=True),
    Setting('seed', 0, 'With the stamp of the tokens, it makes the noise of the flow.', 0, 2**31, live=True),
    Setting('dry_run', False, 'Publish plans on action/dry_run instead of joint_trajectory.', live=True),
    Setting('transport_lead', 0.01, 'Until the controller has a plan, in s.', 0.0, 1.0, live=True),
    Setting(
        'smoothing', 0.08, 'Motions quicker than about this in s are smoothed away.', 0.01, 1.0, live=True
    ),
    Setting(
        'start_jump',
        [0.25],
        'Where plan and measurement differ more (rad, one value or one a joint), start from the measured state.',
        0.0,
        10.0,
    ),
    Setting(
        'stitching',
        'auto',
        'From chunk to chunk: clean prefix, frozen steps and a ramp, or an ensemble over time; '
        'auto is prefix if the bundle can, else ramp.',
        choices=CHOICES,
    ),
    Setting(
        'ensemble_decay', 0.01, "m of ACT's weights exp(-m i), the oldest chunk is 0.", 0.0, 1.0, live=True
    ),
)
GUARD_JUMP = (
    0.1  # rad that the guard allows beyond start_jump: the arm goes on between measuring and planning
)


def limits_path(node: VlaNode) -> Path:
    """The file that ``limits_file`` names; a name without a folder is one of those in config/.

    Raises:
        VlaError: there is no such file in config/. No limits, no motion.
    """
    named = Path(node.setting('limits_file')).expanduser()
    return config_file(named.name) if named.parent == Path('.') else named


def planner_settings(node: VlaNode, manifest: Manifest) -> PlannerSettings:
    """How to plan, by the present values of the node's parameters.

    Raises:
        VlaError: ``start_jump`` has neither one value nor one a joint, or ``stitching`` does not fit the bundle.
    """
    joints = len(manifest.robot.joints)
    jumps = tuple(float(jump) for jump in node.setting('start_jump'))
    if len(jumps) not in (1, joints):
        raise VlaError(f"parameter 'start_jump': expected 1 or {joints} values, found {len(jumps)}")
    jumps = jumps * joints if len(jumps) == 1 else jumps
    return PlannerSettings(
        seed=node.setting('seed'),
        stitching=make_stitching(
            node.setting('stitching'), manifest.chunk.prefix, node.setting('ensemble_decay')
        ),
        stitch=StitchSettings(transport_lead=node.setting('transport_lead'), start_jump=jumps),
        shape=ShapeSettings(dt=manifest.chunk.dt, smoothing=node.setting('smoothing')),
        guard=GuardSettings(
            max_observation_age=node.setting('max_token_age'),
            max_thought_age=node.setting('max_thought_age'),
            max_joint_state_age=node.setting('max_joint_state_age'),
            start_jump=tuple(jump + GUARD_JUMP for jump in jumps),
        ),
    )
