"""System 1 in ONNX Runtime: the whole Euler loop is one graph; noise and prefix are inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.action.policy_input import normalised_state, require_inputs, senseless_inputs
from vla_ros.bundle import Bundle
from vla_ros.fixed_run import FixedRun
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
        """Raises VlaError: the provider cannot be had, or the graph is not as the manifest says."""
        self._manifest = bundle.manifest
        self._session: Any = open_session(bundle.file('action'), provider, allow_fallback=allow_fallback)
        self._run = FixedRun(self._session)
        normalisation = bundle.manifest.normalisation
        self._action_mean, self._action_std = (
            np.array(normalisation.action.mean),
            np.array(normalisation.action.std),
        )
        self._require_inputs()

    def _require_inputs(self) -> None:
        manifest, (horizon, count) = self._manifest, self.noise_shape
        expected = {
            'noise': (1, horizon, count),
            'tokens': (1, manifest.tokens.rows, manifest.tokens.width),
            'thought': (1, manifest.thought.rows, manifest.thought.width),
            'state': (1, count if manifest.normalisation.velocity is None else 2 * count),
            'prefix': (1, horizon, count),
            'clean': (1, horizon),
        }
        found = {name: value.shape for name, value in self._run.inputs.items()}
        if found != expected:
            raise VlaError(f'action.onnx: expected the inputs {expected}, found {found}')

    @property
    def providers(self) -> Sequence[str]:
        return tuple(self._session.get_providers())

    @property
    def noise_shape(self) -> tuple[int, int]:
        """(horizon, joints)."""
        return self._manifest.chunk.horizon, len(self._manifest.robot.joints)

    @property
    def inputs(self) -> dict[str, npt.NDArray[Any]]:
        """What the graph was last given."""
        return {name: value.copy() for name, value in self._run.inputs.items()}

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
        anchor = joints.positions if manifest.chunk.representation == 'relative' else np.zeros(count)
        known = 0 if prefix is None else len(prefix)
        inputs = self._run.inputs
        inputs['noise'][0] = noise
        inputs['tokens'][0] = seen.rows
        inputs['thought'][0, : len(thought.rows)] = thought.rows
        inputs['thought'][0, len(thought.rows) :] = 0
        inputs['state'][0] = normalised_state(manifest, joints)
        inputs['prefix'][0] = 0
        inputs['clean'][0] = np.arange(horizon) < known
        if prefix is not None and known:
            require_shape('prefix', prefix, (None, count))
            if known > manifest.chunk.prefix:
                raise VlaError(f'prefix: expected at most {manifest.chunk.prefix} steps, found {known}')
            inputs['prefix'][0, :known] = (prefix - anchor - self._action_mean) / self._action_std
        (normalised,) = self._run()
        positions = normalised[0].astype(np.float64) * self._action_std + self._action_mean + anchor
        return ActionChunk(tokens.stamp, manifest.chunk.dt, positions)

    def warm_up(self) -> None:
        """One run on zeros, so that the first real one is not the slow one."""
        self.act(*senseless_inputs(self._manifest), np.zeros(self.noise_shape, np.float32))
