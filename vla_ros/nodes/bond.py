"""The bond between nodes: each shows that it lives, and the others notice within a fraction of a second when it dies.

It rests on the liveliness of DDS: nothing is ever sent on a topic of life, its publisher is the sign. The threads
of DDS renew it, so an interpreter that is only busy does not look dead; a process that was killed, stopped or cut
off does. A node that hangs while its process lives is noticed by the age of what it sends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from enum import Enum

from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import Empty

from vla_ros.nodes import qos
from vla_ros.nodes.distributions import QoSLivelinessChangedInfo, SubscriptionEventCallbacks


class Life(Enum):
    """What is known of a peer."""

    UNSEEN = 'never seen'
    ALIVE = 'alive'
    LEFT = 'has left'
    SILENT = 'shows no life'

    @property
    def is_lost(self) -> bool:
        """Whether it was there, and is not any more."""
        return self in (Life.LEFT, Life.SILENT)


class Bond:
    """A node's sign of life, and what it sees of its peers' signs.

    A peer that was never seen is not missed: somebody else's node may send in its place.

    Args:
        node: whose name the sign carries: ``<name>/alive``.
        peers: names of the nodes to look after.
        timeout: seconds without a sign after which a peer is lost; all nodes of a graph need about the same.
        on_change: is told, in a callback of the node, what became of a peer.
    """

    def __init__(
        self, node: Node, peers: Sequence[str], timeout: float, on_change: Callable[[str, Life], None]
    ) -> None:
        self._node, self._timeout, self._on_change = node, timeout, on_change
        self._lock = threading.Lock()
        self._lives = dict.fromkeys(peers, Life.UNSEEN)
        self._sign: Publisher | None = None
        for peer in peers:
            self._watch(peer)

    @property
    def lives(self) -> dict[str, Life]:
        """What is known of each peer now."""
        with self._lock:
            return dict(self._lives)

    @property
    def lost(self) -> str:
        """A sentence about the peers that are lost; '' if none is."""
        return '; '.join(f'{name} {life.value}' for name, life in self.lives.items() if life.is_lost)

    def show_life(self) -> None:
        """Let the others see that this node works."""
        if self._sign is None:
            profile = qos.life(self._timeout / 2)  # twice as often as needed: one sign may come late
            self._sign = self._node.create_publisher(Empty, f'{self._node.get_name()}/alive', profile)

    def leave(self) -> None:
        """Take leave of the others; they notice at once."""
        sign, self._sign = self._sign, None
        if sign is not None:
            self._node.destroy_publisher(sign)

    def _watch(self, peer: str) -> None:
        def changed(event: QoSLivelinessChangedInfo) -> None:
            if event.alive_count > 0:
                life = Life.ALIVE
            else:
                life = Life.SILENT if event.not_alive_count_change > 0 else Life.LEFT
            with self._lock:
                if (self._lives[peer] is Life.ALIVE) == (life is Life.ALIVE):
                    return  # DDS forgets the dead after a while; that is no news
                self._lives[peer] = life
            self._on_change(peer, life)

        self._node.create_subscription(
            Empty,
            f'{peer}/alive',
            lambda _: None,
            qos.life(self._timeout),
            event_callbacks=SubscriptionEventCallbacks(liveliness=changed),
        )
