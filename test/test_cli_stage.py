"""Orders through a whole graph over DDS, with an expert in the place of the trained model."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from node_graph import PATIENCE, Graph, write_bundle

from vla_ros.evaluation.episodes import Episode
from vla_ros.nodes.action import ActionNode
from vla_ros.nodes.client import Client
from vla_ros.nodes.perception import PerceptionNode
from vla_ros.nodes.reasoning import ReasoningNode
from vla_ros.nodes.ros_trials import outcome_of
from vla_ros.nodes.simulator import SimulatorNode
from vla_ros.nodes.stage import Stage
from vla_ros.paths import config_file
from vla_ros.reasoning.trace import Request, Sighting, read, write
from vla_ros.sim.expert import Expert
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.tasks import Task
from vla_ros.sim.world import World
from vla_ros.types import ActionChunk, Subtask, Thought, Verdict, VisualTokens, VlaError

SEED = 1_000_000
PRESENT, ABSENT = 'green cube', 'orange cube'
HORIZON, DT = 8, 0.05  # of the bundle that write_bundle writes


class KnowingModel:
    """Eyes, reasoning and motion that know the scene instead of looking at it."""

    providers = ('CPUExecutionProvider',)

    def __init__(self) -> None:
        self.scene = sample_scene(SEED)
        self.world = World(self.scene)
        self.wanted = PRESENT

    def encode(self, frames: Any) -> VisualTokens:
        return VisualTokens(min(frame.stamp for frame in frames), np.zeros((4, 3), np.float32))

    def think(self, tokens: VisualTokens, instruction: str, on_text: Any = None) -> Any:
        self.wanted = ' '.join(instruction.split()[-2:])
        text = write(
            [Sighting(thing.name, 0.5, 0.5) for thing in self.scene.objects],
            Request((Subtask('touch', self.wanted),)),
            16,
        )
        on_text(text)
        decision = read(text, instruction, 16, 'front')
        rows = np.ones((1 if decision.verdict is Verdict.GO else 0, 5), np.float32)
        return decision, Thought(tokens.stamp, rows)

    def act(
        self, tokens: VisualTokens, thought: Thought, joints: Any, noise: Any, prefix: Any = None
    ) -> ActionChunk:
        self.world.set_joints(joints.positions)
        expert = Expert(self.world, Task('touch', self.wanted))
        positions = []
        for _ in range(HORIZON):
            positions.append(expert.action())
            self.world.follow(positions[-1], DT)
        return ActionChunk(tokens.stamp, DT, np.array(positions))

    def warm_up(self) -> None:
        pass


@pytest.fixture
def client(ros_domain: int, tmp_path: Path) -> Iterator[Client]:
    model = KnowingModel()

    def make(*_: Any, **__: Any) -> KnowingModel:
        return model

    bundle = str(write_bundle(tmp_path / 'bundle', JOINT_NAMES))
    # Simulated time: the world waits for its cameras, so a busy machine makes nothing late.
    common: dict[str, Any] = {'bundle': bundle, 'use_sim_time': True}
    with Graph(ros_domain) as graph, Client() as person:
        graph.active(SimulatorNode, seed=SEED, use_sim_time=True, publish_clock=True)
        graph.active(partial(PerceptionNode, make), **common)
        graph.active(partial(ReasoningNode, make), **common)
        limits = str(config_file('joint_limits.yaml'))
        # To these eyes all pictures are the same.
        graph.active(partial(ActionNode, make), limits_file=limits, max_unseen_motion=0.0, **common)
        yield person


@pytest.mark.slow
def test_an_order_is_carried_out_and_judged_and_an_impossible_one_refused_with_the_arm_at_rest(
    client: Client,
) -> None:
    client.wait_active(['simulator', 'perception', 'reasoning', 'action'], PATIENCE, lambda: None)
    stage = Stage(client, lambda: None)

    stage.set_scene(SEED, f'touch:{PRESENT}')
    done = stage.carry_out(f'touch the {PRESENT}')
    stage.set_scene(SEED, '')
    refused = stage.refuse(f'touch the {ABSENT}', still=1.0)

    assert (done.success, done.failure, done.refused) == (True, '', False)
    assert done.farthest > 0.1
    assert done.decision is not None and done.decision.subtask == f'touch {PRESENT}'
    assert (refused.success, refused.refused, refused.failure) == (True, True, '')
    assert refused.farthest < 0.02
    assert refused.decision is not None and refused.decision.subtask == f'there is no {ABSENT}'


@pytest.mark.slow
def test_a_false_refusal_is_told_at_once_and_not_after_the_time_limit(client: Client) -> None:
    stage = Stage(client, lambda: None)

    stage.set_scene(SEED, f'touch:{PRESENT}')
    ended = stage.carry_out(f'touch the {ABSENT}')

    assert (ended.success, ended.refused, ended.failure) == (False, True, 'refused')
    outcome = outcome_of(Episode(0, SEED, 'touch', PRESENT, ''), ended, 1.0)
    assert (outcome.failure, outcome.subtask) == ('refused', f'there is no {ABSENT}')


@pytest.mark.slow
def test_a_parameter_that_is_declined_is_told_with_its_reason(client: Client) -> None:
    with pytest.raises(VlaError, match="simulator: parameter 'speed' was declined: "):
        client.set_parameters('simulator', {'speed': 1000.0})


@pytest.mark.slow
def test_a_node_that_could_not_start_is_told_with_its_own_sentence(ros_domain: int, tmp_path: Path) -> None:
    with Graph(ros_domain) as graph, Client() as person:
        graph.add(ActionNode, bundle=str(tmp_path / 'nothing'))

        with pytest.raises(VlaError, match='action could not configure: bundle: expected a folder'):
            person.wait_active(['action'], PATIENCE, lambda: None)


@pytest.mark.slow
def test_a_service_that_nobody_offers_is_told_in_one_sentence(
    ros_domain: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('vla_ros.nodes.client.SERVICE_TIMEOUT', 0.1)
    with (
        Client() as person,
        pytest.raises(VlaError, match='action/enable: the service did not appear within 0.1 s'),
    ):
        person.enable()
