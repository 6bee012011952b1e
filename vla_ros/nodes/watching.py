"""Looking at a graph that runs: what its nodes say on public topics, without a word to them."""

from __future__ import annotations

import os
import time

from rich.console import Console
from rich.live import Live

from vla_ros.nodes.bringup import prepare_environment
from vla_ros.nodes.client import Client, State
from vla_ros.viz.status_panel import status_panel
from vla_ros.viz.status_view import StatusView, Told

PERIOD = 0.5  # seconds between two drawings
ROUND = 1.5  # seconds in which every node has spoken, and half of one more


def look(namespace: str | None, seconds: float) -> tuple[StatusView, StatusView]:
    """What a graph says of itself, and what all do in every namespace.

    Args:
        namespace: None is every one, and decisions of the root.
        seconds: the longest to wait for the first word; after it all have time for one of theirs, until nobody new is
            heard: discovery finds some processes seconds after others.
    """
    prepare_environment(simulator=False, own_domain=False)
    with Client(namespace or '') as client:
        heard: set[str] = set()

        def is_somebody_new() -> bool:
            return not heard >= {*view_of(client.state, namespace).nodes()}

        waits = seconds
        while client.wait(is_somebody_new, waits):
            heard |= {*view_of(client.state, namespace).nodes()}
            waits = ROUND
        return view_of(client.state, namespace), view_of(client.state)


def watch(console: Console, namespace: str | None) -> tuple[StatusView, StatusView]:
    """A dashboard until Ctrl-C; returns what it showed last, as ``look``."""
    prepare_environment(simulator=False, own_domain=False)
    with Client(namespace or '') as client:
        view = view_of(client.state, namespace)
        with Live(status_panel(view), console=console, auto_refresh=False, transient=True) as live:
            try:
                while True:
                    client.wait(lambda: False, PERIOD)
                    view = view_of(client.state, namespace)
                    live.update(status_panel(view), refresh=True)
            except KeyboardInterrupt:
                pass
        console.print(status_panel(view))  # what did not fit on the screen, too
        return view, view_of(client.state)


def view_of(state: State, namespace: str | None = None) -> StatusView:
    """What a client has heard, of the nodes in a namespace or, with None, of all."""
    now = time.monotonic()
    prefix = f'{namespace.strip("/")}/' if namespace and namespace.strip('/') else ''
    told = {
        name: Told(report, now - arrived)
        for name, (arrived, report) in list(state.statuses.items())
        if namespace is None or (name.startswith(prefix) and '/' not in name[len(prefix) :].split(':')[0])
    }
    last = state.decisions[-1] if state.decisions else None
    decision = None if last is None else (last[1], now - last[0])
    return StatusView(told, decision, state.trace, where(namespace))


def where(namespace: str | None) -> str:
    """Where this looks, in words."""
    domain = f'ROS_DOMAIN_ID {os.environ.get("ROS_DOMAIN_ID", "0")}'
    return domain if namespace is None else f'{domain}, namespace /{namespace.strip("/")}'


def hints(namespace: str | None, elsewhere: StatusView) -> str:
    """Why nothing may have been heard, in one sentence that says what is set here."""
    reach = os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE', 'not set')
    found = sorted({f'/{node.rpartition("/")[0]}' for node in elsewhere.nodes()})
    spaces = f'; there are nodes in {", ".join(found)}: choose with --namespace' if found else ''
    return (
        f'no node of vla_ros was heard ({where(namespace)}): is ROS_DOMAIN_ID the same there, does '
        f'ROS_AUTOMATIC_DISCOVERY_RANGE ({reach}) reach them, is RMW_IMPLEMENTATION the same{spaces}?'
    )
