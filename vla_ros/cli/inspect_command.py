"""``vla_ros inspect``: what is in a bundle, what a robot is, what a running graph consists of, or a bag's hops."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vla_ros.cli.terminal import DEFAULT_BUNDLE, JsonFile, console, write_json
from vla_ros.types import VlaError


def inspect(
    bundle: Annotated[str, typer.Argument(help='Folder or name of a bundle.')] = DEFAULT_BUNDLE,
    robot: Annotated[str, typer.Option(help='A robot instead, by name or by the path of its file.')] = '',
    graph: Annotated[
        bool, typer.Option('--graph', help='The running nodes instead: topics, parameters, limits in force.')
    ] = False,
    namespace: Annotated[
        str | None, typer.Option(help='With --graph: only nodes in this one, / for the root; else all.')
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help='With --graph: how long to listen.')] = 3.0,
    latency: Annotated[
        Path | None, typer.Option(help='A bag instead: how long each hop took from the cameras to the arm.')
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Show a bundle's manifest and verify its checksums; or a robot, or what runs and is in force, or a bag's hops."""
    if latency is not None:
        _inspect_latency(latency, json_file)
    elif graph:
        _inspect_graph(namespace, seconds, json_file)
    elif robot:
        _inspect_robot(robot, json_file)
    else:
        _inspect_bundle(bundle, json_file)


def _inspect_bundle(bundle: str, json_file: Path | None) -> None:
    from vla_ros.bundle import load_bundle
    from vla_ros.paths import bundle_directory
    from vla_ros.viz.manifest_table import manifest_table

    opened = load_bundle(bundle_directory(bundle))
    console.print(manifest_table(opened))
    for key in opened.manifest.files:
        opened.file(key)
    console.print(f'[green]{len(opened.manifest.files)} files, all as their checksums say[/green]')
    write_json(json_file, opened.manifest.model_dump(mode='json'))


def _inspect_robot(robot: str, json_file: Path | None) -> None:
    from vla_ros.robots import limits_of, load_robot
    from vla_ros.viz.robot_table import robot_table

    found = load_robot(robot)
    console.print(robot_table(found, limits_of(robot)))
    write_json(json_file, found.model_dump(mode='json'))


def _inspect_latency(bag: Path, json_file: Path | None) -> None:
    from vla_ros.evaluation.hop_times import as_json, read_hop_times
    from vla_ros.viz.hop_table import hop_table

    clock, times = read_hop_times(bag)
    if not times:
        raise VlaError(f'{bag}: expected cameras, perception/tokens or /diagnostics of vla_ros, found no hop')
    console.print(hop_table(times, str(bag)))
    write_json(json_file, {'bag': str(bag), **as_json(clock, times)})


def _inspect_graph(namespace: str | None, seconds: float, json_file: Path | None) -> None:
    from vla_ros.nodes.bringup import require_ros

    require_ros()
    from vla_ros.nodes.inspecting import inspect_graph
    from vla_ros.viz.graph_tables import as_json, graph_tables

    picture = inspect_graph(namespace, seconds)
    if not picture.nodes:
        raise VlaError(f'no node of vla_ros was found in {seconds:g} s; vla_ros status says where it looks')
    console.print(graph_tables(picture))
    write_json(json_file, as_json(picture))
