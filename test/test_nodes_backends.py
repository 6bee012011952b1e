"""The reasoning node with another mind, over real DDS and real HTTP: what it says drives the bundle's own body."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('tokenizers')

from chat_server import ChatServer, hangs, raw, says
from diagnostic_msgs.msg import DiagnosticArray
from node_graph import Graph, eventually, refusals
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vla_ros.bundle import load_bundle
from vla_ros.nodes import qos
from vla_ros.nodes.image_messages import image_message, matrix_message
from vla_ros.nodes.messages import nanoseconds, time_message
from vla_ros.nodes.reasoning import ReasoningNode
from vla_ros.paths import bundle_directory

MANIFEST = load_bundle(bundle_directory('tabletop')).manifest
CAMERA = MANIFEST.reasoning.location_camera
GO = json.dumps({'think': 't', 'verdict': 'go', 'subtask': 'touch red cube', 'target': [0.5, 0.5]})


class Table:
    """A reasoning node that asks a server, and what it says."""

    def __init__(self, graph: Graph, server: ChatServer, **parameters: Any) -> None:
        self.graph = graph
        self.thoughts = graph.ear(Image, 'reasoning/thought', QoSProfile(depth=50))
        self.decisions = graph.ear(DiagnosticArray, 'reasoning/decision', QoSProfile(depth=50))
        given = {'answer_timeout': 60.0, 'max_token_age': 60.0, **parameters}
        self.node = graph.active(
            ReasoningNode, backend='openai', openai_url=server.url, openai_model='m', **given
        )

    def see(self, image: bool = True) -> int:
        """Tokens, and then the image that they are of, as perception publishes them."""
        stamp = self.graph.now()
        if MANIFEST.reasoning.hand is not None:
            joints = JointState(name=list(MANIFEST.robot.joints), position=list(MANIFEST.robot.rest))
            joints.header.stamp = time_message(stamp)
            self.graph.say(joints, 'joint_states', qos.JOINT_STATES_OUT)
            assert eventually(lambda: self.node._joints is not None)
        matrix = np.zeros((MANIFEST.tokens.rows, MANIFEST.tokens.width), np.float32)
        self.graph.say(matrix_message(matrix, stamp), 'perception/tokens', qos.STREAM_OUT)
        if image:
            picture = image_message(np.zeros((8, 8, 3), np.uint8), stamp + 1000)
            self.graph.say(picture, f'perception/{CAMERA}/image', qos.STREAM_OUT)
        return stamp

    def tell(self, words: str) -> None:
        self.graph.say(String(data=words), 'instruction', qos.LATCHED)

    def decision(self, words: str) -> None:
        self.decisions.wait(lambda m: words in m.status[0].message)


def test_a_remote_go_becomes_a_thought_stamped_as_what_was_seen(graph: Graph) -> None:
    with ChatServer(says(GO)) as server:
        table = Table(graph, server)
        table.tell('touch the red one')
        stamp = table.see()
        thought = table.thoughts.wait(lambda m: m.height > 0)

    assert nanoseconds(thought.header.stamp) == stamp
    assert thought.width == MANIFEST.thought.width
    assert refusals(table.node) == {}


def test_a_server_that_fails_is_counted_and_the_arm_holds_until_it_answers_again(graph: Graph) -> None:
    with ChatServer(raw(b'', status=401), says('garbage'), says(GO)) as server:
        table = Table(graph, server)
        table.tell('touch')
        table.see()
        table.decision('HTTP 401')
        assert refusals(table.node) == {'reasoning_refused': 1}
        table.tell('touch it')
        table.decision('not in the declared form')
        assert all(m.height == 0 for m in table.thoughts.messages)
        table.tell('touch the red one')
        table.thoughts.wait(lambda m: m.height > 0)


def test_a_new_instruction_does_not_wait_for_a_server_that_hangs(graph: Graph) -> None:
    with ChatServer(hangs(), says(GO)) as server:
        table = Table(graph, server)
        table.tell('touch this')
        table.see()
        assert eventually(lambda: len(server.asked) == 1)
        table.tell('touch that')
        thought = table.thoughts.wait(lambda m: m.height > 0)

    assert thought.height <= MANIFEST.thought.rows
    assert 'touch that' in server.asked[1]['messages'][1]['content'][1]['text']


def test_without_the_image_nothing_is_asked(graph: Graph) -> None:
    with ChatServer(says(GO)) as server:
        table = Table(graph, server)
        table.tell('touch')
        table.see(image=False)
        table.decision('expected the image that the tokens are of')

    assert server.asked == []


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'temperature': 0.7}, 'temperature: expected 0'),
        ({'prompt': 'poem'}, 'prompt: expected one of'),
        ({'openai_model': ''}, 'openai_model'),
        ({'openai_key_variable': 'NO_SUCH_KEY'}, 'NO_SUCH_KEY'),
        ({'backend': 'transformers'}, 'transformers'),
        ({'prompt': 'trace', 'openai_constrain': True}, 'openai_constrain'),
    ],
)
def test_what_cannot_work_is_said_when_the_node_is_configured(
    graph: Graph, parameters: dict[str, Any], words: str
) -> None:
    node = graph.add(ReasoningNode, **{'backend': 'openai', 'openai_model': 'm', **parameters})
    assert eventually(lambda: words in node.health.report().summary)
    assert not node.is_active
