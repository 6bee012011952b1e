"""What a demonstration leaves behind: report, film and poster, all made from its bag and the simulator's state log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from vla_ros.bundle import load_bundle
from vla_ros.evaluation.bag import read_bag
from vla_ros.evaluation.demo_report import demo_report, shortfall
from vla_ros.evaluation.machine import machine
from vla_ros.evaluation.recording import Recording
from vla_ros.evaluation.story import Story
from vla_ros.viz.film import Script, affordable, make_film
from vla_ros.viz.outside_view import OutsideView, load_state_log
from vla_ros.viz.poster import OUTSIDE, Facts, make_poster

BAG, STATES, LOGS = 'bag', 'states.npz', 'logs'
FILM_SECONDS = 60.0
"""Seconds that drawing may take before the film does without shadows."""
REPORT, FILM, POSTER = 'report.json', 'demo.mp4', 'summary.png'


def make_souvenirs(out: Path, story: Story, bundle: Path, console: Console, *, film: bool) -> dict[str, Any]:
    """Read the bag in ``out``, draw poster and film beside it, print the figures and return the report."""
    recording = read_bag(out / BAG)
    states = load_state_log(out / STATES)
    report = demo_report(recording, story, bundle.name)
    _print(console, report)
    bins = load_bundle(bundle).manifest.reasoning.location_bins
    outside = OutsideView(story.scene(), states, *OUTSIDE, samples=2)
    make_poster(out / POSTER, recording, outside, bins, _facts(report, recording))
    console.print(f'poster: {out / POSTER}')
    if film:
        footer = f'vla_ros · SO-101 in MuJoCo · ROS 2 over DDS · {_cores()}'
        script = Script(out / BAG, out / STATES, story.scene(), bins, footer)
        _draw_film(out / FILM, script, console)
        console.print(f'film:   {out / FILM}')
    console.print(f'bag:    {out / BAG}')
    console.print(f'report: {out / REPORT}')
    if not report['success']:
        console.print(shortfall(report), highlight=False)
    return report


def _draw_film(path: Path, script: Script, console: Console) -> None:
    workers = max(1, min(4, len(os.sched_getaffinity(0))))
    columns = (TextColumn('drawing the film'), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task('film', total=None)
        make_film(
            path,
            affordable(script, workers, FILM_SECONDS),
            workers=workers,
            on_frame=lambda done, total: progress.update(bar, completed=done, total=total),
        )


def _facts(report: dict[str, Any], recording: Recording) -> Facts:
    found = report['latencies'].get('camera_to_trajectory_ms')
    percentiles = {} if found is None else {'camera to trajectory': (found['p50'], found['p99'])}
    topics = {'camera to visual tokens': 'perception/tokens', 'camera to decision': 'reasoning/decision'}
    samples = {
        label: [1000.0 * age for age in recording.ages[topic].values]
        for label, topic in topics.items()
        if topic in recording.ages
    }
    pace = f'real-time factor {report["real_time_factor"]:.2f}' if report['real_time_factor'] else ''
    return Facts('vla_ros', f'SO-101 in MuJoCo · ROS 2 over DDS · {_cores()} · {pace}', samples, percentiles)


def _cores() -> str:
    here = machine()
    return f'{here["cores"]} CPU cores, no GPU'


def _print(console: Console, report: dict[str, Any]) -> None:
    factor = report['real_time_factor']
    for name, found in report['latencies'].items():
        label = name.removesuffix('_ms').replace('_', ' ')
        clock = ' of simulated time' if found['clock'] == 'simulated' else ''
        console.print(
            f'{label}: p50 {found["p50"]:.1f} ms, p99 {found["p99"]:.1f} ms{clock} ({found["count"]} samples)',
            highlight=False,
        )
    rates = (
        f'{name.removesuffix("_hz").replace("_", " ")} {rate:.1f}' for name, rate in report['rates'].items()
    )
    console.print(f'rates in Hz of simulated time: {", ".join(rates)}', highlight=False)
    console.print(f'real-time factor: {factor} (simulated seconds a second)', highlight=False)
