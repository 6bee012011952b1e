"""Generation 1 in ONNX Runtime: the language model writes a chunk token by token, greedily and with a KV cache.

After RT-2 (arXiv 2307.15818). Of all the words that could come next, only the action tokens are let through: whatever
the model would rather say, a chunk is what comes out. The order is that of time, all joints of one step before those of
the next, so a prefix of known steps is just written down for the model, and it goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.action.bins import bins_in
from vla_ros.action.policy_input import normalised_state, require_inputs, senseless_inputs
from vla_ros.bundle import Bundle
from vla_ros.manifest import ActionTokensSpec, Manifest
from vla_ros.runtime import open_session
from vla_ros.types import (
    ActionChunk,
    DoubleArray,
    FloatArray,
    JointSample,
    Sight,
    Thought,
    VlaError,
    require_shape,
)


def action_tokens_of(manifest: Manifest) -> ActionTokensSpec:
    """What the manifest says of generation 1.

    Raises:
        VlaError: the bundle has none.
    """
    if manifest.action_tokens is None:
        raise VlaError(
            f'generation: bundle {manifest.name!r} has no generation 1, expected action_tokens in its manifest, found '
            'none; choose generation 2, or train one (vla_ros train tokens) and export again (vla_ros train bundle)'
        )
    return manifest.action_tokens


class TokenPolicy:
    """The bundle's action tokens. The same inputs give the same chunk; noise is not used. One caller at a time."""

    def __init__(
        self, bundle: Bundle, provider: str = 'cpu', *, allow_fallback: bool = False, kv_cache: bool = True
    ) -> None:
        """``kv_cache``: without it, everything is read again for each token: the same chunk, later."""
        self._manifest, self._kv_cache = bundle.manifest, kv_cache
        self._spec = action_tokens_of(bundle.manifest)
        self._bins = bins_in(self._spec)
        self._session: Any = open_session(
            bundle.file('action_tokens'), provider, allow_fallback=allow_fallback
        )

    @property
    def providers(self) -> Sequence[str]:
        return tuple(self._session.get_providers())

    @property
    def _length(self) -> int:
        """Tokens of a chunk."""
        return self._spec.chunk.horizon * len(self._bins.low)

    def act(
        self,
        tokens: Sight,
        thought: Thought,
        joints: JointSample,
        noise: FloatArray,
        prefix: DoubleArray | None = None,
    ) -> ActionChunk:
        """A chunk of absolute joint targets, ``action_tokens.chunk`` of the manifest.

        Args:
            tokens, thought, joints: as for ``flow.FlowPolicy.act``; ``noise`` is not looked at.
            prefix: (n, joints) absolute targets of the first n steps that are already decided; n at most
                ``action_tokens.chunk.prefix``. They are returned as they are; the model reads them in bins.

        Raises:
            VlaError: a shape that the manifest does not name, a thought without rows, or an answer that is no number.
        """
        seen = require_inputs(self._manifest, tokens, thought, joints)
        chunk, count = self._spec.chunk, len(self._bins.low)
        anchor = joints.positions if chunk.representation == 'relative' else np.zeros(count)
        known = np.zeros((0, count)) if prefix is None else prefix
        require_shape('prefix', known, (None, count))
        if len(known) > chunk.prefix:
            raise VlaError(f'prefix: expected at most {chunk.prefix} steps, found {len(known)}')
        decided = self._bins.encode(known - anchor).bins.ravel().tolist()
        state = normalised_state(self._manifest, joints)[None].astype(np.float32)
        written = self._write(seen.rows, thought.rows, state, decided)
        positions = self._bins.decode(np.array(written).reshape(-1, count)) + anchor
        positions[: len(known)] = known
        return ActionChunk(tokens.stamp, chunk.dt, positions)

    def warm_up(self) -> None:
        """One run on zeros, so that the first real one is not the slow one."""
        self.act(*senseless_inputs(self._manifest), np.zeros(0, np.float32))

    def _write(
        self, visual: FloatArray, thought: FloatArray, state: FloatArray, decided: list[int]
    ) -> list[int]:
        """The bins of a whole chunk, of which the first are decided."""
        written = list(decided)
        logits, cache = self._read(visual, thought, state, written, self._empty_cache())
        while True:
            written.append(self._most_likely(logits))
            if len(written) == self._length:
                return written
            if self._kv_cache:
                logits, cache = self._read(visual[:0], thought[:0], state[:0], written[-1:], cache)
            else:
                logits, _ = self._read(visual, thought, state, written, self._empty_cache())

    def _most_likely(self, logits: FloatArray) -> int:
        """The bin of the likeliest action token; what the model thinks of other words does not count."""
        allowed = logits[self._spec.first : self._spec.first + self._spec.bins]
        if len(allowed) < self._spec.bins or not np.isfinite(allowed).all():
            raise VlaError(
                f'action tokens: expected {self._spec.bins} finite logits from {self._spec.first} on, '
                f'found {int(np.isfinite(allowed).sum())}'
            )
        return int(allowed.argmax())

    def _read(
        self, visual: FloatArray, thought: FloatArray, state: FloatArray, bins: list[int], cache: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Logits of the next token, and the cache with what was read."""
        ids: npt.NDArray[np.int64] = np.array(bins, np.int64) + self._spec.first
        inputs = {'visual': visual, 'thought': thought, 'state': state, 'ids': ids, 'cache': cache}
        logits, cache = self._session.run(None, inputs)
        return logits, cache

    def _empty_cache(self) -> FloatArray:
        mind = self._manifest.reasoning
        return np.zeros((mind.layers, 2, mind.heads, 0, mind.head_width), np.float32)
