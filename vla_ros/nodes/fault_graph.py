"""The graph in which faults are made: separate processes that hear the world through a fault injector."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vla_ros import graph
from vla_ros.nodes.client import Client
from vla_ros.nodes.fault_injector import NAME as INJECTOR
from vla_ros.nodes.fault_injector import NONE, faulty
from vla_ros.nodes.fault_spoilers import CAMERAS, CLOCK, JOINT_STATES, THOUGHT, TOKENS
from vla_ros.nodes.supervisor import Supervisor
from vla_ros.process import Process, Value, command

START_TIMEOUT = 180.0
"""Seconds until nodes must be active: others may be busy on this machine."""
REROUTED: dict[str, tuple[str, ...]] = {
    'simulator': (),
    'perception': (*CAMERAS, CLOCK),
    'reasoning': (TOKENS, CLOCK),
    'action': (TOKENS, THOUGHT, JOINT_STATES, CLOCK),
}
"""By node, the inputs that come by way of the injector."""


def processes(bundle: Path, motion_log: Path) -> dict[str, Process]:
    """The processes of the graph by the name of their node, in the order in which data flows."""
    found = {}
    for process in graph.processes(simulator=True, bundle=str(bundle), use_sim_time=True):
        remaps = tuple((topic, faulty(topic)) for topic in REROUTED[process.executable])
        extra: tuple[tuple[str, Value], ...] = ()
        if process.executable == 'simulator':
            extra = (('motion_log', str(motion_log)),)
        found[process.executable] = replace(
            process, remaps=(*process.remaps, *remaps), parameters=(*process.parameters, *extra)
        )
    return found


def copy_bundle(bundle: Path, folder: Path) -> Path:
    """A copy that may be altered."""
    return Path(shutil.copytree(bundle, folder / bundle.name))


class FaultGraph:
    """Starts the processes, and does to them what faults do.

    Args:
        client: of the same domain; is waited with.
    """

    def __init__(self, supervisor: Supervisor, client: Client, commands: dict[str, Process]) -> None:
        self.supervisor = supervisor
        self._client = client
        self._commands = commands

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of all nodes, in the order in which data flows."""
        return tuple(self._commands)

    def start_all(self) -> None:
        """Start injector and nodes and wait until the nodes are active and tokens come through.

        Raises:
            VlaError: a node does not start.
        """
        self.supervisor.start(INJECTOR, command(INJECTOR))
        for name in self._commands:
            self.supervisor.start(name, self._commands[name].command())
        self._client.wait_active(self.nodes, START_TIMEOUT, self.supervisor.check)
        self._client.require(
            lambda: self._client.state.tokens > 0,
            START_TIMEOUT,
            'no visual tokens came through the injector',
            self.supervisor.check,
        )

    def start(self, name: str) -> None:
        """Start a node that is not there, and wait until it is active."""
        self.launch(name)
        self._client.wait_active([name], START_TIMEOUT, self.supervisor.check)

    def launch(self, name: str) -> None:
        """Start a node that is not there, and wait for nothing."""
        self._client.forget_report(name)
        self.supervisor.start(name, self._commands[name].command())

    def send(self, names: Sequence[str], number: signal.Signals) -> None:
        """Send a signal to the processes of nodes."""
        for name in names:
            self.supervisor.send(name, number)

    def spoil(self, fault: str = NONE) -> None:
        """Tell the injector what to do."""
        self._client.set_parameters(INJECTOR, {'fault': fault})
