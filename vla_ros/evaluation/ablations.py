"""What each part of the model is worth, and what it stands: the same trials, each time with one thing changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from vla_ros.action.planner import Planner
from vla_ros.action.ramp import FreezeAndRamp
from vla_ros.evaluation.brain import Brain
from vla_ros.evaluation.changes import pushed
from vla_ros.evaluation.closed_loop import CAMERA_SIZES, ClosedLoop, Eye, ray_cast
from vla_ros.evaluation.drawn_tokens import DrawnTokens
from vla_ros.evaluation.episodes import Episode
from vla_ros.evaluation.statistics import wilson_interval
from vla_ros.evaluation.told import ToldReasoner, about_another
from vla_ros.evaluation.trial import Outcome, watch
from vla_ros.evaluation.variants import Variant
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.reasoning.reasoner import Reasoner
from vla_ros.sim.poses import world_from
from vla_ros.sim.world import World
from vla_ros.types import Decision, Frame, Situation, Subtask, Thought, VisualTokens, VlaError

TASKS = ('touch', 'point', 'pick', 'put', 'push')
PUSHED_AFTER = 1.0
"""Seconds after which somebody pushes the object away: the arm is on its way to it."""


def single_step(task: str) -> str:
    """The task, if it is one of a single step about an object.

    Raises:
        VlaError: it is not.
    """
    if task not in TASKS:
        raise VlaError(f'task: expected one of {list(TASKS)}, found {task!r}')
    return task


class Numb:
    """A System 2 whose thought vectors say nothing."""

    def __init__(self, reasoner: Any) -> None:
        self._reasoner = reasoner
        self.providers = reasoner.providers

    def think(
        self,
        tokens: VisualTokens,
        instruction: str,
        on_text: Callable[[str], None] | None = None,
        situation: Situation | None = None,
    ) -> tuple[Decision, Thought]:
        """See ``Reasoner.think``."""
        decision, thought = self._reasoner.think(tokens, instruction, on_text, situation)
        return decision, replace(thought, rows=np.zeros_like(thought.rows))


def run_variant(variant: Variant, episode: Episode, brain: Brain, bins: int) -> Outcome | None:
    """Play an episode with the variant's change; None where it cannot be made, as where there is no other object.

    Args:
        bins: places a side of the image, as the bundle's traces have them.
    """
    if variant.push and episode.task == 'push':
        return None  # where it is to be pushed to is counted from where it was
    begun = time.perf_counter()
    rng = np.random.default_rng([episode.seed, 17])
    needed = {name for step in episode.meant for name in (step.object, step.target)}
    world = world_from(variant.scene(episode.scene(), rng, needed), episode.seed, away=episode.away)
    reasoner = _reasoner(variant, episode, world, brain, bins)
    if reasoner is None:
        return None

    def encode(frames: Sequence[Frame]) -> VisualTokens:
        return brain.encode(
            [_darkened(frame) if frame.camera in variant.blind else frame for frame in frames]
        )

    def make_planner() -> Planner:
        planner = brain.make_planner()
        if not variant.prefix:
            planner.settings = replace(planner.settings, stitching=FreezeAndRamp())
        return planner

    changed = replace(brain, reasoner=reasoner, encode=encode, make_planner=make_planner)
    with _cameras(variant, world, brain) as cameras:
        loop = ClosedLoop(world, changed, episode.instruction, variant.timing, cameras)
        if variant.push:
            loop.at(PUSHED_AFTER, lambda: pushed(world, episode.wanted, variant.push, rng))
        return watch(episode, world, loop, begun)


def _reasoner(variant: Variant, episode: Episode, world: World, brain: Brain, bins: int) -> Reasoner | None:
    """System 2 with what the variant changes of it; None where there is no other object to be told of."""
    if variant.mind == 'none':
        return Numb(brain.reasoner)
    if variant.temperature:
        return _own(brain).reading_with(partial(DrawnTokens, variant.temperature, episode.seed))
    if variant.mind == 'own':
        return brain.reasoner
    steps: tuple[Subtask, ...] = episode.meant
    if variant.mind == 'another':
        other = about_another(steps[0], world)
        if other is None:
            return None
        steps = (other,)
    return ToldReasoner(_own(brain), world, steps, bins)


@contextmanager
def _cameras(variant: Variant, world: World, brain: Brain) -> Iterator[Sequence[Eye]]:
    """Those of the simulator, or OpenGL's."""
    if not variant.gl:
        yield ray_cast(world, brain.cameras)
        return
    from vla_ros.sim.gl_camera import GlCamera

    cameras = [GlCamera(world.model, name, *CAMERA_SIZES[name]) for name in brain.cameras]
    try:
        yield cameras
    finally:
        for camera in cameras:
            camera.close()


def _own(brain: Brain) -> OnnxReasoner:
    if not isinstance(brain.reasoner, OnnxReasoner):
        raise VlaError(f"reasoner: expected the bundle's own, found {type(brain.reasoner).__name__}")
    return brain.reasoner


def _darkened(frame: Frame) -> Frame:
    return replace(frame, image=np.zeros_like(frame.image))


def run_variants(
    variants: Sequence[Variant],
    episodes: Sequence[Episode],
    brain: Brain,
    bins: int,
    on_outcome: Callable[[], None] = lambda: None,
) -> Iterator[dict[str, Any]]:
    """A row for each variant: successes, their 95 % interval, and what went wrong."""
    for variant in variants:
        outcomes = []
        for episode in episodes:
            outcome = run_variant(variant, episode, brain, bins)
            on_outcome()
            if outcome is not None:
                outcomes.append(outcome)
        yield _row(variant, outcomes)


def _row(variant: Variant, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    successes = sum(outcome.success for outcome in outcomes)
    low, high = wilson_interval(successes, len(outcomes)) if outcomes else (0.0, 1.0)
    failures: dict[str, int] = {}
    for outcome in outcomes:
        if not outcome.success:
            failures[outcome.failure] = failures.get(outcome.failure, 0) + 1
    return {
        'group': variant.group,
        'variant': variant.name,
        'episodes': len(outcomes),
        'successes': successes,
        'success_rate': round(successes / len(outcomes), 4) if outcomes else None,
        'ci95': [round(low, 4), round(high, 4)],
        'failures': failures,
        'seconds': round(float(np.mean([o.seconds for o in outcomes if o.success])), 2)
        if successes
        else None,
    }
