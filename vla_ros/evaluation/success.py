"""Closed-loop success on held-out scenes with held-out words, offline; and the report that both roads share."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from vla_ros.action.generations import FLOW
from vla_ros.bundle import MANIFEST, load_bundle, sha256
from vla_ros.evaluation.brain import Brain, load_brain
from vla_ros.evaluation.closed_loop import Timing
from vla_ros.evaluation.episodes import TO_REFUSE, Episode
from vla_ros.evaluation.expert_trial import run_expert_trial
from vla_ros.evaluation.machine import machine, versions
from vla_ros.evaluation.statistics import wilson_interval
from vla_ros.evaluation.trial import Outcome, run_trial
from vla_ros.sim.orders import written

_brain: Brain | None = None  # of this worker process
_timing: Timing | None = None


def run_trials(
    episodes: Sequence[Episode],
    bundle: Path | None,
    *,
    timing: Timing | None = None,
    generation: int = FLOW,
    workers: int = 1,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Play the episodes, ``workers`` at a time in processes of their own; outcomes in the order of the episodes.

    Without a bundle the scripted expert acts in the place of a model. ``generation`` is that of System 1.

    Raises:
        VlaError: the bundle cannot be loaded.
    """
    outcomes = []
    for outcome in _outcomes(episodes, bundle, timing, generation, workers):
        outcomes.append(outcome)
        if on_outcome is not None:
            on_outcome(outcome)
    return outcomes


def _outcomes(
    episodes: Sequence[Episode], bundle: Path | None, timing: Timing | None, generation: int, workers: int
) -> Iterator[Outcome]:
    _load(bundle, timing, generation)  # also with workers: what is wrong with a bundle is said once, here
    if workers <= 1:
        yield from map(_run, episodes)
        return
    # Spawned, not forked: sessions of ONNX Runtime do not survive a fork.
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(workers, context, _load, (bundle, timing, generation)) as pool:
        yield from pool.map(_run, episodes)


def _load(bundle: Path | None, timing: Timing | None, generation: int) -> None:
    global _brain, _timing
    _brain, _timing = None if bundle is None else load_brain(bundle, generation=generation), timing


def _run(episode: Episode) -> Outcome:
    if _brain is None:
        return run_expert_trial(episode, _timing)
    return run_trial(episode, _brain, _timing)


def report(
    outcomes: Sequence[Outcome],
    *,
    task: str,
    seed: int,
    wordings: Sequence[Path],
    bundle: Path | None,
    road: str,
    begun: float,
    generation: int = FLOW,
) -> dict[str, Any]:
    """The JSON of an evaluation.

    Args:
        road: 'offline' or 'ros'.
        begun: of ``time.perf_counter`` when it began.
    """
    successes = sum(outcome.success for outcome in outcomes)
    low, high = wilson_interval(successes, len(outcomes))
    refusals = sum(outcome.refused for outcome in outcomes)
    refused_plans: Counter[str] = Counter()
    for outcome in outcomes:
        refused_plans.update(outcome.refused_plans)
    return {
        'task': task,
        'episodes': len(outcomes),
        'successes': successes,
        'success_rate': round(successes / len(outcomes), 4),
        'ci95': [round(low, 4), round(high, 4)],
        'refusals': refusals,
        'false_refusals': refusals if task not in TO_REFUSE else 0,
        'right_reasons': sum(outcome.right_reason for outcome in outcomes),
        'failures': dict(
            Counter(outcome.failure for outcome in outcomes if not outcome.success).most_common()
        ),
        'refused_plans': dict(refused_plans.most_common()),
        'road': road,
        'seed': seed,
        'wordings': ', '.join(str(path) for path in wordings),
        'bundle': _identity(bundle),
        'generation': None if bundle is None else generation,
        'machine': machine(),
        'versions': versions(),
        'seconds': round(time.perf_counter() - begun, 1),
        'episodes_list': [_row(outcome) for outcome in outcomes],
    }


def _identity(bundle: Path | None) -> dict[str, str]:
    if bundle is None:
        return {'name': 'the scripted expert'}
    return {'name': load_bundle(bundle).manifest.name, 'manifest_sha256': sha256(bundle / MANIFEST)}


def _row(outcome: Outcome) -> dict[str, Any]:
    episode = outcome.episode
    return {
        'seed': episode.seed,
        'instruction': episode.instruction,
        'object': episode.wanted,
        'tasks': written(episode.tasks),
        'steps_done': outcome.steps_done,
        'hard': episode.hard,
        'success': outcome.success,
        'failure': outcome.failure,
        'decision': outcome.subtask,
        'refused': outcome.refused,
        'sim_seconds': outcome.seconds,
        'farthest_rad': outcome.farthest,
        'seconds': outcome.wall_seconds,
    }
