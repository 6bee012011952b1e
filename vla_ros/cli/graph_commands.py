"""``vla_ros run | status | say``: the graph in the foreground, what it says, and a word to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vla_ros.cli.terminal import DEFAULT_BUNDLE, Bundle, JsonFile, console, show_numbers, write_json
from vla_ros.types import VlaError


def run(
    simulator: Annotated[bool, typer.Option('--simulator', help='Run the simulated robot too.')] = False,
    robot: Annotated[
        str, typer.Option(help="Name of a robot in config/robots, or the path of a robot's file.")
    ] = 'so101',
    bundle: Bundle = DEFAULT_BUNDLE,
    providers: Annotated[
        str, typer.Option(help='cpu, cuda or tensorrt, or for some nodes: perception=cuda,action=tensorrt.')
    ] = '',
    composed: Annotated[bool, typer.Option('--composed', help='One process for all nodes.')] = False,
    namespace: str = '',
    enable: Annotated[bool, typer.Option('--enable', help='Let the arm move at once.')] = False,
    parameters: Annotated[
        Path | None, typer.Option(help='A ROS parameter file instead of the one that comes along.')
    ] = None,
    logs: Path = Path('out/run'),
) -> None:
    """Run the nodes until Ctrl-C, without a launch system."""
    from vla_ros.nodes.bringup import require_ros

    require_ros()
    from vla_ros.nodes.foreground import run_graph

    run_graph(
        console,
        logs,
        simulator=simulator,
        robot=robot,
        bundle=bundle,
        providers=providers,
        composed=composed,
        namespace=namespace,
        enable=enable,
        parameters_file=parameters,
    )


def status(
    seconds: Annotated[float, typer.Option(min=0.5, help='How long to listen.')] = 3.0,
    json_file: JsonFile = None,
) -> None:
    """What the running nodes say on /diagnostics."""
    from vla_ros.nodes.bringup import require_ros

    require_ros()
    from vla_ros.nodes.foreground import listen

    reports = listen(seconds)
    if not reports:
        raise VlaError(f'no node of vla_ros was heard in {seconds:g} s; is ROS_DOMAIN_ID the same here?')
    for node, values in sorted(reports.items()):
        show_numbers(node, values)
    write_json(json_file, reports)


def say(
    words: Annotated[str, typer.Argument(help='What the robot shall do; empty means stop.')],
    enable: Annotated[bool, typer.Option('--enable', help='Let the arm move.')] = False,
    namespace: str = '',
) -> None:
    """Give an instruction to the running nodes, and show what they think of it."""
    from vla_ros.nodes.bringup import require_ros

    require_ros()
    from vla_ros.nodes.foreground import instruct

    instruct(console, words, enable=enable, namespace=namespace)
