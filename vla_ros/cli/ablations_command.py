"""``vla_ros eval ablations``: what each part of the model is worth."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from vla_ros.cli.terminal import DEFAULT_BUNDLE, Bundle, JsonFile, Wordings, console, write_json


def ablations(
    task: Annotated[str, typer.Option(help='touch, point, pick, put or push.')] = 'touch',
    group: Annotated[
        str,
        typer.Option(
            help='Of variants: thought, temperature, senses, horizon, delay, world, renderer; or all.'
        ),
    ] = 'all',
    episodes: Annotated[int, typer.Option(min=1, help='Of each variant; always the same ones.')] = 50,
    seed: Annotated[int, typer.Option(min=0, help='Episode i plays in the scene of seed + i.')] = 1_000_000,
    wordings: Wordings = None,
    bundle: Bundle = DEFAULT_BUNDLE,
    json_file: JsonFile = None,
) -> None:
    """The same trials with one thing changed: thoughts, cameras, delay, light, company."""
    from vla_ros.bundle import MANIFEST, load_bundle, sha256
    from vla_ros.evaluation.ablations import run_variants, single_step
    from vla_ros.evaluation.brain import load_brain
    from vla_ros.evaluation.episodes import list_episodes
    from vla_ros.evaluation.machine import machine, versions
    from vla_ros.evaluation.variants import variants_of
    from vla_ros.evaluation.wordings import held_out_wordings, load_wordings
    from vla_ros.paths import bundle_directory
    from vla_ros.viz.ablation_table import ablation_table
    from vla_ros.viz.count_progress import count_progress

    begun = time.perf_counter()
    words = held_out_wordings() if wordings is None else load_wordings(wordings)
    folder = bundle_directory(bundle)
    manifest, brain = load_bundle(folder).manifest, load_brain(folder)
    trials, variants = list_episodes(single_step(task), episodes, seed, words), variants_of(group)
    rows: list[dict[str, Any]] = []
    report: dict[str, Any] = {
        'task': task,
        'rows': rows,
        'seed': seed,
        'wordings': str(wordings or 'held out'),
    }
    report |= {'bundle': {'name': manifest.name, 'manifest_sha256': sha256(folder / MANIFEST)}}
    report |= {'machine': machine(), 'versions': versions()}
    done = 0
    with count_progress(console, 'trials', len(trials) * len(variants)) as show:

        def count() -> None:
            nonlocal done
            done += 1
            show(done)

        for row in run_variants(variants, trials, brain, manifest.reasoning.location_bins, count):
            rows.append(row)
            write_json(json_file, report | {'seconds': round(time.perf_counter() - begun, 1)})
    console.print(ablation_table(report))
