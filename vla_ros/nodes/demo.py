"""The demonstration: a simulated robot and three nodes as processes, four orders, and pictures of what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from vla_ros import graph
from vla_ros.bundle import load_bundle
from vla_ros.evaluation.segments import Ending
from vla_ros.evaluation.story import Order, Story, make_story
from vla_ros.nodes.bringup import START_TIMEOUT, prepare_environment, running
from vla_ros.nodes.client import Client, State
from vla_ros.nodes.stage import SIMULATOR, Ended, Stage
from vla_ros.paths import bundle_directory
from vla_ros.process import Process
from vla_ros.types import VlaError
from vla_ros.viz.live import LiveDisplay, View
from vla_ros.viz.souvenirs import BAG, LOGS, REPORT, STATES, make_souvenirs

STILL_AFTER_REFUSAL = 4.0
"""Seconds for which the film shows that the arm stands still."""
BEFORE, AFTER = 0.8, 1.5
"""Seconds before an order and after it was carried out, for people who watch."""


def run_demo(out: Path, bundle: str, console: Console, *, seed: int | None, film: bool) -> dict[str, Any]:
    """Run the story, leave film, poster, bag and report in ``out``, and return the report.

    Raises:
        VlaError: the bundle is not valid, or a node does not start or dies.
    """
    begun = time.monotonic()
    story = make_story() if seed is None else make_story(seed)
    folder = bundle_directory(bundle)
    load_bundle(folder)
    prepare_environment(simulator=True, own_domain=True)
    out.mkdir(parents=True, exist_ok=True)
    console.print(f'[bold]vla_ros demo[/bold]: bundle {folder.name}, scene {story.seed}, results in {out}')
    with LiveDisplay(console) as display:
        _play(out, folder, story, display)
    report = make_souvenirs(out, story, folder, console, film=film)
    report['wall_seconds'] = round(time.monotonic() - begun, 1)
    (out / REPORT).write_text(json.dumps(report, indent=2, ensure_ascii=False) + '\n', encoding='utf-8')
    return report


def replay_demo(out: Path, console: Console, *, film: bool) -> dict[str, Any]:
    """Draw film and poster again from what an earlier run left in ``out``.

    Raises:
        VlaError: there is no such run.
    """
    try:
        before = json.loads((out / REPORT).read_text(encoding='utf-8'))
        seed, bundle = int(before['seed']), str(before['bundle'])
    except (OSError, ValueError, KeyError) as error:
        raise VlaError(f'{out / REPORT}: expected the report of an earlier run: {error}') from error
    report = make_souvenirs(out, make_story(seed), bundle_directory(bundle), console, film=film)
    report['wall_seconds'] = before.get('wall_seconds')
    (out / REPORT).write_text(json.dumps(report, indent=2, ensure_ascii=False) + '\n', encoding='utf-8')
    return report


def _processes(out: Path, bundle: Path, story: Story) -> list[Process]:
    states = (out / STATES).resolve()
    for old in states.parent.glob(f'{states.stem}*.npz'):
        old.unlink()
    extra = (('seed', story.seed), ('state_log', str(states)))
    return [
        replace(process, parameters=(*process.parameters, *extra)) if SIMULATOR in process.nodes else process
        for process in graph.processes(simulator=True, visualise=True, bundle=str(bundle), use_sim_time=True)
    ]


def _play(out: Path, bundle: Path, story: Story, display: LiveDisplay) -> None:
    processes = _processes(out, bundle, story)
    begun = time.monotonic()
    with running(processes, out / LOGS, out / BAG) as supervisor, Client() as client:
        display.say(f'starting {", ".join(process.executable for process in processes)} and a recorder')
        client.wait_active([node for p in processes for node in p.nodes], START_TIMEOUT, supervisor.check)
        # The recorder and the reasoning node.
        client.wait_subscribed('instruction', 2, START_TIMEOUT, supervisor.check)
        display.say(f'all nodes active after {time.monotonic() - begun:.1f} s')
        for number, order in enumerate(story.orders, start=1):
            heading = f'order {number} of {len(story.orders)}'
            ended = _give(client, supervisor.check, display, story, order, heading)
            display.say(_result(heading, order, ended))
        client.instruct('')


def _give(
    client: Client, check: Callable[[], None], display: LiveDisplay, story: Story, order: Order, heading: str
) -> Ended:
    def look() -> None:
        check()
        display.show(view_of(client.state, heading, order.words))

    stage = Stage(client, look)
    impossible = order.expected is Ending.REFUSED
    stage.set_scene(story.seed, '' if impossible else f'touch:{order.wanted}')
    stage.linger(BEFORE)
    ended = stage.refuse(order.words, STILL_AFTER_REFUSAL) if impossible else stage.carry_out(order.words)
    stage.linger(AFTER)
    return ended


def view_of(state: State, heading: str, words: str) -> View:
    """What the live display shows of the state of the graph."""
    about = [
        decision for _, decision in list(state.decisions) if decision.instruction == words and decision.trace
    ]
    return View(
        heading=heading,
        words=words,
        trace=state.trace,
        verdict=about[-1].verdict.value if about else 'thinking',
        subtask=about[-1].subtask if about else '',
        reports=dict(state.reports),
    )


def _result(heading: str, order: Order, ended: Ended) -> str:
    told = ended.decision.subtask if ended.decision is not None else 'no decision'
    if not ended.success:
        return f'{heading}: [red]{ended.failure}[/red] after {ended.seconds:.1f} s: “{order.words}” ({told})'
    how = 'refused' if order.expected is Ending.REFUSED else 'done'
    return f'{heading}: [green]{how}[/green] after {ended.seconds:.1f} s: “{order.words}” ({told})'
