"""``vla_ros eval soak``: changing instructions for long, and whether anything leaks, hangs or gets slower."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vla_ros.cli.terminal import DEFAULT_BUNDLE, Bundle, console, write_json

NEWS_EVERY = 60.0
"""Seconds from one line of state to the next, and from one writing of the file to the next; in a short run a sixth of
it."""
INTERRUPTED = 130


def soak(
    minutes: Annotated[
        float, typer.Option(min=0.5, help='Of the wall, from when all nodes are active.')
    ] = 60.0,
    seed: Annotated[
        int, typer.Option(min=0, help='Of what the person does; scenes count up from it.')
    ] = 900_000,
    bundle: Bundle = DEFAULT_BUNDLE,
    logs: Annotated[Path, typer.Option(help='Folder for what the nodes log.')] = Path('out/soak'),
    json_file: Annotated[
        Path | None, typer.Option('--json', help='Also write the numbers to this file, every minute.')
    ] = None,
) -> None:
    """Changing instructions through the running graph; exit code 1 if something leaks, hangs or gets slower."""
    from vla_ros.nodes.bringup import require_ros

    require_ros()
    from vla_ros.evaluation.machine import machine, versions
    from vla_ros.evaluation.soak import SoakLog, soak_report
    from vla_ros.nodes.soak import run_soak
    from vla_ros.paths import bundle_directory
    from vla_ros.viz.soak_table import soak_progress, soak_table, state_line

    folder, log = bundle_directory(bundle), SoakLog()
    about = {'seed': seed, 'bundle': folder.name, 'machine': machine(), 'versions': versions()}
    every = min(NEWS_EVERY, 10 * minutes)
    interrupted = False

    def written() -> dict[str, Any]:
        report = {**soak_report(log, minutes), 'interrupted': interrupted, **about}
        if json_file is not None:
            _keep(json_file, report)
        return report

    written()  # whether it can be written is better known now than in an hour
    with soak_progress(console, 60 * minutes) as show:
        due = every

        def tell() -> None:
            nonlocal due
            news = log.seconds >= due
            due += every if news else 0.0
            show(log.seconds, state_line(written()) if news else '')

        try:
            run_soak(log, folder, 60 * minutes, seed, logs, tell)
        except (KeyboardInterrupt, SystemExit):  # what there is so far is reported, too
            interrupted = True
        finally:
            report = written()
    console.print(soak_table(report))
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if not (report['passed'] and report['complete']):
        raise typer.Exit(1)


def _keep(path: Path, report: dict[str, Any]) -> None:
    """Whole or not at all: a reader, or whoever is killed here, never has half a file."""
    new = path.with_name(f'{path.name}.new')
    write_json(new, report)
    new.replace(path)
