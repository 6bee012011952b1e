"""The whole model in one process: eyes, reasoning and motion, as the three nodes have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vla_ros.action.generations import FLOW, chunk_of, open_policy
from vla_ros.action.limits import load_limits
from vla_ros.action.planner import Planner
from vla_ros.action.settings import action_parameters, planner_settings
from vla_ros.bundle import load_bundle
from vla_ros.manifest import HandSpec
from vla_ros.paths import config_file
from vla_ros.perception.encoder import Encoder
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.reasoning.reasoner import Reasoner
from vla_ros.robots import for_robot
from vla_ros.types import Frame, VisualTokens


@dataclass(frozen=True)
class Brain:
    """What turns frames, words and joints into plans.

    Attributes:
        cameras: the frames it wants, in this order.
        encode: frames to visual tokens.
        reasoner: System 2.
        make_planner: a fresh planner around System 1; an episode must not know the plans of the one before.
        hand: what System 2 wants to know of the gripper, if anything.
    """

    cameras: tuple[str, ...]
    encode: Callable[[Sequence[Frame]], VisualTokens]
    reasoner: Reasoner
    make_planner: Callable[[], Planner]
    hand: HandSpec | None = None


def load_brain(folder: Path, *, seed: int = 0, generation: int = FLOW) -> Brain:
    """The brain of a bundle, with its robot's limits and the planning parameters that come with the package.

    Raises:
        VlaError: the bundle is not valid or has not this generation of System 1, a file is missing or altered, or the
            limits do not fit its robot.
    """
    bundle = load_bundle(folder)
    manifest = bundle.manifest
    acting = for_robot(action_parameters(config_file('vla.params.yaml')), manifest)
    limits = load_limits(acting['limits_file'], manifest.robot.joints)
    chunk = chunk_of(manifest, generation)
    settings = planner_settings(acting, manifest, chunk)
    policy = open_policy(bundle, generation=generation)
    return Brain(
        cameras=tuple(camera.name for camera in manifest.cameras),
        encode=Encoder(bundle).encode,
        reasoner=OnnxReasoner(bundle),
        make_planner=lambda: Planner(policy, chunk, limits, replace(settings, seed=seed)),
        hand=manifest.reasoning.hand,
    )
