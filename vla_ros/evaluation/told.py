"""A System 2 that is told what to think: what is true, or that another object is meant. For what a thought is worth.

The trace is written from the simulator's truth and read by the bundle's own decoder (teacher forcing), so the thought
vectors are those that it would have had if it had thought so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from vla_ros.reasoning import trace
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.reasoning.subtask import is_container
from vla_ros.reasoning.trace import Circumstance, Request, Sighting
from vla_ros.sim.cameras import FRONT_SIZE, Camera
from vla_ros.sim.orders import pushed_place
from vla_ros.sim.world import World
from vla_ros.types import Decision, Place, Situation, Subtask, Thought, VisualTokens

EDGE = 0.01
"""Objects outside of the image count as seen at its edge."""


class ToldReasoner:
    """Thinks about ``steps``, whatever it is asked. A ``Reasoner``."""

    providers: Sequence[str] = ()

    def __init__(self, body: OnnxReasoner, world: World, steps: Sequence[Subtask], bins: int) -> None:
        """``body`` is the bundle's own; ``world`` says what is true."""
        self._body, self._world, self._bins = body, world, bins
        self._request = Request(tuple(steps))
        self._camera = Camera(world.model, 'front', *FRONT_SIZE, scene=world.scene)
        self._goal: Place | None = None
        if steps[0].kind == 'push':
            position = world.object_position(steps[0].object)
            self._goal = self._place(np.array([*pushed_place(position, steps[0].target), position[2]]))

    def think(
        self,
        tokens: VisualTokens,
        instruction: str,
        on_text: Callable[[str], None] | None = None,
        situation: Situation | None = None,
    ) -> tuple[Decision, Thought]:
        """See ``Reasoner.think``."""
        names = [thing.name for thing in self._world.scene.objects]
        seen = [Sighting(name, *self._place(self._world.object_position(name))) for name in names]
        held = sorted(name for name in self._world.held() if not is_container(name))
        feels = situation.hand if situation is not None else 'open'
        hand = f'holding {held[0]}' if held else 'closed' if feels == 'closed' else 'open'
        written = trace.write(seen, self._request, self._bins, Circumstance(hand, 0, self._goal))
        decision = trace.read(written, instruction, self._bins, 'front')
        return decision, self._body.recite(tokens, instruction, written, situation)

    def _place(self, point: np.ndarray) -> Place:
        pixels, _ = self._camera.project(self._world.data, point[None])
        x, y = np.clip((pixels[0] + 0.5) / FRONT_SIZE, EDGE, 1 - EDGE).tolist()
        return x, y


def about_another(step: Subtask, world: World) -> Subtask | None:
    """The same step with another small object of the scene; None if there is none."""
    others = [o.name for o in world.scene.objects if o.name != step.object and not o.is_container]
    return replace(step, object=others[0]) if others else None
