"""The command line: ``vla_ros demo | run | say | status | inspect | replay | record | bench | train | eval | ...``."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from vla_ros.cli.ablations_command import ablations
from vla_ros.cli.bench_command import bench
from vla_ros.cli.dataset_commands import check, export_episodes, record
from vla_ros.cli.fleet_command import fleet
from vla_ros.cli.generations_command import generations
from vla_ros.cli.graph_commands import run, say, status
from vla_ros.cli.import_command import app as imports
from vla_ros.cli.inspect_command import inspect
from vla_ros.cli.language_command import language
from vla_ros.cli.reasoning_command import reasoning
from vla_ros.cli.replay_command import replay
from vla_ros.cli.replay_faults_command import replay_faults
from vla_ros.cli.soak_command import soak
from vla_ros.cli.success_command import success
from vla_ros.cli.terminal import (
    DEFAULT_BUNDLE,
    Bundle,
    JsonFile,
    console,
    show_error,
    show_numbers,
    write_json,
)
from vla_ros.cli.training_commands import PASS_ON, export, train
from vla_ros.types import VlaError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help='Vision-Language-Action models on robots, as ROS 2 nodes.',
)
evaluations = typer.Typer(no_args_is_help=True, help='Measure a model.')
app.add_typer(evaluations, name='eval')
datasets = typer.Typer(no_args_is_help=True, help="Recorded episodes in LeRobot's dataset format.")
app.add_typer(datasets, name='dataset')
app.add_typer(imports, name='import')


def demo(
    out: Annotated[Path, typer.Option(help='Where film, poster, bag and report go.')] = Path('out/demo'),
    bundle: Bundle = DEFAULT_BUNDLE,
    seed: Annotated[int | None, typer.Option(min=0, help='Of the scene.')] = None,
    film: Annotated[bool, typer.Option(help='Draw the film.')] = True,
    from_bag: Annotated[
        bool, typer.Option(help='Draw film and poster again from what an earlier run left.')
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Simulator and nodes over DDS, four instructions one after another (one impossible), and what comes of it."""
    from vla_ros.nodes.bringup import require_ros

    require_ros()
    from vla_ros.nodes.demo import replay_demo, run_demo

    again = from_bag and replay_demo(out, console, film=film)
    report = again or run_demo(out, bundle, console, seed=seed, film=film)
    write_json(json_file, report)
    if not report['success']:
        raise typer.Exit(1)


def safety(
    chunks: Annotated[int, typer.Option(min=1, help='Action chunks of the adversary.')] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help='Of the adversary.')] = 1_000_000,
    bundle: Annotated[
        str, typer.Option(help="A bundle whose action head takes part in the attack; '' for none.")
    ] = DEFAULT_BUNDLE,
    json_file: JsonFile = None,
) -> None:
    """An adversary against stitching, shaping and guard; exit code 1 if a plan that went out broke a promise."""
    from vla_ros.evaluation.safety_report import safety_report, summary
    from vla_ros.viz.count_progress import count_progress

    with count_progress(console, 'attacking', chunks) as show:
        result = safety_report(chunks, seed, bundle, show)
    show_numbers(f'{result["chunks"]} chunks, {result["violations"]} violations', summary(result))
    write_json(json_file, result)
    if result['violations']:
        raise typer.Exit(1)


def smoothness(
    episodes: Annotated[int, typer.Option(min=1, help='Tasks a row of the table.')] = 10,
    seed: Annotated[int, typer.Option(min=0, help='Task i plays in the scene of seed + i.')] = 1_000_000,
    jitter: Annotated[float, typer.Option(min=0, max=0.5, help='Messages come late by up to this, s.')] = 0.0,
    plot: Annotated[Path | None, typer.Option(help='Also draw a chart: a PNG.')] = None,
    json_file: JsonFile = None,
) -> None:
    """How smooth the arm moves, by the way chunks are sent: one point a message, many points, or planned."""
    from vla_ros.evaluation.senders import ROADS
    from vla_ros.evaluation.smoothness_report import DELAYS, smoothness_report
    from vla_ros.viz.count_progress import count_progress
    from vla_ros.viz.smoothness_chart import draw_report, smoothness_table

    with count_progress(console, 'tasks', episodes * len(DELAYS) * len(ROADS)) as show:
        result = smoothness_report(episodes, seed, jitter=jitter, on_run=show)
    console.print(smoothness_table(result))
    for key in ('peak_jerk_over_ours', 'seconds_over_ours'):
        show_numbers(key.replace('_', ' ') + ', by delay in ms', result[key])
    if plot is not None:
        draw_report(result, seed, plot)
    write_json(json_file, result)


def faults(
    only: Annotated[list[str] | None, typer.Option(help='Only this fault; may be given again.')] = None,
    bundle: Bundle = DEFAULT_BUNDLE,
    json_file: JsonFile = None,
) -> None:
    """Faults in the running graph while the arm is under way; exit code 1 if one does not end as it must."""
    from vla_ros.evaluation.fault_report import fault_report
    from vla_ros.evaluation.faults import choose
    from vla_ros.nodes.bringup import require_ros
    from vla_ros.paths import bundle_directory
    from vla_ros.viz.count_progress import count_progress
    from vla_ros.viz.fault_table import fault_table

    chosen, folder, begun = choose(tuple(only or ())), bundle_directory(bundle), time.perf_counter()
    require_ros()
    from vla_ros.nodes.fault_lab import run_faults

    with count_progress(console, 'faults', len(chosen)) as show:

        def keep(rows: list[Any]) -> None:
            write_json(json_file, fault_report(rows, folder, begun))
            show(len(rows))

        result = fault_report(run_faults(chosen, folder, keep), folder, begun)
    console.print(fault_table(result))
    if result['passed'] < result['faults']:
        raise typer.Exit(1)


# In the order in which a person meets them; it is that of --help.
for command in (demo, run, say, status, inspect, replay, record, bench):
    app.command()(command)
for passing in (train, export):
    app.command(context_settings=PASS_ON, add_help_option=False)(passing)
for measure in (
    success,
    reasoning,
    ablations,
    generations,
    language,
    smoothness,
    safety,
    faults,
    soak,
    fleet,
):
    evaluations.command()(measure)
evaluations.command('replay')(replay_faults)
datasets.command('export')(export_episodes)
datasets.command()(check)


def main() -> None:
    """Entry point: an error that a person can act on is one red sentence and exit code 1."""
    # Whoever ends this process ends what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app(prog_name='vla_ros')
    except VlaError as error:
        show_error(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
