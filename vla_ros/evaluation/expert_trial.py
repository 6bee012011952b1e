"""A trial with the scripted expert in the place of the model: what scenes, planner and delays allow at best."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from vla_ros.action.limits import load_limits
from vla_ros.action.planner import Planner
from vla_ros.evaluation.brain import Brain
from vla_ros.evaluation.closed_loop import ClosedLoop, Timing
from vla_ros.evaluation.episodes import TO_REFUSE, Episode
from vla_ros.evaluation.expert_policy import HORIZON, ExpertPolicy
from vla_ros.evaluation.trial import Outcome, watch
from vla_ros.manifest import ChunkSpec
from vla_ros.paths import config_file
from vla_ros.sim.expert import PERIOD
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.sim.poses import world_of
from vla_ros.sim.tasks import Task
from vla_ros.types import Decision, Situation, Thought, Verdict, VisualTokens

PREFIX = 6
CHUNK = ChunkSpec(horizon=HORIZON, dt=PERIOD, representation='absolute', prefix=PREFIX)


class _Told:
    """A reasoner that is told what is right."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision

    def think(
        self,
        tokens: VisualTokens,
        instruction: str,
        on_text: Callable[[str], None] | None = None,
        situation: Situation | None = None,
    ) -> tuple[Decision, Thought]:
        rows = int(self._decision.verdict is Verdict.GO)
        return self._decision, Thought(tokens.stamp, np.ones((rows, 1), np.float32))


def run_expert_trial(episode: Episode, timing: Timing | None = None) -> Outcome:
    """Play one episode in lockstep with the expert's chunks, planned and delayed as the model's are."""
    begun = time.perf_counter()
    world = world_of(episode.seed, episode.layout, away=episode.away)
    tasks = episode.tasks or (Task('home'),)
    policy = ExpertPolicy(world, tasks[0], episode.seed)
    limits = load_limits(config_file('joint_limits.yaml'), JOINT_NAMES)
    reason = ' '.join(TO_REFUSE.get(episode.task, ()))
    verdict = Verdict.REFUSED if episode.impossible else Verdict.GO
    brain = Brain(
        cameras=(),
        encode=lambda frames: VisualTokens(loop.now, np.zeros((1, 1), np.float32)),
        reasoner=_Told(Decision(verdict, reason or 'as it should be', episode.instruction, '')),
        make_planner=lambda: Planner(policy, CHUNK, limits),
    )
    loop = ClosedLoop(world, brain, episode.instruction, timing)
    return watch(episode, world, loop, begun, lambda step: policy.turn_to(tasks[step]))
