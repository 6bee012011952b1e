"""``vla_ros eval generations``: action tokens against flow matching, on the same looks with the same thoughts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from vla_ros.cli.terminal import DEFAULT_BUNDLE, Bundle, JsonFile, Wordings, console, write_json


def generations(
    task: Annotated[str, typer.Option(help='touch, point, pick, put, push, home or two_step.')] = 'touch',
    episodes: Annotated[int, typer.Option(min=1, help='Along whose way both are asked.')] = 20,
    seed: Annotated[int, typer.Option(min=0, help='Episode i plays in the scene of seed + i.')] = 1_000_000,
    success: Annotated[
        int,
        typer.Option(min=0, help='Also so many episodes of the task in closed loop with each; 0 for none.'),
    ] = 0,
    workers: Annotated[int, typer.Option(min=1, help='Processes for --success.')] = 1,
    wordings: Wordings = None,
    bundle: Bundle = DEFAULT_BUNDLE,
    plot: Annotated[Path | None, typer.Option(help='Also draw a chart: a PNG.')] = None,
    json_file: JsonFile = None,
) -> None:
    """Generation 1 (action tokens) against generation 2 (flow matching): error, jitter, jumps, latency."""
    from vla_ros.evaluation.brain import load_brain
    from vla_ros.evaluation.episodes import TO_REFUSE, list_episodes
    from vla_ros.evaluation.generations import collect_looks, generations_report, open_both
    from vla_ros.evaluation.wordings import held_out_wordings, load_wordings
    from vla_ros.paths import bundle_directory
    from vla_ros.types import VlaError
    from vla_ros.viz.count_progress import count_progress
    from vla_ros.viz.generations_chart import draw_generations, generations_table

    begun, folder = time.perf_counter(), bundle_directory(bundle)
    loaded = open_both(folder)
    if task in TO_REFUSE:
        raise VlaError(f'task: expected one that can be done, found {task!r}')
    words = held_out_wordings() if wordings is None else load_wordings(wordings)
    listed = list_episodes(task, max(episodes, success), seed, words)
    chosen = listed[:episodes]
    with count_progress(console, 'episodes', len(chosen)) as show:
        looks = collect_looks(chosen, load_brain(folder), loaded.manifest.chunk.horizon, show)
    said = 'held out' if wordings is None else str(wordings)
    result, chunks = generations_report(loaded, looks, chosen, seed, begun, said)
    console.print(generations_table(result))
    if success:
        result['success'] = _successes(listed[:success], folder, workers)
    if plot is not None:
        draw_generations(result, chunks, plot)
    write_json(json_file, result)


def _successes(trials: list[Any], folder: Path, workers: int) -> dict[str, Any]:
    """Closed-loop success of both, on the same episodes."""
    from vla_ros.cli.terminal import show_numbers
    from vla_ros.evaluation.generations import NAMES
    from vla_ros.evaluation.statistics import wilson_interval
    from vla_ros.evaluation.success import run_trials
    from vla_ros.viz.progress import trial_progress

    found = {}
    for generation, name in NAMES.items():
        with trial_progress(console, name, len(trials)) as show:
            outcomes = run_trials(trials, folder, generation=generation, workers=workers, on_outcome=show)
        done = sum(outcome.success for outcome in outcomes)
        low, high = wilson_interval(done, len(trials))
        found[name] = {
            'successes': done,
            'episodes': len(trials),
            'ci95': [round(low, 4), round(high, 4)],
        }
    show_numbers('success', found)
    return found
