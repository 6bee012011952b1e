"""Greedy writing: always the most likely token, however many a pass finds out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.reasoning.decoder import Decoder
from vla_ros.reasoning.draft import continuation, through_places
from vla_ros.types import FloatArray

LEAST_GUESS = 12  # tokens
EVERYTHING = 2**31


@dataclass
class _Trust:
    """How much of a draft is read in one pass: less after a wrong guess, more after each right one.

    A token that is read in vain costs a fifth of a pass that need not have been. Words of a draft are nearly always
    right; places often are not, while something moves. So a guess ends behind its first place, until guesses are right.
    """

    tokens: int
    places: int
    wrong: bool = False

    def learn(self, right: int, guessed: int) -> None:
        """``right`` of ``guessed`` tokens were what the model writes."""
        if right == guessed:
            self.tokens, self.places = 4 * self.tokens, 2 * self.places
        else:
            self.tokens, self.places, self.wrong = max(LEAST_GUESS, 2 * right), 1, True


class GreedyWriter:
    """Writes what the decoder would write token by token. One caller at a time.

    A decoder that verifies reads a guess together with what is known. Guessed tokens that it would have written are as
    good as written; behind the first that it would not, the pass is forgotten. And of a question it reads only what
    differs from the question before.

    Every pass of it reads two positions or more, if need be with a guess that is only there to be read: a product with
    one row is added up in another order than the same row among others, and then the last bits would depend on what was
    guessed.
    """

    def __init__(self, decoder: Decoder, end: int, longest: int, places: Collection[int] = ()) -> None:
        self._decoder, self._end, self._longest, self._places = decoder, end, longest, frozenset(places)
        self._steady = False  # whether the last draft was right to its end
        self._question: tuple[FloatArray, tuple[int, ...]] | None = None
        self.passes = 0

    def write(
        self, visual: FloatArray, ids: Sequence[int], draft: Sequence[int] = ()
    ) -> Iterator[tuple[list[int], FloatArray]]:
        """Tokens as they are verified, with the hidden states (tokens, width) that the model has after reading them.

        Args:
            visual: (V, channels); ids: the question's tokens behind them.
            draft: what may be written; it changes nothing but the time.
        """
        past = self._known(visual, ids)
        rows, unread = visual[past:], list(ids[max(0, past - len(visual)) :])
        asked, written = len(rows) + len(unread), list[int]()
        trust, hint = _Trust(len(draft), EVERYTHING if self._steady else 1), list[int]()
        self._steady = False
        while True:
            guess = self._guess(draft, written if asked else [*written, *unread], hint, trust)
            self._question = None  # until the pass has come to its end
            answers, hidden = self._decoder.read(
                rows, np.array([*unread, *guess], np.int64), past, len(guess) + 1
            )
            self._question = (visual, tuple(ids))
            self.passes += 1
            right = next((i for i, token in enumerate(guess) if token != answers[i]), len(guess))
            trust.learn(right, len(guess))
            # What it would write behind a wrong guess is no proof, but often what it writes behind the right one:
            # the row of a place does not hang on its column.
            hint = [int(token) for token in answers[right + 1 : right + 2]] if draft else []
            new = [*([] if asked else unread), *guess[:right]]
            new = new[: self._longest - len(written)]
            if self._end in new:
                new = new[: new.index(self._end) + 1]
            if new:
                written += new
                yield new, hidden[asked : asked + len(new)]
                if written[-1] == self._end or len(written) == self._longest:
                    self._steady = bool(draft) and not trust.wrong
                    return
            past += len(rows) + len(unread) + right
            rows, unread, asked = visual[:0], [int(answers[right])], 0

    def recite(self, visual: FloatArray, ids: Sequence[int], written: Sequence[int]) -> FloatArray:
        """Hidden states (tokens, width) after each token of what another wrote behind the question."""
        self._question = None
        answers = 2 if self._decoder.verifies else 1
        _, hidden = self._decoder.read(visual, np.array([*ids, *written], np.int64), 0, answers)
        return hidden[len(visual) + len(ids) :]

    def _known(self, visual: FloatArray, ids: Sequence[int]) -> int:
        """How many positions of the question, from its beginning, the decoder has read already; never all."""
        if self._question is None or not self._decoder.verifies:
            return 0
        seen, asked = self._question
        if seen.shape != visual.shape:
            return 0
        same = (seen == visual).all(-1)
        if not same.all():
            return int(same.argmin())
        alike = next((i for i, (a, b) in enumerate(zip(asked, ids)) if a != b), min(len(asked), len(ids)))
        return len(visual) + min(alike, len(ids) - 1)

    def _guess(
        self, draft: Sequence[int], known: Sequence[int], hint: Sequence[int], trust: _Trust
    ) -> list[int]:
        """What to read behind what is known of the trace; nothing where it would be of no use."""
        if not self._decoder.verifies:
            return []
        likely = continuation(draft, [*known, *hint])[: trust.tokens]
        guess = [*hint, *through_places(likely, self._places, trust.places)]
        return guess[: self._longest - len(known)] or [self._end]
