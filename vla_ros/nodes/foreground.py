"""The graph in the foreground of a terminal, and a word to one that runs elsewhere."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from vla_ros import graph
from vla_ros.nodes.bringup import START_TIMEOUT, prepare_environment, running
from vla_ros.nodes.client import Client
from vla_ros.types import Decision

PATIENCE = 20.0
"""Seconds to wait for nodes that should be running."""


def run_graph(
    console: Console,
    logs: Path,
    *,
    simulator: bool,
    robot: str,
    bundle: str,
    providers: str,
    generation: int | None = None,
    composed: bool,
    visualise: bool,
    namespace: str,
    enable: bool,
    parameters_file: Path | None,
) -> None:
    """Run the nodes until SIGINT or SIGTERM.

    Raises:
        VlaError: no such robot or bundle, the bundle is made for another robot, or a node does not start or dies.
    """
    prepare_environment(simulator=simulator, own_domain=False)
    processes = graph.processes(
        simulator=simulator,
        composed=composed,
        visualise=visualise,
        robot=robot,
        bundle=bundle,
        providers=providers,
        generation=generation,
        namespace=namespace,
        parameters_file=parameters_file,
    )
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    nodes = [node for process in processes for node in process.nodes]
    with running(processes, logs) as supervisor, Client(namespace) as client:

        def check() -> None:
            supervisor.check()
            if ended.is_set():
                raise KeyboardInterrupt

        client.wait_active(nodes, START_TIMEOUT, check)
        if enable:
            client.enable()
        domain = os.environ.get('ROS_DOMAIN_ID', '0')
        console.print(f'[green]active[/green]: {", ".join(nodes)} (ROS_DOMAIN_ID {domain}, logs in {logs})')
        allowed = 'enabled' if enable else 'disabled until vla_ros say ... --enable, or action/enable'
        console.print(f'the arm is {allowed}; say something with vla_ros say; Ctrl-C ends', highlight=False)
        while not ended.wait(0.5):
            supervisor.check()
    console.print('stopped, the arm at rest')


def instruct(console: Console, words: str, *, enable: bool, namespace: str) -> None:
    """Give an instruction, and print the chain of thought and the decision that it leads to.

    Raises:
        VlaError: nobody listens, or nothing was decided.
    """
    prepare_environment(simulator=False, own_domain=False)
    with Client(namespace) as client:
        client.require(client.is_heard, PATIENCE, 'no reasoning node was found')
        if enable:
            client.enable()
        client.forget()
        client.instruct(words)
        wanted = ' '.join(words.split())
        if not wanted:
            return

        def answers() -> list[Decision]:
            return [d for _, d in client.state.decisions if d.instruction == wanted and d.trace]

        client.require(lambda: bool(answers()), PATIENCE, 'nothing was decided')
        decision = answers()[0]
        console.print(escape(decision.trace), style='dim', highlight=False)
        console.print(f'[bold]{decision.verdict.value}[/bold]: {escape(decision.subtask)}', highlight=False)
