"""What each part of the model is worth, and what it stands: the same trials, each time with one thing changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from vla_ros.action.ramp import FreezeAndRamp
from vla_ros.evaluation.brain import Brain
from vla_ros.evaluation.closed_loop import ClosedLoop, Timing
from vla_ros.evaluation.drawn_tokens import DrawnTokens
from vla_ros.evaluation.episodes import Episode
from vla_ros.evaluation.statistics import wilson_interval
from vla_ros.evaluation.told import ToldReasoner, about_another
from vla_ros.evaluation.trial import Outcome, watch
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.sim.poses import world_from
from vla_ros.sim.scene import CameraOffset, Light, Scene, SceneObject, Vector3
from vla_ros.types import Decision, Frame, Situation, Thought, VisualTokens, VlaError

Mind = Literal['own', 'true', 'another', 'none']
TASKS = ('touch', 'point', 'pick', 'put', 'push')
DELAYS = (0.0, 0.05, 0.1, 0.2, 0.3)
"""Seconds from camera to motion; up to what a network or a Jetson takes."""


@dataclass(frozen=True)
class Variant:
    """One thing changed.

    Attributes:
        group: 'thought', 'temperature', 'senses', 'delay' or 'world'.
        mind: the model's own thoughts, true ones, those about another object, or thought vectors of zeros.
        temperature: at which System 2 draws its tokens; at 0 it is greedy, as on the robot.
        blind: cameras whose pictures are black.
        delay: seconds from camera to motion.
        prefix: the policy is told what is already decided; else chunks are only blended.
        scene: makes another scene of each, from its own random numbers.
    """

    group: str
    name: str
    mind: Mind = 'own'
    temperature: float = 0.0
    blind: tuple[str, ...] = ()
    delay: float = Timing().motion_delay
    prefix: bool = True
    scene: Callable[[Scene, np.random.Generator], Scene] = field(default=lambda scene, _: scene)


def lit(strength: float) -> Callable[[Scene, np.random.Generator], Scene]:
    """All light times ``strength``."""

    def change(scene: Scene, _: np.random.Generator) -> Scene:
        lights = tuple(Light(one.direction, _scaled(one.colour, strength)) for one in scene.lights)
        return replace(scene, lights=lights, ambient=_scaled(scene.ambient, strength))

    return change


def shifted(distance: float) -> Callable[[Scene, np.random.Generator], Scene]:
    """The front camera ``distance`` metres further from where it should be, in any direction."""

    def change(scene: Scene, rng: np.random.Generator) -> Scene:
        way = rng.normal(size=3)
        x, y, z = np.array(scene.front_camera.translation) + distance * way / np.linalg.norm(way)
        offset = CameraOffset((float(x), float(y), float(z)), scene.front_camera.rotation)
        return replace(scene, front_camera=offset)

    return change


def tinted(share: float) -> Callable[[Scene, np.random.Generator], Scene]:
    """Colours faded by ``share`` towards grey: paler than any in training."""

    def change(scene: Scene, _: np.random.Generator) -> Scene:
        return replace(scene, objects=tuple(_faded(thing, share) for thing in scene.objects))

    return change


def _scaled(colour: Vector3, strength: float) -> Vector3:
    red, green, blue = (strength * part for part in colour)
    return red, green, blue


def _faded(thing: SceneObject, share: float) -> SceneObject:
    red, green, blue, opacity = thing.rgba
    grey = (red + green + blue) / 3
    red, green, blue = (part + share * (grey - part) for part in (red, green, blue))
    return replace(thing, rgba=(red, green, blue, opacity))


VARIANTS = (
    Variant('thought', 'as it is'),
    Variant('thought', 'told the truth', mind='true'),
    Variant('thought', 'told another object', mind='another'),
    Variant('thought', 'no thought', mind='none'),
    Variant('temperature', 'drawn at 0.7', temperature=0.7),
    Variant('temperature', 'drawn at 1.2', temperature=1.2),
    Variant('senses', 'no wrist camera', blind=('wrist',)),
    Variant('senses', 'no front camera', blind=('front',), mind='true'),
    *(
        Variant(
            'delay', f'{1e3 * delay:.0f} ms, {"prefix" if prefix else "blended"}', delay=delay, prefix=prefix
        )
        for delay in DELAYS
        for prefix in (True, False)
    ),
    Variant('world', 'light halved', scene=lit(0.5)),
    Variant('world', 'light 1.5 times', scene=lit(1.5)),
    Variant('world', 'camera 1 cm off', scene=shifted(0.01)),
    Variant('world', 'camera 2 cm off', scene=shifted(0.02)),
    Variant('world', 'colours a third paler', scene=tinted(1 / 3)),
)
GROUPS = tuple(dict.fromkeys(variant.group for variant in VARIANTS))


def single_step(task: str) -> str:
    """The task, if it is one of a single step about an object.

    Raises:
        VlaError: it is not.
    """
    if task not in TASKS:
        raise VlaError(f'task: expected one of {list(TASKS)}, found {task!r}')
    return task


def variants_of(group: str) -> list[Variant]:
    """The variants of a group, or of all; the first one is always the model as it is.

    Raises:
        VlaError: no such group.
    """
    if group not in (*GROUPS, 'all'):
        raise VlaError(f'group: expected one of {[*GROUPS, "all"]}, found {group!r}')
    rest = [v for v in VARIANTS[1:] if group in (v.group, 'all')]
    return [VARIANTS[0], *rest]


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
    begun = time.perf_counter()
    rng = np.random.default_rng([episode.seed, 17])
    world = world_from(variant.scene(episode.scene(), rng), episode.seed, away=episode.away)
    reasoner = brain.reasoner
    if variant.mind == 'none':
        reasoner = Numb(reasoner)
    elif variant.temperature:
        reasoner = _own(reasoner).reading_with(partial(DrawnTokens, variant.temperature, episode.seed))
    elif variant.mind in ('true', 'another'):
        steps = episode.meant
        if variant.mind == 'another':
            other = about_another(steps[0], world)
            if other is None:
                return None
            steps = (other,)
        reasoner = ToldReasoner(_own(reasoner), world, steps, bins)

    def encode(frames: Sequence[Frame]) -> VisualTokens:
        return brain.encode(
            [_darkened(frame) if frame.camera in variant.blind else frame for frame in frames]
        )

    def make_planner() -> Any:
        planner = brain.make_planner()
        if not variant.prefix:
            planner.settings = replace(planner.settings, stitching=FreezeAndRamp())
        return planner

    changed = replace(brain, reasoner=reasoner, encode=encode, make_planner=make_planner)
    loop = ClosedLoop(world, changed, episode.instruction, Timing(motion_delay=variant.delay))
    return watch(episode, world, loop, begun)


def _own(reasoner: Any) -> OnnxReasoner:
    if not isinstance(reasoner, OnnxReasoner):
        raise VlaError(f"reasoner: expected the bundle's own, found {type(reasoner).__name__}")
    return reasoner


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
