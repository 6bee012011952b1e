"""The model under test, with the parameters of the three nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vla_ros.action.frozen import MAX_UNSEEN_MOTION
from vla_ros.action.generations import FLOW, chunk_of, open_policy
from vla_ros.action.limits import load_limits
from vla_ros.action.planner import Planner
from vla_ros.action.settings import action_parameters, node_parameters, planner_settings
from vla_ros.bundle import MANIFEST, load_bundle, sha256
from vla_ros.graph import PARAMETERS_FILE
from vla_ros.manifest import CameraSpec, HandSpec
from vla_ros.paths import config_file
from vla_ros.perception.blank import LEAST_CONTRAST
from vla_ros.perception.encoder import Encoder
from vla_ros.perception.intake import IntakeSettings
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.reasoning.orders import ReasoningSettings
from vla_ros.reasoning.reasoner import Reasoner
from vla_ros.robots import for_robot
from vla_ros.types import Frame, VisualTokens

REPLAN_RATE = 8.0  # 1/s, as the default of the action node


@dataclass(frozen=True)
class Model:
    """What a replay runs.

    Attributes:
        name: of the bundle.
        fingerprint: SHA-256 of its manifest, which has those of its files; '' if it is none.
        cameras: the frames it wants, in this order.
        joints: names, in order.
        thought_width: channels of a thought vector.
        encode: frames to visual tokens.
        reasoner: System 2.
        make_planner: a fresh planner around System 1, with its settings.
        intake, reasoning: parameters of perception and reasoning.
        replan_rate: plans a second at most.
        min_contrast: levels of 255; pictures with less show nothing.
        max_unseen_motion: rad that a joint may move while a picture stays the same.
        hand: what System 2 wants to know of the gripper, if anything.
    """

    name: str
    cameras: tuple[CameraSpec, ...]
    joints: tuple[str, ...]
    thought_width: int
    encode: Callable[[Sequence[Frame]], VisualTokens]
    reasoner: Reasoner
    make_planner: Callable[[], Planner]
    intake: IntakeSettings = field(default_factory=IntakeSettings)
    reasoning: ReasoningSettings = field(default_factory=ReasoningSettings)
    replan_rate: float = REPLAN_RATE
    min_contrast: float = LEAST_CONTRAST
    max_unseen_motion: float = MAX_UNSEEN_MOTION
    fingerprint: str = ''
    hand: HandSpec | None = None


def load_model(folder: Path, parameters_file: Path | None = None) -> Model:
    """The model of a bundle, with the parameters of a ROS parameter file; None is the one that comes along.

    Raises:
        VlaError: the bundle is not valid, the file says nothing of the nodes, or the limits do not fit the robot.
    """
    bundle = load_bundle(folder)
    manifest = bundle.manifest
    file = parameters_file or config_file(PARAMETERS_FILE)
    acting, seeing = for_robot(action_parameters(file), manifest), node_parameters(file, 'perception')
    limits = load_limits(acting['limits_file'], manifest.robot.joints)
    generation = int(acting.get('generation', FLOW))
    chunk = chunk_of(manifest, generation)
    settings = planner_settings(acting, manifest, chunk)
    policy = open_policy(bundle, generation=generation)
    return Model(
        name=manifest.name,
        fingerprint=sha256(folder / MANIFEST),
        cameras=tuple(manifest.cameras),
        joints=tuple(manifest.robot.joints),
        thought_width=manifest.thought.width,
        encode=Encoder(bundle).encode,
        reasoner=OnnxReasoner(bundle),
        make_planner=lambda: Planner(policy, chunk, limits, settings),
        intake=_chosen(IntakeSettings, seeing),
        reasoning=_chosen(ReasoningSettings, node_parameters(file, 'reasoning')),
        replan_rate=float(acting.get('replan_rate', REPLAN_RATE)),
        min_contrast=float(seeing.get('min_contrast', LEAST_CONTRAST)),
        max_unseen_motion=float(acting.get('max_unseen_motion', MAX_UNSEEN_MOTION)),
        hand=manifest.reasoning.hand,
    )


def _chosen(kind: Any, parameters: Mapping[str, Any]) -> Any:
    """Settings with those of their fields that the parameters name."""
    return kind(**{name: parameters[name] for name in kind.__dataclass_fields__ if name in parameters})
