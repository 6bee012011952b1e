"""``vla_ros bench``: how fast it is, as ratios against peers and limits that are measured in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vla_ros.cli.terminal import DEFAULT_BUNDLE, Bundle, JsonFile, console, write_json


def bench(
    sections: Annotated[
        list[str] | None,
        typer.Argument(
            help='action, reasoning, perception, graph, startup, growth; all without an argument.'
        ),
    ] = None,
    compare: Annotated[
        str, typer.Option(help='Peers, where they are installed: torch,torch.compile,transformers.')
    ] = '',
    bundle: Bundle = DEFAULT_BUNDLE,
    runs: Annotated[int, typer.Option(min=1, help='Each figure is a ratio of medians a run.')] = 5,
    repeats: Annotated[int, typer.Option(min=1, help='Repetitions of everything in a run, in turns.')] = 20,
    questions: Annotated[
        int, typer.Option(min=1, help='Recorded thoughts that System 2 is compared on.')
    ] = 300,
    seed: Annotated[int, typer.Option(min=0, help='Of the first recorded episode.')] = 900_000,
    quick: Annotated[bool, typer.Option(help='Next to no repetitions: to see whether it runs.')] = False,
    plot: Annotated[Path | None, typer.Option(help='Also draw a chart: a PNG.')] = None,
    json_file: JsonFile = None,
) -> None:
    """Measure what a model costs here, against PyTorch, transformers and what the machine can do."""
    from vla_ros.bench.figures import QUICK, Effort
    from vla_ros.bench.report import bench_report, choose, peers_from
    from vla_ros.bench.section import Request
    from vla_ros.cli.bench_sections import SECTIONS
    from vla_ros.paths import bundle_directory
    from vla_ros.viz.bench_table import bench_table

    chosen = choose(sections or (), SECTIONS)
    request = Request(
        bundle=bundle_directory(bundle),
        peers=peers_from(compare),
        effort=QUICK if quick else Effort(runs=runs, repeats=repeats),
        questions=min(questions, 4) if quick else questions,
        seed=seed,
    )
    with console.status('measuring') as status:
        report = bench_report(request, chosen, lambda name: status.update(f'measuring {name}'))
    console.print(bench_table(report))
    if plot is not None:
        from vla_ros.viz.bench_chart import draw_bench

        draw_bench(report, plot)
    write_json(json_file, report)
