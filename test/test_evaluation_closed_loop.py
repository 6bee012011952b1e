"""The offline closed loop, with an expert in the place of the trained model."""

from __future__ import annotations

import numpy as np
import pytest

from vla_ros.action.limits import load_limits
from vla_ros.action.planner import Planner
from vla_ros.evaluation.brain import Brain
from vla_ros.evaluation.closed_loop import Timing
from vla_ros.evaluation.episodes import Episode
from vla_ros.evaluation.trial import action_failure, refusal_failure, run_trial
from vla_ros.manifest import ChunkSpec
from vla_ros.paths import config_file
from vla_ros.sim.expert import Expert
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.sim.tasks import Task
from vla_ros.sim.world import World
from vla_ros.types import ActionChunk, Decision, Thought, Verdict, VisualTokens

CHUNK = ChunkSpec(horizon=16, dt=0.05, representation='relative', prefix=4)
SEED = 1_000_000
PRESENT = 'green cube'
ABSENT = 'orange cube'


class ExpertPolicy:
    """Plays the scripted expert forward from the measured joints, in a world of its own."""

    providers = ('CPUExecutionProvider',)

    def __init__(self, episode: Episode) -> None:
        self._world = World(episode.scene())
        self._expert = Expert(self._world, Task('touch', episode.wanted))

    def act(self, tokens, thought, joints, noise, prefix=None):
        self._world.set_joints(joints.positions)
        positions = []
        for _ in range(CHUNK.horizon):
            positions.append(self._expert.action())
            self._world.follow(positions[-1], CHUNK.dt)
        return ActionChunk(tokens.stamp, CHUNK.dt, np.array(positions))

    def warm_up(self) -> None:
        pass


class FixedReasoner:
    """Always comes to the same decision."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def think(self, tokens, instruction, on_text=None):
        rows = np.ones((1 if self.verdict is Verdict.GO else 0, 8), np.float32)
        return Decision(self.verdict, self.verdict.value, instruction, ''), Thought(tokens.stamp, rows)


class CountingEncoder:
    """Gives empty tokens and remembers what it saw."""

    def __init__(self) -> None:
        self.frames = []

    def __call__(self, frames):
        self.frames.append(frames)
        return VisualTokens(frames[0].stamp, np.zeros((1, 8), np.float32))


def brain(episode: Episode, verdict: Verdict = Verdict.GO, encode=None, move: bool = True) -> Brain:
    limits = load_limits(config_file('joint_limits.yaml'), JOINT_NAMES)
    policy = ExpertPolicy(episode) if move else None
    return Brain(
        ('front', 'wrist'),
        encode or CountingEncoder(),
        FixedReasoner(verdict),
        lambda: Planner(policy, CHUNK, limits),
    )


def touch(wanted: str = PRESENT) -> Episode:
    return Episode(0, SEED, 'touch', wanted, f'touch the {wanted}')


def impossible() -> Episode:
    return Episode(0, SEED, 'no_such_object', ABSENT, f'touch the {ABSENT}')


def test_an_expert_in_the_loop_touches_the_object_within_its_delays() -> None:
    outcome = run_trial(touch(), brain(touch()))

    assert (outcome.success, outcome.failure) == (True, '')
    assert not outcome.refused
    assert outcome.refused_plans == {}


def test_the_same_trial_twice_gives_the_same_outcome_to_the_last_bit() -> None:
    first, second = (run_trial(touch(), brain(touch())) for _ in range(2))

    assert (first.seconds, first.farthest) == (second.seconds, second.farthest)


def test_the_model_sees_both_cameras_as_the_simulator_publishes_them_at_the_replanning_period() -> None:
    encoder = CountingEncoder()

    run_trial(
        impossible(), brain(impossible(), Verdict.REFUSED, encoder, move=False), Timing(replanning=0.25)
    )

    front, wrist = encoder.frames[0]
    assert [front.camera, wrist.camera] == ['front', 'wrist']
    assert front.image.shape == (256, 256, 3) and wrist.image.shape == (128, 128, 3)
    assert {b[0].stamp - a[0].stamp for a, b in zip(encoder.frames, encoder.frames[1:])} == {250_000_000}


def test_nothing_moves_before_the_first_thought_can_have_been_made() -> None:
    early = run_trial(touch(), brain(touch(), Verdict.GO), Timing(thought_delay=0.35))
    late = run_trial(touch(), brain(touch(), Verdict.GO), Timing(thought_delay=1.35))

    assert late.seconds - early.seconds == pytest.approx(1.0, abs=0.25)


def test_a_refused_order_with_a_still_arm_is_a_success() -> None:
    outcome = run_trial(impossible(), brain(impossible(), Verdict.REFUSED, move=False))

    assert (outcome.success, outcome.refused, outcome.failure) == (True, True, '')
    assert outcome.farthest < 0.02


def test_acting_on_an_impossible_order_is_a_failure_even_if_it_is_refused_later() -> None:
    refusal = [Decision(Verdict.REFUSED, 'there is no orange cube', '', '')]

    assert refusal_failure(refusal, farthest=0.03) == 'moved'
    assert refusal_failure(refusal, farthest=0.01) == ''


def test_a_verdict_of_unsure_is_no_refusal() -> None:
    unsure = [Decision(Verdict.UNSURE, '', '', '')]

    assert refusal_failure(unsure, farthest=0.0) == 'unsure'
    assert refusal_failure([], farthest=0.0) == 'unsure'


def test_a_false_refusal_is_its_own_category_and_not_a_timeout() -> None:
    outcome = run_trial(touch(), brain(touch(), Verdict.REFUSED, move=False))

    assert (outcome.success, outcome.failure, outcome.refused) == (False, 'refused', True)
    assert action_failure('timeout', [Decision(Verdict.GO, '', '', '')]) == 'timeout'
