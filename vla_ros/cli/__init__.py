"""The command line: ``vla_ros demo | eval | replay | train | export | inspect | run | say | status``."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vla_ros.cli.language_command import language
from vla_ros.cli.reasoning_command import reasoning
from vla_ros.cli.replay_command import replay
from vla_ros.cli.training_commands import PASS_ON, export, train
from vla_ros.types import VlaError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help='Vision-Language-Action models on robots, as ROS 2 nodes.',
)
evaluations = typer.Typer(no_args_is_help=True, help='Measure a model.')
app.add_typer(evaluations, name='eval')

console = Console()
errors = Console(stderr=True)

Bundle = Annotated[str, typer.Option(help='Folder of a model bundle, or the name of one that comes along.')]
JsonFile = Annotated[Path | None, typer.Option('--json', help='Also write the numbers to this file.')]

DEFAULT_BUNDLE = 'tabletop'


@app.command()
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


app.command()(replay)
evaluations.command()(reasoning)
evaluations.command()(language)
for command in (train, export):
    app.command(context_settings=PASS_ON, add_help_option=False)(command)


@evaluations.command()
def success(
    task: Annotated[str, typer.Option(help='touch or no_such_object.')] = 'touch',
    episodes: Annotated[int, typer.Option(min=1)] = 100,
    seed: Annotated[int, typer.Option(min=0, help='Episode i plays in the scene of seed + i.')] = 1_000_000,
    wordings: Annotated[
        Path | None, typer.Option(help='YAML: task -> templates with {object}, {target}.')
    ] = None,
    bundle: Bundle = DEFAULT_BUNDLE,
    ros: Annotated[bool, typer.Option('--ros', help='Through the running graph instead of offline.')] = False,
    workers: Annotated[int, typer.Option(min=1, help='Processes (offline only).')] = 1,
    delay: Annotated[
        float, typer.Option(min=0.0, max=1.0, help='From camera to motion in s (offline only).')
    ] = 0.1,
    json_file: JsonFile = None,
) -> None:
    """Closed-loop success on held-out scenes with held-out words."""
    from vla_ros.evaluation.closed_loop import Timing
    from vla_ros.evaluation.episodes import list_episodes
    from vla_ros.evaluation.success import report, run_trials
    from vla_ros.evaluation.wordings import HELD_OUT, load_wordings
    from vla_ros.paths import bundle_directory
    from vla_ros.viz.progress import trial_progress

    begun = time.perf_counter()
    words = wordings or HELD_OUT
    trials = list_episodes(task, episodes, seed, load_wordings(words))
    folder = bundle_directory(bundle)
    with trial_progress(console, f'{task}, {"through ROS" if ros else "offline"}', len(trials)) as show:
        if ros:
            from vla_ros.nodes.bringup import require_ros

            require_ros()
            from vla_ros.nodes.ros_trials import run_ros_trials

            outcomes = run_ros_trials(trials, folder, on_outcome=show)
        else:
            timing = Timing(motion_delay=delay)
            outcomes = run_trials(trials, folder, timing=timing, workers=workers, on_outcome=show)
    result = report(
        outcomes,
        task=task,
        seed=seed,
        wordings=words,
        bundle=folder,
        road='ros' if ros else 'offline',
        begun=begun,
    )
    show_numbers(
        f'{task}: {result["successes"]} of {result["episodes"]}',
        {
            key: result[key]
            for key in ('success_rate', 'ci95', 'refusals', 'failures', 'refused_plans', 'seconds')
        },
    )
    write_json(json_file, result)


@evaluations.command()
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


@evaluations.command()
def smoothness(
    episodes: Annotated[int, typer.Option(min=1, help='Tasks a row of the table.')] = 10,
    seed: Annotated[int, typer.Option(min=0, help='Task i plays in the scene of seed + i.')] = 1_000_000,
    plot: Annotated[Path | None, typer.Option(help='Also draw a chart: a PNG.')] = None,
    json_file: JsonFile = None,
) -> None:
    """How smooth the arm moves, by the way chunks are sent: one point a message, many points, or planned."""
    from vla_ros.evaluation.senders import ROADS
    from vla_ros.evaluation.smoothness_report import DELAYS, smoothness_report
    from vla_ros.viz.count_progress import count_progress
    from vla_ros.viz.smoothness_chart import draw_report, smoothness_table

    with count_progress(console, 'tasks', episodes * len(DELAYS) * len(ROADS)) as show:
        result = smoothness_report(episodes, seed, on_run=show)
    console.print(smoothness_table(result))
    for key in ('peak_jerk_over_ours', 'seconds_over_ours'):
        show_numbers(key.replace('_', ' ') + ', by delay in ms', result[key])
    if plot is not None:
        draw_report(result, seed, plot)
    write_json(json_file, result)


@evaluations.command()
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


@app.command()
def inspect(bundle: Annotated[str, typer.Argument()] = DEFAULT_BUNDLE, json_file: JsonFile = None) -> None:
    """Show a bundle's manifest and verify its checksums."""
    from vla_ros.bundle import load_bundle
    from vla_ros.paths import bundle_directory
    from vla_ros.viz.manifest_table import manifest_table

    opened = load_bundle(bundle_directory(bundle))
    console.print(manifest_table(opened))
    for key in opened.manifest.files:
        opened.file(key)
    console.print(f'[green]{len(opened.manifest.files)} files, all as their checksums say[/green]')
    write_json(json_file, opened.manifest.model_dump(mode='json'))


@app.command()
def run(
    simulator: Annotated[bool, typer.Option('--simulator', help='Run the simulated robot too.')] = False,
    bundle: Bundle = DEFAULT_BUNDLE,
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
        bundle=bundle,
        composed=composed,
        namespace=namespace,
        enable=enable,
        parameters_file=parameters,
    )


@app.command()
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


@app.command()
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


def show_numbers(title: str, values: dict[str, Any]) -> None:
    """A small table of names and values."""
    table = Table(title=escape(title), title_justify='left', show_header=False, box=None)
    for key, value in values.items():
        table.add_row(f'[dim]{escape(key)}[/dim]', escape(str(value)))
    console.print(table)


def write_json(path: Path | None, content: Any) -> None:
    """Write numbers to a file, if there is one to write."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + '\n', encoding='utf-8')
    except OSError as error:
        raise VlaError(f'{path} could not be written: {error.strerror}') from error


def main() -> None:
    """Entry point: an error that a person can act on is one red sentence and exit code 1."""
    # Whoever ends this process ends what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app(prog_name='vla_ros')
    except VlaError as error:
        errors.print(f'[red]error: {escape(str(error))}[/red]', soft_wrap=True, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
