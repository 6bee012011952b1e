"""Nodes time hops by the right clock, and leave out what a clock that jumped has spoiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip('rclpy')

from node_graph import Graph, eventually
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from trajectory_msgs.msg import JointTrajectory as TrajectoryMessage

from vla_ros.action.stitch import ExecutingPlan
from vla_ros.diagnostics import Latency, latency_told
from vla_ros.nodes import qos
from vla_ros.nodes.health import Health
from vla_ros.nodes.hops import Hops
from vla_ros.nodes.messages import time_message
from vla_ros.nodes.timed_planning import TimedPlanning
from vla_ros.types import (
    NANOSECONDS,
    ActionChunk,
    JointSample,
    JointTrajectory,
    Thought,
    VisualTokens,
)

MILLISECOND = NANOSECONDS // 1000
BEGAN = 1_700_000_000 * NANOSECONDS


class HandClock:
    """A clock in nanoseconds that moves when it is told to."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> int:
        return self.now

    def go(self, milliseconds: int) -> None:
        self.now += milliseconds * MILLISECOND


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def hops(graph: Graph, health: Health, clock: HandClock) -> Hops:
    """Machine and system show the same here."""
    return Hops(graph.tester, health, clock, clock)


def told(health: Health, name: str) -> Latency | None:
    return latency_told(health.report().values, name)


def once(milliseconds: float) -> Latency:
    return Latency(milliseconds, milliseconds, 1)


def test_hops_within_a_node_follow_on_each_other_by_the_clock_of_the_machine(
    hops: Hops, health: Health, clock: HandClock
) -> None:
    begun = hops.mark()
    clock.go(7)
    begun = hops.since('frame to encode', begun)
    clock.go(11)
    hops.since('encode', begun)

    assert told(health, 'frame to encode') == once(7.0)
    assert told(health, 'encode') == once(11.0)
    assert told(health, 'encode to tokens') is None


@pytest.mark.parametrize(
    ('sent', 'expected'),
    [
        (BEGAN - 3 * MILLISECOND, once(3.0)),
        (BEGAN + 4 * MILLISECOND, once(-4.0)),  # the sender's clock is a little ahead
        (BEGAN + 51 * MILLISECOND, None),  # its clock is another one
        (BEGAN - 61 * NANOSECONDS, None),
        (0, None),  # nobody knows
    ],
)
def test_a_message_takes_from_when_it_was_sent_until_now(
    hops: Hops, health: Health, sent: int, expected: Latency | None
) -> None:
    hops.since_sent('tokens to action', sent)

    assert told(health, 'tokens to action') == expected


def on_clock(graph: Graph, health: Health) -> tuple[Hops, Callable[[int], None]]:
    """The hops of a node with simulated time, and how to set that, in milliseconds."""
    node = graph.add(
        lambda **options: Node(
            'probe', **{**options, 'parameter_overrides': [Parameter('use_sim_time', value=True)]}
        )
    )
    hops = Hops(node, health)

    def set_time(milliseconds: int) -> None:
        graph.say(Clock(clock=time_message(milliseconds * MILLISECOND)), '/clock', qos.CLOCK)
        assert eventually(lambda: node.get_clock().now().nanoseconds == milliseconds * MILLISECOND)

    return hops, set_time


def test_given_simulated_time_then_ages_are_of_it_and_a_clock_that_stands_still_adds_nothing(
    graph: Graph, health: Health
) -> None:
    hops, set_time = on_clock(graph, health)
    set_time(5000)
    hops.since_stamp('camera to frame', 5000 * MILLISECOND)
    set_time(5010)
    hops.since_stamp('camera to tokens', 5000 * MILLISECOND)

    assert told(health, 'camera to frame') == once(0.0)
    assert told(health, 'camera to tokens') == once(10.0)


@pytest.mark.parametrize('to', [4960, 40_000], ids=['back', 'ahead'])
def test_given_a_clock_that_jumps_then_what_was_stamped_before_is_left_out(
    graph: Graph, health: Health, to: int
) -> None:
    hops, set_time = on_clock(graph, health)
    set_time(5000)
    hops.since_stamp('camera to frame', 5000 * MILLISECOND)
    set_time(to)
    hops.since_stamp('camera to tokens', (to - 1) * MILLISECOND)
    assert told(health, 'camera to tokens') is None

    set_time(to + 10)
    hops.since_stamp('camera to tokens', to * MILLISECOND)
    assert told(health, 'camera to tokens') == once(10.0)


class Policy:
    """Answers after 60 ms."""

    providers = ('CPUExecutionProvider',)

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock

    def act(self, tokens: Any, thought: Any, joints: Any, noise: Any, prefix: Any = None) -> ActionChunk:
        self._clock.go(60)
        return CHUNK

    def warm_up(self) -> None:
        self._clock.go(1000)


class Topic:
    """Takes 4 ms to publish."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.sent: list[TrajectoryMessage] = []

    def publish(self, message: TrajectoryMessage) -> None:
        self._clock.go(4)
        self.sent.append(message)


CHUNK = ActionChunk(BEGAN, 0.05, np.zeros((1, 1)))
TRAJECTORY = JointTrajectory(('pan',), np.array([0.1]), *np.zeros((3, 1, 1)))


def thought(rows: int) -> Thought:
    return Thought(BEGAN, np.zeros((rows, 5), np.float32))


def test_a_plan_is_timed_from_what_was_heard_until_it_is_sent(
    hops: Hops, health: Health, clock: HandClock
) -> None:
    planning, topic = TimedPlanning(Policy(clock), hops, 'tokens'), Topic(clock)
    planning.warm_up()
    planning.hear_thought(thought(1))
    clock.go(20)
    heard = hops.mark()
    clock.go(10)
    assert planning.begin(heard) == clock.now
    ask(planning)
    clock.go(15)
    planning.send(topic, ExecutingPlan(TRAJECTORY, BEGAN, (CHUNK,)))

    assert {name: told(health, name) for name in NAMES} == {
        'thought to planning': once(30.0),
        'tokens to planning': once(10.0),
        'inference': once(60.0),
        'shaping': once(15.0),
        'shaping to trajectory': once(4.0),
    }
    assert len(topic.sent) == 1


NAMES = ('thought to planning', 'tokens to planning', 'inference', 'shaping', 'shaping to trajectory')


def ask(planning: TimedPlanning) -> None:
    joints = JointSample(BEGAN, np.zeros(1), np.zeros(1))
    tokens = VisualTokens(BEGAN, np.zeros((2, 3), np.float32))
    planning.act(tokens, thought(1), joints, np.zeros((1, 1), np.float32))


def test_a_thought_waits_for_the_first_plan_only_and_one_that_holds_still_for_none(
    hops: Hops, health: Health, clock: HandClock
) -> None:
    planning = TimedPlanning(Policy(clock), hops, 'tokens')
    planning.begin(hops.mark())
    assert told(health, 'thought to planning') is None, 'there was no thought'

    planning.hear_thought(thought(1))
    clock.go(5)
    planning.begin(hops.mark())
    planning.begin(hops.mark())
    planning.hear_thought(thought(1))
    planning.hear_thought(thought(0))
    clock.go(900)
    planning.begin(hops.mark())

    assert told(health, 'thought to planning') == once(5.0)


def test_a_brake_is_sent_but_nobody_has_shaped_it(hops: Hops, health: Health, clock: HandClock) -> None:
    planning = TimedPlanning(Policy(clock), hops, 'tokens')
    clock.go(3000)
    planning.send(Topic(clock), ExecutingPlan(TRAJECTORY, BEGAN))

    assert told(health, 'shaping') is None
    assert told(health, 'shaping to trajectory') == once(4.0)
