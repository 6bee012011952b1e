"""Times the hops that a node sees; see ``vla_ros.hops`` for their names and clocks."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node

from vla_ros.hops import JUMP, seconds_since_stamp
from vla_ros.nodes.clock_jumps import on_jump
from vla_ros.nodes.health import Health
from vla_ros.types import NANOSECONDS


class Hops:
    """Puts hops among the latencies of a node. Any thread may call any method.

    What cannot be timed, since a clock jumped or nobody says when the hop began, is left out.

    Args:
        mark: the machine's clock in nanoseconds, which never jumps.
        wall: the system's clock in nanoseconds, by which messages are sent.
    """

    def __init__(
        self,
        node: Node,
        health: Health,
        mark: Callable[[], int] = time.monotonic_ns,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self._clock, self._health = node.get_clock(), health
        self.mark, self._wall = mark, wall
        self._jumped, self._since = False, 0
        self._jump = on_jump(node, self._on_jump, JUMP)

    def since(self, name: str, begun: int) -> int:
        """A hop within the node that began at a ``mark``; the mark of its end, where the next one begins."""
        ended = self.mark()
        self._health.latency(name, (ended - begun) / NANOSECONDS)
        return ended

    def since_stamp(self, name: str, stamp: int) -> None:
        """A hop from a stamp (ns) until now, by the clock of the node."""
        now = int(self._clock.now().nanoseconds)
        if self._jumped:
            self._jumped, self._since = False, now
        self._note(name, seconds_since_stamp(stamp, now, self._since))

    def since_sent(self, name: str, sent: int) -> None:
        """A hop that began when a message was sent, in ns of the system clock; 0 if nobody knows."""
        self._note(name, seconds_since_stamp(sent, self._wall()))

    def _note(self, name: str, seconds: float | None) -> None:
        if seconds is not None:
            self._health.latency(name, seconds)

    def _on_jump(self) -> None:
        self._jumped = True
