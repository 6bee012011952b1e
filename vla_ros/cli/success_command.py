"""``vla_ros eval success``: tasks in closed loop, on held-out scenes with held-out words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from vla_ros.cli.terminal import (
    DEFAULT_BUNDLE,
    Bundle,
    Generation,
    JsonFile,
    Wordings,
    console,
    show_numbers,
    write_json,
)

FILMS = Path('out/success')


def success(
    task: Annotated[
        str,
        typer.Option(
            help='touch, point, pick, put, push, home, two_step, '
            'no_such_object, out_of_reach, unsafe, nonsense, or all.'
        ),
    ] = 'touch',
    episodes: Annotated[int, typer.Option(min=1, help='Of each task.')] = 100,
    seed: Annotated[int, typer.Option(min=0, help='Episode i plays in the scene of seed + i.')] = 1_000_000,
    wordings: Wordings = None,
    bundle: Bundle = DEFAULT_BUNDLE,
    generation: Generation = 2,
    expert: Annotated[
        bool, typer.Option('--expert', help='The scripted expert in the place of the model (offline only).')
    ] = False,
    ros: Annotated[bool, typer.Option('--ros', help='Through the running graph instead of offline.')] = False,
    workers: Annotated[int, typer.Option(min=1, help='Processes (offline only).')] = 1,
    delay: Annotated[
        float, typer.Option(min=0.0, max=1.0, help='From camera to motion in s (offline only).')
    ] = 0.1,
    films: Annotated[
        int,
        typer.Option(min=0, help='Films of the first failures of each task, in out/success (offline only).'),
    ] = 0,
    plot: Annotated[
        Path | None, typer.Option(help='Also draw the success of each task into this PNG.')
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Closed-loop success on held-out scenes with held-out words."""
    from vla_ros.evaluation.episodes import chosen_tasks, list_episodes
    from vla_ros.evaluation.success import report
    from vla_ros.evaluation.wordings import HELD_OUT, HELD_OUT_TASKS, held_out_wordings, load_wordings
    from vla_ros.paths import bundle_directory
    from vla_ros.viz.progress import trial_progress

    words = held_out_wordings() if wordings is None else load_wordings(wordings)
    files = [HELD_OUT, HELD_OUT_TASKS] if wordings is None else [wordings]
    # All lists first: what is wrong with the words is said before hours of trials.
    lists = {name: list_episodes(name, episodes, seed, words) for name in chosen_tasks(task)}
    folder = None if expert else bundle_directory(bundle)
    results: dict[str, Any] = {}
    for name, trials in lists.items():
        begun = time.perf_counter()
        with trial_progress(console, f'{name}, {"through ROS" if ros else "offline"}', len(trials)) as show:
            outcomes = _play(
                trials, folder, show, ros=ros, workers=workers, delay=delay, generation=generation
            )
        results[name] = report(
            outcomes,
            task=name,
            seed=seed,
            wordings=files,
            bundle=folder,
            road='ros' if ros else 'offline',
            begun=begun,
            generation=generation,
        )
        show_numbers(
            f'{name}: {results[name]["successes"]} of {results[name]["episodes"]}',
            {
                key: results[name][key]
                for key in ('success_rate', 'ci95', 'refusals', 'failures', 'refused_plans', 'seconds')
            },
        )
        write_json(json_file, {'tasks': results} if len(lists) > 1 else results[name])
        if folder is not None and not ros:
            _film([outcome for outcome in outcomes if not outcome.success][:films], folder, delay)
    if len(results) > 1:
        from vla_ros.viz.success_table import success_table

        console.print(success_table(results))
    if plot is not None:
        from vla_ros.viz.success_chart import draw_success

        draw_success(results, plot)


def _film(failed: list[Any], folder: Path, delay: float) -> None:
    """Play these outcomes again, with the cameras running."""
    if not failed:
        return
    from vla_ros.evaluation.brain import load_brain
    from vla_ros.evaluation.closed_loop import Timing
    from vla_ros.viz.trial_film import film_trial

    brain = load_brain(folder)
    for outcome in failed:
        episode = outcome.episode
        path = FILMS / f'{episode.task}_{episode.seed}.mp4'
        film_trial(episode, brain, Timing(motion_delay=delay), path)
        console.print(f'{outcome.failure}: {path}')


def _play(
    trials: list[Any],
    folder: Path | None,
    show: Any,
    *,
    ros: bool,
    workers: int,
    delay: float,
    generation: int,
) -> list[Any]:
    """The outcomes of the trials, offline or through ROS."""
    if not ros or folder is None:
        from vla_ros.evaluation.closed_loop import Timing
        from vla_ros.evaluation.success import run_trials

        return run_trials(
            trials,
            folder,
            timing=Timing(motion_delay=delay),
            generation=generation,
            workers=workers,
            on_outcome=show,
        )
    from vla_ros.nodes.bringup import require_ros

    require_ros()
    from vla_ros.nodes.ros_trials import run_ros_trials

    return run_ros_trials(trials, folder, on_outcome=show, generation=generation)
