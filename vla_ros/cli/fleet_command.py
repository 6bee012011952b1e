"""``vla_ros eval fleet``: one brain for 1, 2, 4, 8 robots; thoughts a second, and how old they are."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from vla_ros.cli.terminal import DEFAULT_BUNDLE, Bundle, JsonFile, console, write_json

STAND_IN = 'stand-in'
ANSWER = {'think': 'a red cube', 'verdict': 'go', 'subtask': 'touch red cube', 'target': [0.5, 0.5]}
"""What the stand-in says to every picture."""


def fleet(
    robots: Annotated[str, typer.Option(help='Sizes of the fleet, rising.')] = '1,2,4,8',
    seconds: Annotated[float, typer.Option(min=1.0, help='To listen to each fleet.')] = 30.0,
    rate: Annotated[
        float, typer.Option(min=0.05, max=50, help='Thoughts a second that each robot wants.')
    ] = 1.5,
    url: Annotated[
        str,
        typer.Option(
            help='An OpenAI-compatible server, as http://host:8000/v1; else a stand-in on this machine.'
        ),
    ] = '',
    model: Annotated[str, typer.Option(help="With --url: the server's name of the model.")] = '',
    tokens: Annotated[int, typer.Option(min=1, help='Stand-in: steps that an answer takes.')] = 40,
    step_seconds: Annotated[float, typer.Option(min=0.0, help='Stand-in: of a step with one answer.')] = 0.01,
    step_seconds_more: Annotated[
        float, typer.Option(min=0.0, help='Stand-in: for each further answer in the same step.')
    ] = 0.0005,
    batch: Annotated[int, typer.Option(min=1, help='Stand-in: answers in a step at most.')] = 16,
    seed: Annotated[int, typer.Option(min=0, help='Of the first scene that is shown.')] = 900_000,
    bundle: Bundle = DEFAULT_BUNDLE,
    logs: Annotated[Path, typer.Option(help='Folder for what the nodes log.')] = Path('out/fleet'),
    plot: Annotated[Path | None, typer.Option(help='Also draw a chart: a PNG.')] = None,
    json_file: JsonFile = None,
) -> None:
    """Reasoning nodes of many robots against one server: throughput and latency."""
    from vla_ros.evaluation.batching_server import BatchingServer, Pace
    from vla_ros.evaluation.fleet import fleet_sizes
    from vla_ros.evaluation.machine import machine, versions
    from vla_ros.nodes.bringup import require_ros
    from vla_ros.paths import bundle_directory
    from vla_ros.types import VlaError

    sizes, folder = fleet_sizes(robots), bundle_directory(bundle)
    if bool(url) != bool(model):
        raise VlaError(f'expected --url and --model together, or neither, found {url!r} and {model!r}')
    require_ros()
    from vla_ros.bundle import load_bundle
    from vla_ros.nodes.fleet import Load, measure, pictures
    from vla_ros.viz.fleet_chart import draw_fleet, fleet_table

    pace = Pace(tokens, step_seconds, step_seconds_more, batch)
    about: dict[str, Any] = {
        'server': url or STAND_IN,
        'model': model or STAND_IN,
        'pace': None if url else vars(pace),
        'rate': rate,
        'seed': seed,
        'bundle': folder.name,
        'machine': machine(),
        'versions': versions(),
    }
    rows: list[dict[str, Any]] = []
    shown = pictures(load_bundle(folder), seed)
    with ExitStack() as stack:
        server = None if url else stack.enter_context(BatchingServer(json.dumps(ANSWER), pace))
        load = Load(url if server is None else server.url, model or STAND_IN, rate)
        steps: list[int] = [] if server is None else server.steps
        for size in sizes:
            with console.status(f'{size} robots'):
                rows.append(measure(size, folder, shown, load, seconds, logs / str(size), steps))
            write_json(json_file, {**about, 'rows': rows})
    console.print(fleet_table(rows))
    if plot is not None:
        draw_fleet(rows, rate, plot)
    if not all(row['thoughts'] for row in rows):
        raise typer.Exit(1)
