"""A mind that was not trained here drives the local body: it answers in text, and the bundle's decoder reads it.

The action head knows the thought vectors of its own bundle's language model only. So the foreign answer is written as
a trace in that model's form, and the model reads it (teacher forcing): its hidden states are the thought.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from vla_ros.bundle import Bundle
from vla_ros.reasoning.answer import read_answer, trained_tasks
from vla_ros.reasoning.onnx_reasoner import UNREADABLE, OnnxReasoner
from vla_ros.reasoning.prompt import plain
from vla_ros.reasoning.prompt_file import PromptFile
from vla_ros.types import Decision, ImageArray, Situation, Thought, Verdict, VisualTokens

ImageAt = Callable[[int], ImageArray]
"""The image (h, w, 3) rgb8 of the bundle's ``location_camera`` at a stamp in nanoseconds; VlaError if there is none."""


class Mind(Protocol):
    """Text out of an image and text, greedily."""

    def answer(self, system: str, user: str, image: ImageArray, on_text: Callable[[str], None]) -> str:
        """The whole answer; ``on_text`` is told what there is of it so far, again and again, and may raise to end it.

        Raises:
            VlaError: there is no whole answer.
        """
        ...


class ForeignReasoner:
    """A ``Reasoner`` whose words are a foreign mind's and whose thought vectors are the bundle's own."""

    def __init__(
        self, bundle: Bundle, mind: Mind, prompt: PromptFile, image_at: ImageAt, body: OnnxReasoner
    ) -> None:
        """``body`` is the bundle's own language model. Raises VlaError for a bundle that no other mind can drive."""
        self._manifest = bundle.manifest
        self._tasks = trained_tasks(bundle.manifest)
        self._mind, self._prompt, self._image_at, self._body = mind, prompt, image_at, body
        self.providers = body.providers

    def think(
        self,
        tokens: VisualTokens,
        instruction: str,
        on_text: Callable[[str], None] | None = None,
        situation: Situation | None = None,
    ) -> tuple[Decision, Thought]:
        """See ``Reasoner.think``; VlaError also without a whole answer or an image of the moment."""
        still = Thought(tokens.stamp, np.zeros((0, self._manifest.thought.width), np.float32))
        if not plain(instruction):
            return Decision(Verdict.REFUSED, UNREADABLE, instruction, ''), still
        system = self._prompt.system_text(self._tasks, self._manifest.reasoning.location_bins)
        user = self._prompt.user_text(instruction, situation).strip()
        text = self._mind.answer(system, user, self._image_at(tokens.stamp), on_text or _unheard)
        answer = read_answer(text, self._prompt.answer, instruction, self._manifest, situation)
        if answer.decision.verdict is not Verdict.GO:
            return answer.decision, still
        return answer.decision, self._body.recite(tokens, answer.instruction, answer.written, situation)


def _unheard(text: str) -> None:
    """Nobody listens."""
