"""Closed-loop success through the running graph: the same trials, over DDS.

Nodes take the time from the simulator, which waits for its cameras: a busy machine makes the world slow, not the model
late.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from vla_ros import graph
from vla_ros.evaluation.episodes import Episode
from vla_ros.evaluation.trial import Outcome
from vla_ros.nodes.bringup import START_TIMEOUT, prepare_environment, running
from vla_ros.nodes.client import Client
from vla_ros.nodes.stage import Ended, Stage
from vla_ros.sim.orders import TIME_LIMITS, written


def run_ros_trials(
    episodes: Sequence[Episode],
    bundle: Path,
    on_outcome: Callable[[Outcome], None] | None = None,
    *,
    generation: int | None = None,
) -> list[Outcome]:
    """Start simulator and nodes, play the episodes one after another, and stop everything.

    Raises:
        VlaError: a node does not start or dies.
    """
    prepare_environment(simulator=True, own_domain=True)
    processes = graph.processes(
        simulator=True, bundle=str(bundle), generation=generation, use_sim_time=True, log_level='warn'
    )
    outcomes = []
    with (
        tempfile.TemporaryDirectory(prefix='vla_ros_') as logs,
        running(processes, Path(logs)) as supervisor,
        Client() as client,
    ):
        client.wait_active(
            [node for process in processes for node in process.nodes], START_TIMEOUT, supervisor.check
        )
        stage = Stage(client, supervisor.check)
        for episode in episodes:
            outcomes.append(_play(stage, episode))
            if on_outcome is not None:
                on_outcome(outcomes[-1])
        client.instruct('')
    return outcomes


def _play(stage: Stage, episode: Episode) -> Outcome:
    begun = time.perf_counter()
    stage.set_scene(episode.seed, written(episode.tasks), episode.layout, away=episode.away)
    if episode.impossible:
        ended = stage.refuse(episode.instruction)
    else:
        limit = sum(TIME_LIMITS[task.kind] for task in episode.tasks)
        ended = stage.carry_out(episode.instruction, limit)
    return outcome_of(episode, ended, time.perf_counter() - begun)


def outcome_of(episode: Episode, ended: Ended, seconds: float) -> Outcome:
    """The same words for a trial through ROS as for one offline."""
    return Outcome(
        episode=episode,
        success=ended.success,
        failure=ended.failure,
        refused=ended.refused,
        subtask=ended.decision.subtask if ended.decision is not None else '',
        seconds=round(ended.seconds, 3),
        farthest=round(ended.farthest, 4),
        refused_plans={},
        wall_seconds=round(seconds, 3),
    )
