"""A node that dies is noticed, whatever its messages say: the arm brakes, the reason is told, and it goes on later.

Time stands still in these tests, so that nothing ever gets too old: only the bond can brake the arm.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticArray
from node_graph import eventually, refusals, write_bundle
from test_nodes_action import Bench, ends_at_rest, is_brake
from test_nodes_processes import TESTS, process, wait_active

from vla_ros.nodes.bond import Life
from vla_ros.nodes.lifecycle import PEER_TIMEOUT, VlaNode
from vla_ros.types import NANOSECONDS

pytestmark = pytest.mark.slow
PEERS = ('perception', 'reasoning')
NOTICED_WITHIN = 0.3  # seconds


@pytest.fixture
def start(tmp_path: Path) -> Callable[[str], AbstractContextManager[subprocess.Popen[bytes]]]:
    """Starts a peer as a process."""
    bundle = write_bundle(tmp_path / 'tiny')

    def started(name: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        command = [str(TESTS / 'living_peer.py'), name, '--ros-args', '-p', f'bundle:={bundle}']
        return process(command, tmp_path / f'{name}.log')

    return started


def life_of(node: VlaNode, peer: str) -> Life:
    return node.bond.lives[peer]


def says_lost(peer: str) -> Callable[[DiagnosticArray], bool]:
    """Whether the action node warns that a peer is lost."""

    def says(message: DiagnosticArray) -> bool:
        status = message.status[0]
        return status.name.startswith('action') and f'peer_lost: {peer}' in status.message

    return says


def test_the_time_after_which_a_silent_peer_is_lost_leaves_room_to_notice() -> None:
    assert PEER_TIMEOUT.default < NOTICED_WITHIN


@pytest.mark.parametrize('peer', PEERS)
def test_a_killed_peer_brakes_the_arm_and_one_that_is_started_in_its_place_lets_it_go_on(
    graph, tmp_path, start, peer
) -> None:
    bench = Bench(graph, tmp_path)
    with start(peer) as child:
        assert eventually(lambda: life_of(bench.node, peer) is Life.ALIVE)
        plan = bench.moving()

        child.send_signal(signal.SIGKILL)

        brake = bench.plans.wait(after=1)
        assert is_brake(brake, plan)
        assert ends_at_rest(brake)
        assert eventually(lambda: life_of(bench.node, peer) is Life.SILENT)
        graph.diagnostics.wait(says_lost(peer))
        bench.feed(bench.now + 1)

    with start(peer):
        assert eventually(lambda: life_of(bench.node, peer) is Life.ALIVE)
        later = bench.set_time(101.0)
        bench.feed()
        bench.plans.wait(after=2)
    acted_on = [tokens.stamp for tokens, *_ in bench.policy.seen]
    assert acted_on == [100 * NANOSECONDS, later], 'nothing that came while the peer was lost'


@pytest.mark.parametrize('peer', PEERS)
def test_a_stopped_peer_brakes_the_arm_until_it_goes_on(graph, tmp_path, start, peer) -> None:
    bench = Bench(graph, tmp_path)
    with start(peer) as child:
        assert eventually(lambda: life_of(bench.node, peer) is Life.ALIVE)
        plan = bench.moving()

        child.send_signal(signal.SIGSTOP)
        brake = bench.plans.wait(after=1)
        child.send_signal(signal.SIGCONT)

        assert is_brake(brake, plan)
        assert eventually(lambda: 'peer_lost' in refusals(bench.node))
        assert eventually(lambda: life_of(bench.node, peer) is Life.ALIVE)
        bench.set_time(101.0)
        bench.feed()
        bench.plans.wait(after=2)


@pytest.mark.parametrize('peer', PEERS)
def test_a_peer_that_ends_in_good_order_brakes_the_arm_as_well(graph, tmp_path, start, peer) -> None:
    bench = Bench(graph, tmp_path)
    with start(peer) as child:
        assert eventually(lambda: life_of(bench.node, peer) is Life.ALIVE)
        plan = bench.moving()
        child.send_signal(signal.SIGTERM)
        assert is_brake(bench.plans.wait(after=1), plan)
        assert eventually(lambda: life_of(bench.node, peer) is Life.LEFT)


def test_a_peer_that_was_never_seen_is_not_missed(graph, tmp_path) -> None:
    bench = Bench(graph, tmp_path)
    assert set(bench.node.bond.lives.values()) == {Life.UNSEEN}
    assert ends_at_rest(bench.moving())


def test_each_node_says_of_each_peer_whether_it_lives(graph, tmp_path, start) -> None:
    with start('perception'), start('reasoning'):
        for name, peer in (('perception', 'reasoning'), ('reasoning', 'perception')):
            wait_active(graph, name)
            graph.diagnostics.wait(
                lambda m, name=name, peer=peer: (
                    m.status[0].name.startswith(name)
                    and any((v.key, v.value) == (f'peer {peer}', 'alive') for v in m.status[0].values)
                )
            )
