"""The table of interfaces against the running nodes: each opens what the table says, no more and no less."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')

from node_graph import Graph, eventually
from rclpy.node import Node
from whole_graph import start_everybody

from vla_ros.interfaces import NODE_NAMES, OBSERVER, OPERATOR, Interface, interfaces
from vla_ros.nodes import recorder
from vla_ros.nodes.client import Client

CAMERAS = ('front', 'wrist')
TABLE = interfaces(CAMERAS, simulator=True)
CHOSEN = {
    # The transport of images is raw in this graph.
    'perception': {f'/camera/{camera}/image_raw/compressed' for camera in CAMERAS},
    # System 2 looks at one camera, and does not want to know of the hand.
    'reasoning': {'/perception/wrist/image', '/joint_states'},
    # It has seen no decision yet that points into the image of a camera.
    'visualise': {f'/camera/{camera}/camera_info' for camera in CAMERAS},
    # It says the time, and does not listen to it.
    'simulator': {'/clock'},
}
"""Subscriptions that a parameter or a bundle would make, which here they do not."""


def absolute(names: Sequence[str]) -> set[str]:
    return {name if name.startswith('/') else f'/{name}' for name in names}


def opened(asker: Node, name: str) -> Interface:
    """What a node has opened, as others see it; nothing as long as nobody knows of it."""
    if name not in asker.get_node_names():
        return Interface()
    ask = (
        asker.get_publisher_names_and_types_by_node,
        asker.get_subscriber_names_and_types_by_node,
        asker.get_service_names_and_types_by_node,
        asker.get_client_names_and_types_by_node,
    )
    return Interface(*(tuple(sorted(topic for topic, _ in question(name, '/'))) for question in ask))


def require_as_in_table(asker: Node, name: str, expected: Interface, calls: bool = True) -> None:
    """Wait until a node has opened what is expected, and say what is missing if it never does."""
    without = CHOSEN.get(name, set())
    kinds = ['publishes', 'subscribes', 'serves', *(['calls'] if calls else [])]
    wanted = {kind: absolute(getattr(expected, kind)) for kind in kinds}
    wanted['subscribes'] -= without

    def found() -> dict[str, set[str]]:
        now = opened(asker, name)
        return {kind: set(getattr(now, kind)) for kind in kinds}

    assert eventually(lambda: found() == wanted), {
        kind: f'not in the table {sorted(there - wanted[kind])}, not open {sorted(wanted[kind] - there)}'
        for kind, there in found().items()
    }


def test_every_node_opens_what_the_table_says_and_nothing_else(graph: Graph, tmp_path: Path) -> None:
    start_everybody(graph, tmp_path)
    for node in ('simulator', 'perception', 'reasoning', 'action', 'visualise'):
        require_as_in_table(graph.tester, node, TABLE[node])


def test_the_operator_opens_what_the_table_says(graph: Graph) -> None:
    """Services are called one by one, so a client that calls none has none open."""
    with Client():
        require_as_in_table(graph.tester, NODE_NAMES[OPERATOR], TABLE[OPERATOR], calls=False)


def test_the_observer_may_hear_what_the_recorder_records_and_nothing_else() -> None:
    recorded = {channel.topic for channel in recorder.channels(CAMERAS)}
    assert set(TABLE[OBSERVER].subscribes) == recorded
    assert NODE_NAMES[OBSERVER] == recorder.NODE_NAME


def test_the_table_of_a_robot_is_that_of_the_simulated_one_without_simulator_and_clock() -> None:
    robot = interfaces(CAMERAS, simulator=False)
    for name in ('perception', 'reasoning', 'action'):
        assert set(TABLE[name].subscribes) - set(robot[name].subscribes) == {'/clock'}
        assert TABLE[name].publishes == robot[name].publishes
        assert TABLE[name].serves == robot[name].serves
        assert TABLE[name].calls == robot[name].calls == ()
