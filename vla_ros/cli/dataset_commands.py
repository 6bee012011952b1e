"""``vla_ros record | dataset``: episodes in LeRobot's format, from live topics, from the expert, and looked over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vla_ros.cli.terminal import JsonFile, Namespace, console, show_numbers, training_packages, write_json

Mapping = Annotated[
    str | None, typer.Option(help="What its numbers mean: a name in config/datasets, or a file's path.")
]


def record(
    out: Annotated[Path, typer.Option(help='A new folder for the dataset.')],
    task: Annotated[str, typer.Option(help='What is done as long as no instruction says otherwise.')] = '',
    fps: Annotated[int, typer.Option(min=1, max=240, help='Frames a second.')] = 20,
    idle: Annotated[
        float, typer.Option(min=0.1, help='Seconds at rest after which an episode is over.')
    ] = 2.0,
    robot: Annotated[
        str, typer.Option(help="Name of a robot in config/robots, or the path of a robot's file.")
    ] = 'so101',
    simulator: Annotated[
        bool, typer.Option('--simulator', help='The robot is the simulated one, by its own topics.')
    ] = False,
    compressed: Annotated[
        bool, typer.Option('--compressed', help='Listen to compressed pictures, not raw ones.')
    ] = False,
    namespace: Namespace = '',
    json_file: JsonFile = None,
) -> None:
    """Record live topics as a LeRobot dataset until Ctrl-C: an episode an order, with its words as the task."""
    from vla_ros.nodes.bringup import prepare_environment, require_ros
    from vla_ros.robots import load_robot

    require_ros()
    prepare_environment(simulator=simulator, own_domain=False)
    from vla_ros.nodes.dataset_recorder import record as record_topics

    counts = record_topics(
        out,
        load_robot(robot),
        fps=fps,
        task=task,
        idle=idle,
        namespace=namespace,
        simulator=simulator,
        compressed=compressed,
        say=lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True),
    )
    show_numbers(f'recorded to {out}', counts)
    write_json(json_file, counts)


def export_episodes(
    out: Annotated[Path, typer.Option(help='A new folder for the dataset.')],
    count: Annotated[int, typer.Option(min=1, help='Scenes, with up to two orders each.')] = 50,
    seed: Annotated[int, typer.Option(min=0, help='Of the first scene.')] = 400_000,
    workers: Annotated[int, typer.Option(min=1, help='Processes that simulate.')] = 2,
    share: Annotated[
        list[str] | None, typer.Option(help="'put=0.3': how much of a task; may be repeated.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Record the scripted expert in the simulator: an episode an order."""
    with training_packages('the expert'):
        from vla_ros.training.dataset_export import export_demonstrations
        from vla_ros.training.requests import shares_from
    counts = export_demonstrations(out, count, seed, workers, shares_from(share))
    show_numbers(f'recorded to {out}', dict(counts))
    write_json(json_file, counts)


def check(
    folder: Annotated[Path, typer.Argument(help='Of the dataset.')],
    mapping: Mapping = None,
    json_file: JsonFile = None,
) -> None:
    """Read all numbers of a dataset and pictures of each episode, and show what is in it, joints in degrees."""
    from vla_ros.dataset.mapping import load_mapping
    from vla_ros.dataset.reader import DatasetReader
    from vla_ros.dataset.summary import summary

    found = summary(DatasetReader(folder, None if mapping is None else load_mapping(mapping)))
    ranges = {f'{joint}, deg': f'{low} to {high}' for joint, (low, high) in found['degrees'].items()}
    show_numbers(str(folder), {key: value for key, value in found.items() if key != 'degrees'} | ranges)
    write_json(json_file, found)
