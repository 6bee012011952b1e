"""System 2 in ONNX Runtime: greedy, KV-cached, with its last trace as a draft of the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np

from vla_ros.bundle import Bundle
from vla_ros.manifest import ReasoningSpec
from vla_ros.reasoning import trace
from vla_ros.reasoning.decoder import Decoder, GrowingCache
from vla_ros.reasoning.greedy import GreedyWriter
from vla_ros.reasoning.prompt import plain, prompt
from vla_ros.reasoning.shared_cache import SharedCache
from vla_ros.runtime import open_session
from vla_ros.types import (
    Decision,
    FloatArray,
    Situation,
    Thought,
    Verdict,
    VisualTokens,
    VlaError,
    require_shape,
)

UNREADABLE = 'there is no word in it that i can read'


class OnnxReasoner:
    """The bundle's language model. Greedy only: the same tokens and words give the same trace. One caller at a time.

    Args:
        speculates: whether its last trace is a draft of the next one. That changes nothing but the time it takes.

    Attributes:
        verifies: whether its graph can verify drafts at all; those of older bundles cannot.
    """

    def __init__(
        self,
        bundle: Bundle,
        provider: str = 'cpu',
        *,
        allow_fallback: bool = False,
        speculates: bool = True,
    ) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise VlaError('tokenizers is not installed; pip install tokenizers') from error
        self._manifest = bundle.manifest
        self._spec = bundle.manifest.reasoning
        self._rows = bundle.rows_of(self._spec.cameras)
        path = bundle.file('tokenizer')
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises nothing more precise
            raise VlaError(f'{path} is no tokenizer: {str(error).splitlines()[0][:200]}') from error
        self._session: Any = open_session(bundle.file('language'), provider, allow_fallback=allow_fallback)
        self._answer, self._end = (self._id(token) for token in (trace.ANSWER, trace.END_ANSWER))
        ids = map(self._tokenizer.token_to_id, trace.location_tokens(self._spec.location_bins))
        self._places = [place for place in ids if place is not None]
        self._speculates = speculates
        self._draft: list[int] = []
        self._write_with(decoder_of(self._session, self._spec))

    @property
    def providers(self) -> Sequence[str]:
        return tuple(self._session.get_providers())

    def reading_with(self, decoder: Callable[[Any, ReasoningSpec], Decoder]) -> OnnxReasoner:
        """The same model with another way to read its graph, given the session: for experiments, not for robots."""
        other = copy(self)
        other._write_with(decoder(self._session, self._spec))
        return other

    @property
    def end(self) -> int:
        """The token behind which nothing is written."""
        return self._end

    @property
    def passes(self) -> int:
        """Passes of the language model so far."""
        return self._writer.passes

    def think(
        self,
        tokens: VisualTokens,
        instruction: str,
        on_text: Callable[[str], None] | None = None,
        situation: Situation | None = None,
    ) -> tuple[Decision, Thought]:
        """See ``Reasoner.think``. The thought vectors are the hidden states of the answer; a refusal has none.

        The answer names the subtask and all of its places, so they are all that System 1 needs of the thought.
        """
        require_shape('tokens', tokens.rows, (self._manifest.tokens.rows, self._manifest.tokens.width))
        still = Thought(tokens.stamp, np.zeros((0, self._manifest.thought.width), np.float32))
        if not plain(instruction):
            return Decision(Verdict.REFUSED, UNREADABLE, instruction, ''), still
        ids = self._question(instruction, situation)
        written: list[int] = []
        thought: list[FloatArray] = []
        for new, hidden in self._writer.write(tokens.rows[self._rows], ids, self._draft):
            answer = self._answer in new
            written += new
            if thought or answer:
                thought.append(hidden[new.index(self._answer) if not thought else 0 :])
            if on_text is not None:
                on_text(self._text(written))
        if self._speculates and written[-1] == self._end:
            self._draft = written
        decision = trace.read(
            self._text(written), instruction, self._spec.location_bins, self._spec.location_camera
        )
        rows = np.concatenate(thought) if thought else still.rows
        if decision.verdict is not Verdict.GO or len(rows) > self._manifest.thought.rows:
            return decision, still
        return decision, Thought(tokens.stamp, rows)

    def recite(
        self, tokens: VisualTokens, instruction: str, written: str, situation: Situation | None = None
    ) -> Thought:
        """The thought vectors that this model has when it reads a trace that another mind wrote (teacher forcing).

        They are taken where ``think`` takes them: of a trace of its own they are those that came with it.

        Raises:
            VlaError: the trace has no answer, or is longer than one of the model's own could be.
        """
        require_shape('tokens', tokens.rows, (self._manifest.tokens.rows, self._manifest.tokens.width))
        ids = self._question(instruction, situation)
        forced = self._tokenizer.encode(written).ids
        if forced.count(self._answer) != 1 or not forced or forced[-1] != self._end:
            raise VlaError(f'trace: expected one answer from {trace.ANSWER} to {trace.END_ANSWER} at its end')
        begin = forced.index(self._answer)
        if len(forced) > self._spec.max_new_tokens or len(forced) - begin > self._manifest.thought.rows:
            raise VlaError(
                f'trace: expected at most {self._spec.max_new_tokens} tokens, {self._manifest.thought.rows} of '
                f'them in the answer, found {len(forced)} and {len(forced) - begin}'
            )
        hidden = self._writer.recite(tokens.rows[self._rows], ids, forced)
        return Thought(tokens.stamp, hidden[begin:])

    def question_of(
        self, tokens: VisualTokens, instruction: str, situation: Situation | None = None
    ) -> tuple[FloatArray, list[int]]:
        """A question as the language model has it: visual tokens (V, channels), and the tokens behind them."""
        return tokens.rows[self._rows], self._question(instruction, situation)

    def write(self, visual: FloatArray, ids: Sequence[int]) -> list[int]:
        """The trace as tokens, without a draft."""
        return [token for new, _ in self._writer.write(visual, ids) for token in new]

    def read(self, visual: FloatArray, ids: Sequence[int]) -> None:
        """One pass over a question, and nothing written."""
        self._writer.recite(visual, ids, [self._end])

    def tokens_of(self, text: str) -> list[int]:
        """A trace as tokens."""
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids

    def _write_with(self, decoder: Decoder) -> None:
        self.verifies = decoder.verifies
        self._writer = GreedyWriter(decoder, self._end, self._spec.max_new_tokens, self._places)
        self._draft = []

    def _question(self, instruction: str, situation: Situation | None) -> list[int]:
        """The tokens of the prompt; VlaError for a question that cannot be put to this bundle."""
        if self._spec.hand is None:
            situation = None
        elif situation is None:
            raise VlaError(
                f'situation: bundle {self._manifest.name!r} wants to know of the hand, found nothing'
            )
        ids: list[int] = self._tokenizer.encode(prompt(instruction, situation, self._spec.location_bins)).ids
        longest = self._spec.context - len(self._rows) - self._spec.max_new_tokens
        if len(ids) > longest:
            raise VlaError(
                f'instruction: expected at most {longest} tokens, found {len(ids)}; say it shorter'
            )
        return ids

    def _text(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise VlaError(
                f'tokenizer of bundle {self._manifest.name!r}: expected the token {token}, found none'
            )
        return int(found)


def decoder_of(session: Any, spec: ReasoningSpec) -> Decoder:
    """The cache that the graph is made for, by the names of its inputs.

    Raises:
        VlaError: it is neither of them, or not of the manifest's size.
    """
    names = {value.name for value in session.get_inputs()}
    if names == GrowingCache.INPUTS:
        return GrowingCache(session, spec)
    if names >= SharedCache.INPUTS:
        return SharedCache(session, spec)
    expected = f'{sorted(GrowingCache.INPUTS)} or {sorted(SharedCache.INPUTS)} and key_i, value_i'
    raise VlaError(f'language.onnx: expected the inputs {expected}, found {sorted(names)}')
