"""All four nodes together over real DDS, with small fakes for the models: from a sentence to a moving arm and back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')

from diagnostic_msgs.msg import DiagnosticArray
from node_graph import refusals, write_bundle
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_ros.nodes import action_settings, perception, qos, reasoning, simulator
from vla_ros.nodes.action import ActionNode
from vla_ros.nodes.joint_messages import joints_from_message
from vla_ros.nodes.perception import PerceptionNode
from vla_ros.nodes.reasoning import ReasoningNode
from vla_ros.nodes.simulator import SimulatorNode
from vla_ros.paths import config_file
from vla_ros.sim.model import JOINT_NAMES, REST_POSE
from vla_ros.types import ActionChunk, Decision, Frame, Thought, Verdict, VisualTokens

CPU = ('CPUExecutionProvider',)


class Eyes:
    """Sees nothing in particular."""

    providers = CPU

    def encode(self, frames: Sequence[Frame]) -> VisualTokens:
        return VisualTokens(min(frame.stamp for frame in frames), np.zeros((4, 3), np.float32))


class Mind:
    """Understands 'left' and 'right'; its thought is the direction."""

    providers = CPU

    def think(
        self, tokens: VisualTokens, instruction: str, on_text: Callable[[str], None] | None = None
    ) -> tuple[Decision, Thought]:
        direction = {'left': 1.0, 'right': -1.0}.get(instruction)
        if direction is None:
            decision = Decision(Verdict.REFUSED, 'left or right only', instruction, '')
            return decision, Thought(tokens.stamp, np.zeros((0, 5), np.float32))
        decision = Decision(Verdict.GO, f'turn {instruction}', instruction, '')
        return decision, Thought(tokens.stamp, np.full((1, 5), direction, np.float32))


class Muscles:
    """Turns the first joint the way the thought says, and stays as it is with the others."""

    providers = CPU

    def act(self, tokens: Any, thought: Any, joints: Any, noise: Any, prefix: Any = None) -> ActionChunk:
        steps = np.zeros((8, 6))
        steps[:, 0] = thought.rows[0, 0] * 0.03 * np.arange(1, 9)
        return ActionChunk(tokens.stamp, 0.05, np.array([joints.positions[0], *REST_POSE[1:]]) + steps)

    def warm_up(self) -> None:
        pass


def test_a_sentence_moves_the_arm_another_turns_it_round_and_stop_stops_it(graph, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / 'tiny', JOINT_NAMES)
    # Simulated time: a slow machine slows the world down, not only the model.
    common = {'use_sim_time': True, 'bundle': str(bundle)}
    graph.active(SimulatorNode, publish_clock=True, use_sim_time=True, seed=1_000_003)
    graph.active(lambda **o: PerceptionNode(lambda *_, **__: Eyes(), **o), **common)
    graph.active(lambda **o: ReasoningNode(lambda *_, **__: Mind(), **o), **common)
    action = graph.active(
        lambda **o: ActionNode(lambda *_, **__: Muscles(), **o),
        limits_file=str(bundle / 'joint_limits.yaml'),
        max_unseen_motion=0.0,  # to these eyes all pictures are the same
        **common,
    )
    joints = graph.ear(JointState, 'joint_states', QoSProfile(depth=100))
    plans = graph.ear(JointTrajectory, 'joint_trajectory', QoSProfile(depth=100))
    decisions = graph.ear(DiagnosticArray, 'reasoning/decision', QoSProfile(depth=100))

    def pan(message: JointState) -> float:
        return float(joints_from_message(message, JOINT_NAMES).positions[0])

    def tell(words: str) -> None:
        graph.say(String(data=words), 'instruction', qos.LATCHED)

    tell('left')
    decisions.wait(lambda m: m.status[0].message == 'turn left')
    assert plans.messages == [], 'not enabled yet'
    assert graph.call(SetBool, 'action/enable', SetBool.Request(data=True)).success
    joints.wait(lambda m: pan(m) > 0.2)

    tell('right')
    count = len(joints.messages)
    joints.wait(lambda m: pan(m) < 0.1, after=count)

    tell('sideways')
    decisions.wait(lambda m: m.status[0].message == 'left or right only')
    rest = pan(joints.wait(lambda m: abs(m.velocity[0]) < 0.01, after=len(joints.messages) + 10))
    held = joints.wait(after=len(joints.messages) + 50)
    assert pan(held) == pytest.approx(rest, abs=0.02)

    tell('left')
    joints.wait(lambda m: pan(m) > rest + 0.1, after=len(joints.messages))
    assert graph.call(Trigger, 'action/stop', Trigger.Request()).success
    count = len(plans.messages)
    joints.wait(after=len(joints.messages) + 50)
    assert len(plans.messages) <= count + 1, 'after a stop, at most the brake is still on its way'
    assert not {'internal_error', 'bad_plan', 'clock_went_back'} & set(refusals(action))


TABLES = {
    'perception': perception.SETTINGS,
    'reasoning': reasoning.SETTINGS,
    'action': action_settings.SETTINGS,
    'simulator': simulator.SETTINGS,
}


@pytest.mark.parametrize('name', TABLES)
def test_the_parameter_file_names_only_parameters_that_exist_with_values_that_they_take(name: str) -> None:
    content = yaml.safe_load(config_file('vla.params.yaml').read_text())
    known = {setting.name: setting for setting in TABLES[name]}
    for key, value in content[f'/**/{name}']['ros__parameters'].items():
        if key == 'autostart':
            continue
        setting = known[key]
        assert type(value) is type(setting.default), key
        assert setting.problem(value) is None
        if setting.minimum is not None and not isinstance(value, list):
            assert setting.minimum <= value <= setting.maximum


@pytest.mark.parametrize('name', TABLES)
def test_every_parameter_says_what_it_means_and_defaults_to_a_value_it_takes(name: str) -> None:
    for setting in TABLES[name]:
        assert setting.description.endswith('.')
        assert setting.problem(setting.default) is None
        assert (setting.minimum is None) == (setting.maximum is None)


def test_composed_on_a_robot_needs_no_simulator() -> None:
    code = (
        'import sys; from vla_ros.nodes.composed import makers;'
        "names = [m.__name__ for m in makers(['perception', 'reasoning', 'action'])];"
        "print(names, 'mujoco' in sys.modules, 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
    # The order is that of shutting down: what drives the arm first.
    assert told.strip() == "['ActionNode', 'ReasoningNode', 'PerceptionNode'] False False"
