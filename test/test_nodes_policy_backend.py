"""The action node with a policy on a real server, over real DDS: pictures in, the same guard, and no waiting."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('msgpack')
pytest.importorskip('zmq')

from node_graph import JOINTS, Ear, Graph, eventually, hops_told, refusals, rows, write_bundle
from policy_servers import HANG, OpenPiServer, openpi_bytes
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from served_policy import HORIZON, policy_path, theirs
from std_srvs.srv import SetBool
from trajectory_msgs.msg import JointTrajectory

from vla_ros.interfaces import interfaces
from vla_ros.nodes import qos
from vla_ros.nodes.action import ActionNode
from vla_ros.nodes.image_messages import image_message, matrix_message
from vla_ros.nodes.joint_messages import joints_message
from vla_ros.nodes.messages import decision_message, time_message
from vla_ros.types import NANOSECONDS, Decision, JointSample, Verdict, VlaError

CAMERAS = ('front', 'wrist')
FORWARD = np.arange(1, HORIZON + 1)[:, None] * np.array([0.02, 0.01])


def steady(_: Any) -> bytes:
    """Both joints forward from zero."""
    return openpi_bytes({'actions': theirs(FORWARD)})


class Bench:
    """An action node with a served policy; time stands still at 100 s unless it is set."""

    def __init__(self, graph: Graph, folder: Path, server: OpenPiServer, **parameters: Any) -> None:
        self.graph = graph
        self.plans: Ear = graph.ear(JointTrajectory, 'joint_trajectory', QoSProfile(depth=50))
        bundle = write_bundle(folder / 'tiny')
        settings = {
            'bundle': str(bundle),
            'limits_file': str(bundle / 'joint_limits.yaml'),
            'backend': 'openpi',
            'policy': str(policy_path(folder, **parameters.pop('policy', {}))),
            'server': server.address,
            'server_timeout': 20.0,
            'start_enabled': True,
            **parameters,
        }
        self.node = graph.active(ActionNode, use_sim_time=True, **settings)
        self.now = self.set_time(100.0)
        assert eventually(lambda: self.node._remote.problem == '')

    def set_time(self, seconds: float) -> int:
        self.now = round(seconds * NANOSECONDS)
        self.graph.say(Clock(clock=time_message(self.now)), '/clock', qos.STREAM_OUT)
        assert eventually(lambda: self.node.now() == self.now)
        return self.now

    def joints(self) -> None:
        message = joints_message(JOINTS, JointSample(self.now, np.zeros(2), np.zeros(2)))
        self.graph.say(message, 'joint_states', qos.JOINT_STATES_OUT)
        self._wait_for('joint state')

    def think(self, count: int = 1, verdict: Verdict = Verdict.GO) -> None:
        """A thought and its decision, in this order, as reasoning says them."""
        self.graph.say(matrix_message(rows(count, 5), self.now), 'reasoning/thought', qos.THOUGHT)
        self._wait_for('thought')
        decision = Decision(verdict, 'touch cube', 'now touch it', 'a long trace')
        self.graph.say(decision_message(decision, self.now), 'reasoning/decision', qos.LATCHED)
        if verdict is Verdict.GO:
            assert eventually(lambda: self.now in self.node._remote._words)

    def show(self, *cameras: str, size: tuple[int, int] = (6, 8)) -> None:
        for camera in cameras or CAMERAS:
            image = np.full((*size, 3), 77, np.uint8)
            self.graph.say(image_message(image, self.now), f'perception/{camera}/image', qos.STREAM_OUT)

    def see(self) -> None:
        self.show()
        self._wait_for('tokens')

    def refused(self, reason: str) -> bool:
        return eventually(lambda: refusals(self.node).get(reason, 0) > 0)

    def _wait_for(self, name: str) -> None:
        assert eventually(lambda: self.node._motion.stamps()[name] == self.now), refusals(self.node)


def topics(node: ActionNode) -> set[str]:
    return {subscription.topic_name for subscription in node.subscriptions}


def test_given_a_served_policy_when_it_sees_then_the_arm_moves_as_it_says(
    graph: Graph, tmp_path: Path
) -> None:
    with OpenPiServer(steady) as server:
        bench = Bench(graph, tmp_path, server)
        bench.joints()
        bench.think()
        bench.see()
        plan = bench.plans.wait()

    (asked,) = server.asked
    assert asked['prompt'] == 'touch cube'
    assert (asked['video/front'] == 77).all()
    reached = np.max([point.positions for point in plan.points], axis=0)
    assert (reached > 0.3 * FORWARD[-1]).all()
    assert not any(plan.points[-1].velocities)
    times = bench.node.health.report().values
    assert {'pictures to action', 'pictures to planning', 'inference'} <= hops_told(times, 'action')
    assert not hops_told(times, 'action') & {'tokens to action', 'tokens to planning'}


def test_it_hears_pictures_and_decisions_instead_of_tokens_and_nothing_else(
    graph: Graph, tmp_path: Path
) -> None:
    with OpenPiServer(steady) as server:
        bench = Bench(graph, tmp_path, server, policy={'prompt': 'instruction'})
        table = interfaces(CAMERAS, simulator=True, policy_server=True)['action'].subscribes
        assert topics(bench.node) == {f'/{name.lstrip("/")}' for name in table}
        bench.joints()
        bench.think()
        bench.see()
        bench.plans.wait()
    assert server.asked[0]['prompt'] == 'now touch it'


@pytest.mark.parametrize('verdict', [Verdict.UNSURE, Verdict.REFUSED])
def test_given_words_without_a_go_when_it_sees_then_nobody_is_asked(
    graph: Graph, tmp_path: Path, verdict: Verdict
) -> None:
    with OpenPiServer(steady) as server:
        bench = Bench(graph, tmp_path, server)
        bench.joints()
        bench.think(verdict=verdict)
        bench.see()
        assert bench.refused('policy_server')  # a thought to go, whose words are none
        assert server.asked == []

        bench.set_time(100.2)
        bench.think(count=0)
        bench.joints()
        bench.see()
    assert server.asked == []
    assert bench.plans.messages == []


def test_given_one_picture_or_one_of_another_size_when_shown_then_there_is_no_sight(
    graph: Graph, tmp_path: Path
) -> None:
    with OpenPiServer(steady) as server:
        bench = Bench(graph, tmp_path, server)
        bench.joints()
        bench.think()
        bench.show('wrist', size=(5, 8))
        assert bench.refused('bad_picture')
        bench.show('front')
        bench.set_time(100.1)  # beyond the slop: these do not belong together
        bench.show('wrist')
        bench.show('front')
        bench._wait_for('tokens')
    assert bench.node._motion.stamps()['tokens'] == bench.now


@pytest.mark.parametrize(
    'lie', [openpi_bytes({'actions': np.full((HORIZON, 2), np.nan)}), b'\xc1', 'Traceback\nKeyError: x']
)
def test_given_a_server_that_lies_when_asked_then_nothing_is_sent_and_it_is_counted(
    graph: Graph, tmp_path: Path, lie: Any
) -> None:
    with OpenPiServer(lambda _: lie) as server:
        bench = Bench(graph, tmp_path, server)
        bench.joints()
        bench.think()
        bench.see()
        assert bench.refused('policy_server')
    assert bench.plans.messages == []


def test_given_a_server_that_hangs_when_asked_then_the_node_answers_meanwhile_and_the_plan_runs_to_its_end(
    graph: Graph, tmp_path: Path
) -> None:
    with OpenPiServer(steady) as server:
        bench = Bench(graph, tmp_path, server)
        bench.joints()
        bench.think()
        bench.see()
        bench.plans.wait()
        server.answer = lambda _: HANG
        bench.set_time(100.15)
        bench.joints()
        bench.see()
        assert eventually(lambda: len(server.asked) == 2)
        assert bench.node._motion.is_moving
        sent = len(bench.plans.messages)

        # The switches are served while the question is open, and their brake is all that comes.
        assert graph.call(SetBool, 'action/enable', SetBool.Request(data=False)).success
        bench.plans.wait(after=sent)
        assert len(bench.plans.messages) == sent + 1


def test_given_an_answer_that_comes_too_late_when_it_is_read_then_the_guard_refuses_it(
    graph: Graph, tmp_path: Path
) -> None:
    late = threading.Event()

    def answer(asked: Any) -> bytes:
        late.wait(60)
        return steady(asked)

    with OpenPiServer(answer) as server:
        bench = Bench(graph, tmp_path, server)
        bench.joints()
        bench.think()
        bench.see()
        assert eventually(lambda: len(server.asked) == 1)
        bench.set_time(102.0)
        bench.joints()
        late.set()
        assert bench.refused('stale_observation')
    assert bench.plans.messages == []


@pytest.mark.parametrize(
    ('parameters', 'says'),
    [
        ({'policy': 'nobody'}, "parameter 'policy'"),
        ({'backend': 'groot'}, 'expected backend groot'),
        ({'server': 'http://x'}, "parameter 'server'"),
        ({'generation': 1}, "parameter 'generation': expected 2 for backend 'openpi'"),
        ({'generation': 1, 'backend': 'onnx'}, "bundle 'tiny' has no generation 1"),
    ],
)
def test_given_settings_that_do_not_fit_when_configured_then_the_node_says_so_and_stays_down(
    graph: Graph, tmp_path: Path, parameters: dict[str, Any], says: str
) -> None:
    bundle = write_bundle(tmp_path / 'tiny')
    settings = {
        'bundle': str(bundle),
        'limits_file': str(bundle / 'joint_limits.yaml'),
        'backend': 'openpi',
        'policy': str(policy_path(tmp_path)),
        'server': 'ws://127.0.0.1:1',
        **parameters,
    }
    node = graph.add(ActionNode, **settings)
    assert eventually(lambda: says in str(node.health.report()))
    assert not node.is_active


def test_given_the_policy_server_of_lerobot_when_asked_for_then_one_sentence_says_why_not_and_what_instead(
    graph: Graph,
) -> None:
    with pytest.raises(VlaError, match='pickle.*protocol of openpi or of groot'):
        graph.add(ActionNode, backend='lerobot')
