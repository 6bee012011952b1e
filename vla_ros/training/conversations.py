"""What System 2 learns from: orders about scenes, each with the situation it is given in and the trace that is true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from vla_ros.manifest import HandSpec
from vla_ros.reasoning.progress import hand_word
from vla_ros.reasoning.prompt import prompt
from vla_ros.reasoning.trace import Circumstance, Request, decisive, write
from vla_ros.training.labels import SMALL, Truth
from vla_ros.training.lessons import Lessons
from vla_ros.training.loop import fresh_generator
from vla_ros.training.requests import ASKED, TWO_STEPS, draw_request, drawn_kind
from vla_ros.training.wordings import sentence
from vla_ros.types import FloatArray, IndexArray, Place, Situation

IGNORED = -100
CONCLUSION_WEIGHT = 4.0
"""What follows from order and scene counts more than the list of the scene: a few tokens, and they move the arm."""
DECISIVE_WEIGHT = 20.0
"""The few words by which the arm moves or stays, see ``trace.decisive``."""
HAND = HandSpec(joint='gripper', closed=0.05, open=0.35)
"""Between these angles in rad the jaws may be around something that stands on the table."""
UNDER_WAY = 0.5
"""Share of the orders about a look of a demonstration that are the one that is followed there."""
REMEMBERED = 0.4
"""Share of orders about a scene in which part of the order is taken to be done."""
UNDER_WAY_SPREAD = 0.05
"""How far from where the picture says a push may go to that has begun, as a share of the image."""
UNNOTICED = 0.7
"""Share of steps just done that the last thought did not have as done."""


@dataclass(frozen=True)
class Conversation:
    """One example: what is said, what the robot itself knows, and the trace that is true of the scene."""

    instruction: str
    situation: Situation
    trace: str

    def prompt(self, bins: int) -> str:
        """What System 2 reads after the picture."""
        return prompt(self.instruction, self.situation, bins)


@dataclass(frozen=True)
class Status:
    """How far an order has come, in truth and in memory.

    Attributes:
        done: steps that are done.
        goal: where the push that is the next step brings its object.
        known: the steps and the place that the last thought had.
    """

    done: int = 0
    goal: Place | None = None
    known: tuple[int, Place | None] = (0, None)


def conversation(
    rng: np.random.Generator,
    truth: Truth,
    index: int,
    request: Request,
    status: Status,
    bins: int,
    shift: FloatArray | None = None,
) -> Conversation:
    """An order about a scene of ``truth`` in some words, and what is to be thought of it.

    Args:
        shift: (kinds, 2) moves the places that are seen.
    """
    seen, held, hand = truth.sightings(index, shift), truth.holding(index), float(truth.hand[index])
    names = [s.name for s in seen]
    word = hand_word(HAND, hand)
    # What the camera does not see, System 2 cannot name.
    in_hand = f'holding {held}' if held in names else 'closed' if word == 'closed' else 'open'
    about = names[int(rng.integers(len(names)))] if names else SMALL[int(rng.integers(len(SMALL)))]
    trace = write(seen, request, bins, Circumstance(in_hand, status.done, status.goal))
    return Conversation(sentence(rng, request, about, names), Situation(word, *status.known), trace)


def drawn(
    rng: np.random.Generator,
    truth: Truth,
    index: int,
    bins: int,
    shares: Mapping[str, float] = ASKED,
    *,
    active: bool = False,
) -> Conversation:
    """Any order about a scene.

    ``active``: something is going on there, so that a step of an order might be done already; none has two then.
    """
    seen = truth.sightings(index)
    kinds = {kind: share for kind, share in shares.items() if not (active and kind == TWO_STEPS)}
    request = draw_request(rng, drawn_kind(rng, kinds), seen, held=truth.holding(index))
    # What cannot be seen is remembered.
    done = int(len(request.steps) > 1 and rng.random() < REMEMBERED)
    step = request.steps[done] if request.steps else None
    if step is None or step.kind != 'push' or step.object not in {s.name for s in seen}:
        return conversation(rng, truth, index, request, Status(done, None, (done, None)), bins)
    goal = truth.goal(index, step.object, step.target)
    if rng.random() < REMEMBERED:
        # A push that is under way: where it goes to is no longer what the picture says.
        x, y = np.clip(np.array(goal) + rng.normal(0, UNDER_WAY_SPREAD, 2), 0, 1).tolist()
        return conversation(rng, truth, index, request, Status(done, (x, y), (done, (x, y))), bins)
    return conversation(rng, truth, index, request, Status(done, goal, (done, None)), bins)


def followed(
    rng: np.random.Generator, lessons: Lessons, look: int, bins: int, spread: float = 0.0
) -> Conversation:
    """The order that is followed at a look of a demonstration; ``spread`` is how wrong its places are, in 0..1."""
    request, done, goal = lessons.request(look), int(lessons.done[look]), _goal(lessons, look)
    begins = look == 0 or lessons.order[look - 1] != lessons.order[look]
    if begins:
        known: tuple[int, Place | None] = (0, None)
    elif lessons.done[look - 1] != done:
        # The step before has just been done, which the last thought mostly did not know yet.
        late = rng.random() < UNNOTICED
        known = (done - 1, _goal(lessons, look - 1)) if late else (done, None)
    else:
        known = (done, goal)
    shift = rng.normal(0, spread, lessons.truth.centres.shape[1:]).astype(np.float32) if spread else None
    if spread and goal is not None:
        x, y = np.clip(np.array(goal) + rng.normal(0, spread, 2), 0, 1).tolist()
        known = (known[0], (x, y) if known == (done, goal) else known[1])
        goal = (x, y)
    return conversation(rng, lessons.truth, look, request, Status(done, goal, known), bins, shift)


def _goal(lessons: Lessons, look: int) -> Place | None:
    x, y = lessons.goals[look].tolist()
    return None if np.isnan(x) else (x, y)


class Conversations(Dataset[dict[str, Any]]):
    """Visual tokens with (order, trace); the orders are drawn anew each epoch, so no two epochs are alike."""

    def __init__(
        self,
        tokens: npt.NDArray[np.float16],
        truth: Truth,
        tokenizer: PreTrainedTokenizerFast,
        bins: int,
        lessons: tuple[Lessons, IndexArray] | None = None,
        shares: Mapping[str, float] = ASKED,
    ) -> None:
        """``lessons`` are demonstrations, and for each scene the look in them that it shows, -1 for none."""
        self._tokens, self._truth = tokens, truth
        self._tokenizer, self._bins, self._shares = tokenizer, bins, shares
        self._lessons = None if lessons is None else lessons[0]
        self._look = np.full(len(tokens), -1) if lessons is None else lessons[1]

    def __len__(self) -> int:
        return len(self._tokens)

    def conversation(self, index: int, rng: np.random.Generator) -> Conversation:
        """Something said about a scene."""
        look = int(self._look[index])
        if self._lessons is None or look < 0:
            return drawn(rng, self._truth, index, self._bins, self._shares)
        if rng.random() >= UNDER_WAY:
            return drawn(rng, self._truth, index, self._bins, self._shares, active=True)
        return followed(rng, self._lessons, look, self._bins)

    def __getitem__(self, index: int) -> dict[str, Any]:
        said = self.conversation(index, fresh_generator())
        asked = self._tokenizer(said.prompt(self._bins))['input_ids']
        answer = self._tokenizer(said.trace)['input_ids']
        return {
            'visual': self._tokens[index],
            'ids': asked + answer,
            'labels': [IGNORED] * len(asked) + answer,
            'weights': [0.0] * len(asked) + weights(self._tokenizer, said.trace),
        }


def weights(tokenizer: PreTrainedTokenizerFast, trace: str) -> list[float]:
    """What each token of a trace counts."""
    offsets = tokenizer(trace, return_offsets_mapping=True)['offset_mapping']
    begin = trace.index(' asked:')
    counts = [CONCLUSION_WEIGHT if start >= begin else 1.0 for start, _ in offsets]
    for first, last in decisive(trace):
        for i, (start, end) in enumerate(offsets):
            if start < last and end > first:
                counts[i] = DECISIVE_WEIGHT
    return counts
