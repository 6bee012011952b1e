"""What System 2 is really asked: episodes of the model in the simulator, with every question that came up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from vla_ros.evaluation.brain import load_brain
from vla_ros.evaluation.episodes import Episode
from vla_ros.evaluation.trial import run_trial
from vla_ros.reasoning.reasoner import Reasoner
from vla_ros.sim.layouts import OBJECTS, laid_out
from vla_ros.types import Decision, Situation, Thought, VisualTokens


@dataclass(frozen=True)
class Question:
    """One call of ``Reasoner.think``."""

    tokens: VisualTokens
    instruction: str
    situation: Situation | None


class _Listening:
    """A reasoner that remembers what it was asked."""

    def __init__(self, reasoner: Reasoner) -> None:
        self._reasoner = reasoner
        self.asked: list[Question] = []

    def think(
        self,
        tokens: VisualTokens,
        instruction: str,
        on_text: Callable[[str], None] | None = None,
        situation: Situation | None = None,
    ) -> tuple[Decision, Thought]:
        self.asked.append(Question(tokens, instruction, situation))
        return self._reasoner.think(tokens, instruction, on_text, situation)


def record_questions(bundle: Path, count: int, seed: int) -> list[Question]:
    """``count`` questions in the order in which they came up, episode by episode: to touch one object after another."""
    brain = load_brain(bundle)
    listening = _Listening(brain.reasoner)
    brain = replace(brain, reasoner=listening)
    while len(listening.asked) < count:
        things = laid_out(seed, OBJECTS).objects
        wanted = things[seed % len(things)].name
        run_trial(Episode(0, seed, 'touch', wanted, f'touch the {wanted}'), brain)
        seed += 1
    return listening.asked[:count]
