"""What both generations of System 1 are given, checked and normalised by the manifest."""

from __future__ import annotations

import numpy as np

from vla_ros.manifest import Manifest
from vla_ros.types import (
    DoubleArray,
    JointSample,
    Sight,
    Thought,
    VisualTokens,
    VlaError,
    require_shape,
)


def require_inputs(manifest: Manifest, tokens: Sight, thought: Thought, joints: JointSample) -> VisualTokens:
    """The tokens, if all is of the shapes that the manifest names.

    Raises:
        VlaError: it is not, there are pictures in the place of tokens, or the thought has no rows or too many.
    """
    if not isinstance(tokens, VisualTokens):
        raise VlaError('tokens: expected those of the bundle, found pictures')
    require_shape('tokens', tokens.rows, (manifest.tokens.rows, manifest.tokens.width))
    require_shape('thought', thought.rows, (None, manifest.thought.width))
    require_shape('joint positions', joints.positions, (len(manifest.robot.joints),))
    if not 0 < len(thought.rows) <= manifest.thought.rows:
        raise VlaError(f'thought: expected 1 to {manifest.thought.rows} rows, found {len(thought.rows)}')
    return tokens


def normalised_state(manifest: Manifest, joints: JointSample) -> DoubleArray:
    """Normalised positions (J,), or positions and velocities (2 J,) where the bundle has statistics of both."""
    statistics = manifest.normalisation
    positions = (joints.positions - np.array(statistics.state.mean)) / np.array(statistics.state.std)
    if statistics.velocity is None:
        return np.asarray(positions)
    require_shape('joint velocities', joints.velocities, positions.shape)
    mean, std = np.array(statistics.velocity.mean), np.array(statistics.velocity.std)
    return np.concatenate([positions, (joints.velocities - mean) / std])


def senseless_inputs(manifest: Manifest) -> tuple[VisualTokens, Thought, JointSample]:
    """Zeros and a thought of ones at rest: to run a model once before it counts."""
    rest = np.array(manifest.robot.rest)
    return (
        VisualTokens(0, np.zeros((manifest.tokens.rows, manifest.tokens.width), np.float32)),
        Thought(0, np.ones((1, manifest.thought.width), np.float32)),
        JointSample(0, rest, np.zeros(len(rest))),
    )
