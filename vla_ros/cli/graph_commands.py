"""``vla_ros run | status | say``: the graph in the foreground, what it says, and a word to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vla_ros.cli.terminal import (
    DEFAULT_BUNDLE,
    Bundle,
    Namespace,
    Parameters,
    console,
    show_error,
    write_json,
)
from vla_ros.graph import ROBOT, processes

IN_ERROR, NO_GRAPH = 1, 2
"""Exit codes of ``status``."""


def run(
    simulator: Annotated[bool, typer.Option('--simulator', help='Run the simulated robot too.')] = False,
    robot: Annotated[
        str, typer.Option(help="Name of a robot in config/robots, or the path of a robot's file.")
    ] = ROBOT,
    bundle: Bundle = DEFAULT_BUNDLE,
    providers: Annotated[
        str, typer.Option(help='cpu, cuda or tensorrt, or for some nodes: perception=cuda,action=tensorrt.')
    ] = '',
    generation: Annotated[
        int | None,
        typer.Option(min=1, max=2, help='Of System 1: 2 is flow matching, 1 are action tokens.'),
    ] = None,
    composed: Annotated[bool, typer.Option('--composed', help='One process for all nodes.')] = False,
    visualise: Annotated[bool, typer.Option('--visualise', help='Draw for rviz and Foxglove, too.')] = False,
    namespace: Namespace = '',
    enable: Annotated[bool, typer.Option('--enable', help='Let the arm move at once.')] = False,
    parameters: Parameters = None,
    logs: Annotated[Path, typer.Option(help='Folder for what the nodes log.')] = Path('out/run'),
) -> None:
    """Run the nodes until Ctrl-C, without a launch system."""
    from vla_ros.nodes.bringup import require_ros

    require_ros()
    from vla_ros.nodes.foreground import run_graph

    graph = processes(
        simulator=simulator,
        composed=composed,
        visualise=visualise,
        robot=robot,
        bundle=bundle,
        providers=providers,
        generation=generation,
        namespace=namespace,
        parameters_file=parameters,
    )
    run_graph(console, logs, graph, enable=enable)


def status(
    once: Annotated[
        bool, typer.Option('--once', help='Print one look and exit; so without a terminal.')
    ] = False,
    seconds: Annotated[
        float, typer.Option(min=0.5, help='How long to wait for a first word, for one look.')
    ] = 5.0,
    namespace: Annotated[
        str | None,
        typer.Option(help='Only nodes in this one, / for the root; else all, and decisions of the root.'),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option('--json', help='Also write one look to this file, and exit.')
    ] = None,
) -> None:
    """A dashboard of the running graph. Exit code 1: something is in error; 2: no graph was found."""
    from vla_ros.nodes.bringup import require_ros

    require_ros()
    from vla_ros.nodes.watching import hints, look, watch
    from vla_ros.viz.status_panel import status_panel
    from vla_ros.viz.status_view import as_json

    if once or json_file is not None or not console.is_terminal:
        view, elsewhere = look(namespace, seconds)
        if view.told:
            console.print(status_panel(view))
    else:
        view, elsewhere = watch(console, namespace)
    if not view.told:
        show_error(hints(namespace, elsewhere))
        raise typer.Exit(NO_GRAPH)
    write_json(json_file, as_json(view))
    if view.is_in_error:
        raise typer.Exit(IN_ERROR)


def say(
    words: Annotated[str, typer.Argument(help='What the robot shall do; empty means stop.')],
    enable: Annotated[bool, typer.Option('--enable', help='Let the arm move.')] = False,
    namespace: Namespace = '',
) -> None:
    """Give an instruction to the running nodes, and show what they think of it."""
    from vla_ros.nodes.bringup import require_ros

    require_ros()
    from vla_ros.nodes.foreground import instruct

    instruct(console, words, enable=enable, namespace=namespace)
