"""`vla_ros eval reasoning`: what System 2 thinks of orders, before anything moves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from vla_ros.cli.terminal import DEFAULT_BUNDLE, Bundle, JsonFile, Wordings, console, show_numbers, write_json

SHOWN = (
    *('well_formed', 'subtask_accuracy', 'verdict_accuracy', 'refusal_recall', 'refusal_reason_accuracy'),
    *('false_refusals', 'location_error_mm', 'objects', 'by_task'),
)


def reasoning(
    episodes: Annotated[int, typer.Option(min=1, help='Orders in all, shared by the tasks.')] = 200,
    seed: Annotated[
        int, typer.Option(min=0, help='Order i of a task is given in the scene of seed + i.')
    ] = 1_000_000,
    wordings: Wordings = None,
    paraphrases: Annotated[
        Path | None, typer.Option(help='YAML list of {say, first, also}: these orders, each once, instead.')
    ] = None,
    bundle: Bundle = DEFAULT_BUNDLE,
    json_file: JsonFile = None,
) -> None:
    """Traces, verdicts, subtasks and locations on held-out scenes with held-out words; nothing moves."""
    from vla_ros.bundle import MANIFEST, load_bundle, sha256
    from vla_ros.evaluation.brain import load_brain
    from vla_ros.evaluation.machine import machine, versions
    from vla_ros.evaluation.paraphrases import list_paraphrased, load_paraphrases
    from vla_ros.evaluation.reasoning import Judged, judge_orders, list_orders, reasoning_report
    from vla_ros.evaluation.wordings import held_out_wordings, load_wordings
    from vla_ros.paths import bundle_directory
    from vla_ros.viz.count_progress import count_progress

    begun = time.perf_counter()
    if paraphrases is not None:
        orders = list_paraphrased(load_paraphrases(paraphrases), seed)
    else:
        words = held_out_wordings() if wordings is None else load_wordings(wordings)
        orders = list_orders(episodes, seed, words)
    folder = bundle_directory(bundle)
    manifest = load_bundle(folder).manifest
    done = 0
    with count_progress(console, 'orders', len(orders)) as show:

        def count(_: Judged) -> None:
            nonlocal done
            done += 1
            show(done)

        judged = judge_orders(orders, load_brain(folder), manifest.reasoning.location_bins, count)
    result = reasoning_report(judged)
    result |= {
        'seed': seed,
        'wordings': str(paraphrases or wordings or 'held out'),
        'bundle': {'name': manifest.name, 'manifest_sha256': sha256(folder / MANIFEST)},
        'machine': machine(),
        'versions': versions(),
        'seconds': round(time.perf_counter() - begun, 1),
    }
    show_numbers(f'{len(judged)} orders', {key: result[key] for key in SHOWN})
    write_json(json_file, result)
