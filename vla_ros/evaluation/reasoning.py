"""What System 2 thinks of an order before anything moves: well formed, true of the scene, the right verdict?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vla_ros.evaluation import episodes as lists
from vla_ros.evaluation.brain import Brain
from vla_ros.evaluation.closed_loop import CAMERA_SIZES, ClosedLoop, Timing
from vla_ros.evaluation.episodes import Episode, list_episodes
from vla_ros.evaluation.statistics import wilson_interval
from vla_ros.reasoning.subtask import in_words
from vla_ros.reasoning.trace import sightings
from vla_ros.sim.cameras import Camera
from vla_ros.sim.model import TIME_STEP
from vla_ros.sim.world import World
from vla_ros.types import Decision, DoubleArray, Subtask, Verdict, VlaError

AT_ONCE = Timing(replanning=60.0, motion_delay=60.0, thinking=60.0, thought_delay=TIME_STEP)
"""One look and one thought about it, in force at the next step of the physics; no plan is made."""
NOT_WELL_FORMED = 'the chain of thought'
"""How ``trace.read`` begins its reasons for holding still when a trace cannot be acted on."""
REASONS = lists.TO_REFUSE
"""Tasks that must be refused, and words of which the true reason has one."""
LOCATION_CAMERA = 'front'


@dataclass(frozen=True)
class Judged:
    """One order and what was made of it.

    Attributes:
        well_formed: the trace reads as a trace.
        verdict_right: refused if it must be refused, gone about if it can be done.
        refused: whatever was right.
        subtask_right: of an order that can be done: the step that the answer names is the first of it.
        reason_right: of an order that must be refused: it was, with the true reason.
        missing, invented: names of objects that the trace leaves out, and of those that are not there.
        errors: mm on the table, of each object that the trace places.
    """

    episode: Episode
    decision: Decision
    well_formed: bool
    verdict_right: bool
    refused: bool
    subtask_right: bool
    reason_right: bool
    missing: tuple[str, ...]
    invented: tuple[str, ...]
    errors: tuple[float, ...]


def tasks_with_words(wordings: dict[str, tuple[str, ...]]) -> list[str]:
    """The tasks that can be asked with these wordings.

    Raises:
        VlaError: none can.
    """
    found = [task for task in lists.TASKS if _has_words(task, wordings)]
    if not found:
        raise VlaError(
            f'wordings: expected sentences for some of {list(lists.TASKS)}, found only {sorted(wordings)}'
        )
    return found


def _has_words(task: str, wordings: dict[str, tuple[str, ...]]) -> bool:
    try:
        list_episodes(task, 1, 0, wordings)
    except VlaError:
        return False
    return True


def list_orders(count: int, seed: int, wordings: dict[str, tuple[str, ...]]) -> list[Episode]:
    """``count`` orders in all, shared evenly by the tasks that there are words for, each task from the same scenes on.

    Raises:
        VlaError: fewer orders than tasks, or what ``list_episodes`` refuses.
    """
    tasks = tasks_with_words(wordings)
    if count < len(tasks):
        raise VlaError(f'episodes: expected at least {len(tasks)}, one a task, found {count}')
    shares = [len(range(number, count, len(tasks))) for number in range(len(tasks))]
    return [
        episode
        for task, share in zip(tasks, shares)
        for episode in list_episodes(task, share, seed, wordings)
    ]


def judge_orders(
    orders: Sequence[Episode],
    brain: Brain,
    bins: int,
    on_judged: Callable[[Judged], None] = lambda judged: None,
) -> list[Judged]:
    """Let the model think once about each order."""
    judged = []
    for episode in orders:
        judged.append(judge(episode, brain, bins))
        on_judged(judged[-1])
    return judged


def judge(episode: Episode, brain: Brain, bins: int) -> Judged:
    """The first thought about an order in its scene. The same episode and brain give the same."""
    world = World(episode.scene(), np.random.default_rng([episode.seed, 11]))
    loop = ClosedLoop(world, brain, episode.instruction, AT_ONCE)
    while not loop.decisions:
        loop.step()
    decision = loop.decisions[0][1]
    refused = decision.verdict is Verdict.REFUSED
    must_refuse = episode.task in REASONS
    there = {thing.name: thing for thing in world.scene.objects}
    camera = Camera(world.model, LOCATION_CAMERA, *CAMERA_SIZES[LOCATION_CAMERA], scene=world.scene)
    named = sightings(decision.trace, bins)
    errors = [
        1000
        * float(
            np.hypot(
                *(on_table(camera, world, (s.x, s.y), there[s.name].position[2]) - there[s.name].position[:2])
            )
        )
        for s in named
        if s.name in there
    ]
    names = {s.name for s in named}
    return Judged(
        episode=episode,
        decision=decision,
        well_formed=not (decision.verdict is Verdict.UNSURE and decision.subtask.startswith(NOT_WELL_FORMED)),
        verdict_right=refused if must_refuse else decision.verdict is Verdict.GO,
        refused=refused,
        subtask_right=not must_refuse
        and decision.verdict is Verdict.GO
        and decision.subtask == first_step(episode),
        reason_right=refused and any(words in decision.subtask for words in REASONS.get(episode.task, ())),
        missing=tuple(sorted(set(there) - names)),
        invented=tuple(sorted(names - set(there))),
        errors=tuple(errors),
    )


def first_step(episode: Episode) -> str:
    """The words of what has to be done first, as a thought names them."""
    return in_words(episode.steps[0] if episode.steps else Subtask('touch', episode.wanted))


def on_table(camera: Camera, world: World, place: tuple[float, float], height: float) -> DoubleArray:
    """The point (x, y) in metres where the line of sight through ``place``, 0..1 of the image, is ``height`` high."""
    size = np.array([camera.model.width, camera.model.height])
    # Pixel centres are at integers: the image spans -0.5 .. size - 0.5.
    pixel = np.append(np.array(place) * size - 0.5, 1.0)
    origin, rotation = camera.pose(world.data)
    ray = rotation @ np.linalg.solve(camera.model.matrix, pixel)
    point = origin + ray * (height - origin[2]) / ray[2]
    return np.asarray(point[:2])


def reasoning_report(judged: Sequence[Judged]) -> dict[str, Any]:
    """The JSON of ``vla_ros eval reasoning``, without where it was measured; shares are None where nothing counts."""
    impossible = [one for one in judged if one.episode.task in REASONS]
    possible = [one for one in judged if one.episode.task not in REASONS]
    errors = [error for one in judged for error in one.errors]
    median, high = np.percentile(errors, [50, 95]).round(2).tolist() if errors else (None, None)
    tasks = {one.episode.task: None for one in judged}
    return {
        'orders': len(judged),
        'well_formed': _share(judged, 'well_formed'),
        'subtask_accuracy': _share(possible, 'subtask_right'),
        'verdict_accuracy': _share(judged, 'verdict_right'),
        'refusal_recall': _share(impossible, 'refused'),
        'refusal_reason_accuracy': _share(impossible, 'reason_right'),
        'false_refusals': _share(possible, 'refused'),
        'location_error_mm': {'median': median, 'p95': high, 'objects': len(errors)},
        'objects': {
            'none_invented': _mean([not one.invented for one in judged]),
            'all_named': _mean([not one.missing for one in judged]),
        },
        'ci95': {
            'subtask_accuracy': _interval(possible, 'subtask_right'),
            'verdict_accuracy': _interval(judged, 'verdict_right'),
            'refusal_recall': _interval(impossible, 'refused'),
            'false_refusals': _interval(possible, 'refused'),
        },
        'by_task': {task: _of_task([one for one in judged if one.episode.task == task]) for task in tasks},
        'orders_list': [_row(one) for one in judged],
    }


def _of_task(judged: Sequence[Judged]) -> dict[str, Any]:
    wanted = 'reason_right' if judged[0].episode.task in REASONS else 'subtask_right'
    return {
        'orders': len(judged),
        'verdict_accuracy': _share(judged, 'verdict_right'),
        wanted: _share(judged, wanted),
    }


def _row(one: Judged) -> dict[str, Any]:
    return {
        'seed': one.episode.seed,
        'task': one.episode.task,
        'instruction': one.episode.instruction,
        'verdict': one.decision.verdict.value,
        'decision': one.decision.subtask,
        'verdict_right': one.verdict_right,
        'well_formed': one.well_formed,
        'invented': one.invented,
        'missing': one.missing,
    }


def _share(judged: Sequence[Judged], name: str) -> float | None:
    return _mean([bool(getattr(one, name)) for one in judged])


def _mean(found: Sequence[bool]) -> float | None:
    return round(sum(found) / len(found), 4) if found else None


def _interval(judged: Sequence[Judged], name: str) -> list[float] | None:
    if not judged:
        return None
    low, high = wilson_interval(sum(getattr(one, name) for one in judged), len(judged))
    return [round(low, 4), round(high, 4)]
