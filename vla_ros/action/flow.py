"""System 1 in ONNX Runtime: the whole Euler loop is one graph; noise and prefix are inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vla_ros.action.policy_input import normalised_state, require_inputs, senseless_inputs
from vla_ros.bundle import Bundle
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


class FlowPolicy:
    """The bundle's flow-matching head. The same inputs, noise included, give the same chunk. One caller at a time."""

    def __init__(self, bundle: Bundle, provider: str = 'cpu', *, allow_fallback: bool = False) -> None:
        self._manifest = bundle.manifest
        self._session: Any = open_session(bundle.file('action'), provider, allow_fallback=allow_fallback)
        normalisation = bundle.manifest.normalisation
        self._action_mean, self._action_std = (
            np.array(normalisation.action.mean),
            np.array(normalisation.action.std),
        )

    @property
    def providers(self) -> Sequence[str]:
        return tuple(self._session.get_providers())

    @property
    def noise_shape(self) -> tuple[int, int]:
        """(horizon, joints)."""
        return self._manifest.chunk.horizon, len(self._manifest.robot.joints)

    def act(
        self,
        tokens: Sight,
        thought: Thought,
        joints: JointSample,
        noise: FloatArray,
        prefix: DoubleArray | None = None,
    ) -> ActionChunk:
        """A chunk of absolute joint targets.

        Args:
            tokens, thought, joints: what is seen, meant and measured; the chunk is stamped and anchored at the tokens.
            noise: (horizon, joints) standard normal; where the flow starts.
            prefix: (n, joints) absolute targets of the first n steps that are already decided; n at most chunk.prefix.

        Raises:
            VlaError: a shape that the manifest does not name, or a thought without rows.
        """
        manifest = self._manifest
        horizon, count = self.noise_shape
        seen = require_inputs(manifest, tokens, thought, joints)
        require_shape('noise', noise, (horizon, count))
        padded = np.zeros((manifest.thought.rows, manifest.thought.width), np.float32)
        padded[: len(thought.rows)] = thought.rows
        anchor = joints.positions if manifest.chunk.representation == 'relative' else np.zeros(count)
        known = np.zeros((horizon, count), np.float32)
        clean = np.zeros(horizon, bool)
        if prefix is not None and len(prefix):
            require_shape('prefix', prefix, (None, count))
            if len(prefix) > manifest.chunk.prefix:
                raise VlaError(f'prefix: expected at most {manifest.chunk.prefix} steps, found {len(prefix)}')
            known[: len(prefix)] = (prefix - anchor - self._action_mean) / self._action_std
            clean[: len(prefix)] = True
        (normalised,) = self._session.run(
            None,
            {
                'noise': noise[None].astype(np.float32),
                'tokens': seen.rows[None],
                'thought': padded[None],
                'state': normalised_state(manifest, joints)[None].astype(np.float32),
                'prefix': known[None],
                'clean': clean[None],
            },
        )
        positions = normalised[0].astype(np.float64) * self._action_std + self._action_mean + anchor
        return ActionChunk(tokens.stamp, manifest.chunk.dt, positions)

    def warm_up(self) -> None:
        """One run on zeros, so that the first real one is not the slow one."""
        self.act(*senseless_inputs(self._manifest), np.zeros(self.noise_shape, np.float32))
