"""The variants of ``vla_ros eval ablations``: in each, one thing is changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from vla_ros.evaluation.changes import SceneChange, among, as_it_is, lit, shifted, tinted
from vla_ros.evaluation.closed_loop import Timing
from vla_ros.types import VlaError

Mind = Literal['own', 'true', 'another', 'none']
USUAL = Timing()


@dataclass(frozen=True)
class Variant:
    """One thing changed.

    Attributes:
        group: 'thought', 'temperature', 'senses', 'horizon', 'delay', 'world' or 'renderer'.
        mind: the model's own thoughts, true ones, those about another object, or thought vectors of zeros.
        temperature: at which System 2 draws its tokens; at 0 it is greedy, as on the robot.
        blind: cameras whose pictures are black.
        gl: pictures are drawn by OpenGL, which nothing was trained on.
        replanning: seconds from one look to the next; so much of each chunk is executed.
        delay: seconds from camera to motion.
        prefix: the policy is told what is already decided; else chunks are only blended.
        scene: makes another scene of each.
        push: metres by which somebody moves the object while the arm is on its way to it.
    """

    group: str
    name: str
    mind: Mind = 'own'
    temperature: float = 0.0
    blind: tuple[str, ...] = ()
    gl: bool = False
    replanning: float = USUAL.replanning
    delay: float = USUAL.motion_delay
    prefix: bool = True
    scene: SceneChange = as_it_is
    push: float = 0.0

    @property
    def timing(self) -> Timing:
        """When things happen in it."""
        return Timing(replanning=self.replanning, motion_delay=self.delay)


VARIANTS = (
    Variant('thought', 'as it is'),
    Variant('thought', 'told the truth', mind='true'),
    Variant('thought', 'told another object', mind='another'),
    Variant('thought', 'no thought', mind='none'),
    Variant('temperature', 'drawn at 0.7', temperature=0.7),
    Variant('temperature', 'drawn at 1.2', temperature=1.2),
    Variant('senses', 'no wrist camera', blind=('wrist',)),
    Variant('senses', 'no front camera', blind=('front',), mind='true'),
    *(Variant('horizon', f'a look every {s:.1f} s', replanning=s) for s in (0.1, 0.4, 0.6)),
    *(
        Variant('delay', f'{ms} ms, {"prefix" if prefix else "blended"}', delay=ms / 1e3, prefix=prefix)
        for ms in (0, 50, 100, 200, 300)
        for prefix in (True, False)
    ),
    Variant('world', 'light halved', scene=lit(0.5)),
    Variant('world', 'light 1.5 times', scene=lit(1.5)),
    Variant('world', 'camera 1 cm off', scene=shifted(0.01)),
    Variant('world', 'camera 2 cm off', scene=shifted(0.02)),
    Variant('world', 'colours a third paler', scene=tinted(1 / 3)),
    *(Variant('world', f'{n} other thing{"s" * (n != 1)}', scene=among(n)) for n in (0, 1, 2, 4)),
    Variant('world', 'pushed 4 cm away meanwhile', push=0.04),
    Variant('renderer', 'drawn by OpenGL', gl=True),
)
GROUPS = tuple(dict.fromkeys(variant.group for variant in VARIANTS))


def variants_of(group: str) -> list[Variant]:
    """The variants of a group, or of all; the first one is always the model as it is.

    What needs OpenGL is not among 'all' unless ``MUJOCO_GL`` says which one there is.

    Raises:
        VlaError: no such group.
    """
    if group not in (*GROUPS, 'all'):
        raise VlaError(f'group: expected one of {[*GROUPS, "all"]}, found {group!r}')
    gl = group != 'all' or 'MUJOCO_GL' in os.environ
    return [VARIANTS[0], *(v for v in VARIANTS[1:] if group in (v.group, 'all') and (gl or not v.gl))]
