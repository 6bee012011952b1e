"""The simulated robot and all nodes in one process, over real DDS, with a model that thinks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from node_graph import Graph, write_bundle

from vla_ros.nodes.action import ActionNode
from vla_ros.nodes.perception import PerceptionNode
from vla_ros.nodes.reasoning import ReasoningNode
from vla_ros.nodes.simulator import SimulatorNode
from vla_ros.nodes.visualise import VisualiseNode
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.types import ActionChunk, Frame, VisualTokens


class Model:
    """A model that is only run once, to warm up; which of the three does not matter."""

    providers = ('CPUExecutionProvider',)

    def encode(self, frames: Sequence[Frame]) -> VisualTokens:
        return VisualTokens(min(frame.stamp for frame in frames), np.zeros((4, 3), np.float32))

    def act(self, tokens: Any, thought: Any, joints: Any, noise: Any, prefix: Any = None) -> ActionChunk:
        return ActionChunk(tokens.stamp, 0.05, np.tile(joints.positions, (8, 1)))

    def warm_up(self) -> None:
        pass


def start_everybody(graph: Graph, folder: Path) -> None:
    """All five nodes, active, the simulator slowly."""
    bundle = write_bundle(folder / 'tiny', JOINT_NAMES)
    common = {'use_sim_time': True, 'bundle': str(bundle)}

    def model(*_: Any, **__: Any) -> Model:
        return Model()

    graph.active(SimulatorNode, publish_clock=True, camera_rate=0.5, joint_state_rate=1.0, speed=0.05)
    graph.active(lambda **o: PerceptionNode(model, **o), **common)
    graph.active(lambda **o: ReasoningNode(model, **o), **common)
    graph.active(lambda **o: ActionNode(model, **o), limits_file=str(bundle / 'joint_limits.yaml'), **common)
    graph.active(VisualiseNode, use_sim_time=True)
