"""The parameters of the action node, and what they mean for planning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vla_ros.action import settings
from vla_ros.action.frozen import MAX_UNSEEN_MOTION
from vla_ros.action.guard import GuardSettings
from vla_ros.action.planner import PlannerSettings
from vla_ros.action.shape import ShapeSettings
from vla_ros.action.stitch import StitchSettings
from vla_ros.action.stitching import CHOICES
from vla_ros.manifest import ChunkSpec, Manifest
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.model import MODEL_SETTINGS
from vla_ros.nodes.parameters import Setting
from vla_ros.nodes.policy_backend import BACKEND_SETTINGS
from vla_ros.robots import for_robot
from vla_ros.types import VlaError

SETTINGS = (
    *MODEL_SETTINGS,
    *BACKEND_SETTINGS,
    Setting(
        'robot',
        '',
        'Name of a robot in config/robots, or the path of such a file; empty: the one that the bundle names. '
        'A bundle for another arm is refused.',
    ),
    Setting(
        'limits_file',
        '',
        "Joint limits with MoveIt's keys: a path, or a file in config/; empty: that of the robot.",
    ),
    Setting('start_enabled', False, 'Enable the arm on activation, without a call of action/enable.'),
    Setting('replan_rate', 8.0, 'Plans a second at most.', 0.5, 100.0, live=True, unit='1/s'),
    Setting(
        'max_token_age',
        GuardSettings.max_observation_age,
        'Visual tokens older than this are not acted on.',
        0.01,
        10.0,
        live=True,
        unit='s',
    ),
    Setting(
        'max_thought_age',
        GuardSettings.max_thought_age,
        'Older thoughts than this mean: hold still.',
        0.05,
        60.0,
        live=True,
        unit='s',
    ),
    Setting(
        'max_joint_state_age',
        GuardSettings.max_joint_state_age,
        'Older joint states are not acted on.',
        0.01,
        10.0,
        live=True,
        unit='s',
    ),
    Setting(
        'max_unseen_motion',
        MAX_UNSEEN_MOTION,
        'When a joint moves further while the picture of a camera stays the same to the bit, that camera is frozen '
        'and the arm brakes; 0 believes every picture.',
        0.0,
        10.0,
        live=True,
        unit='rad',
    ),
    Setting(
        'seed',
        0,
        'With the stamp of the tokens, it makes the noise of the flow.',
        0,
        2**31,
        live=True,
        unit='1',
    ),
    Setting('dry_run', False, 'Publish plans on action/dry_run instead of joint_trajectory.', live=True),
    Setting(
        'stamp_plans',
        PlannerSettings.stamp_plans,
        'Plans say when they begin, so that one that comes late does not make the command jump; the clock that stamps '
        'joint_states must be the one of the controller. Otherwise plans begin on arrival.',
        live=True,
    ),
    Setting(
        'transport_lead',
        StitchSettings.transport_lead,
        'From sending a plan until the controller has it.',
        0.0,
        1.0,
        live=True,
        unit='s',
    ),
    Setting(
        'smoothing',
        ShapeSettings.smoothing,
        'Motions quicker than about this are smoothed away.',
        0.01,
        1.0,
        live=True,
        unit='s',
    ),
    Setting(
        'start_jump',
        [0.0],
        'Where plan and measurement differ more (one value or one a joint), start from the measured state; '
        '0: as the file of the robot says.',
        0.0,
        10.0,
        unit='rad',
    ),
    Setting(
        'stitching',
        'auto',
        'From chunk to chunk: clean prefix, frozen steps and a ramp, or an ensemble over time; '
        'auto is prefix if the bundle can, else ramp.',
        choices=CHOICES,
    ),
    Setting(
        'ensemble_decay',
        settings.ENSEMBLE_DECAY,
        "The m of ACT's weights exp(-m i); the oldest chunk is 0.",
        0.0,
        1.0,
        live=True,
        unit='1',
    ),
)


def values_in_force(node: VlaNode, manifest: Manifest) -> dict[str, Any]:
    """The present values of the node's parameters, with what they leave to the robot. See ``vla_ros.robots``.

    Raises:
        VlaError: no such robot, no file of limits (no limits, no motion), or a bundle for another arm.
    """
    values = for_robot({setting.name: node.setting(setting.name) for setting in SETTINGS}, manifest)
    if not values['limits_file']:
        raise VlaError(
            f"parameter 'limits_file': expected a file, since no robot {manifest.robot.name!r} is known, found ''; "
            'without limits nothing moves'
        )
    return values


def planner_settings(
    node: VlaNode, manifest: Manifest, in_force: Mapping[str, Any], chunk: ChunkSpec | None = None
) -> PlannerSettings:
    """How to plan, by the present values of the live parameters. See ``vla_ros.action.settings``.

    Args:
        in_force: the others, as ``values_in_force`` gave them once: while the arm moves, nothing depends on files.
        chunk: that of the policy, if it is not the manifest's.
    """
    live = {setting.name: node.setting(setting.name) for setting in SETTINGS if setting.live}
    return settings.planner_settings({**in_force, **live}, manifest, chunk)
