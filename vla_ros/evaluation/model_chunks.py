"""Chunks of a real model for the adversary: the action head of a bundle on senseless tokens and thoughts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from vla_ros.action.flow import FlowPolicy
from vla_ros.bundle import load_bundle
from vla_ros.evaluation.adversary import Generator, Place
from vla_ros.types import ActionChunk, DoubleArray, JointSample, Thought, VisualTokens, VlaError


def model_chunks(
    folder: Path, joint_names: tuple[str, ...]
) -> Callable[[Generator, Place, DoubleArray | None], ActionChunk]:
    """A maker of chunks.

    Raises:
        VlaError: the bundle is not valid or not for these joints.
    """
    bundle = load_bundle(folder)
    manifest, policy = bundle.manifest, FlowPolicy(bundle)
    if manifest.robot.joints != joint_names:
        raise VlaError(f'{folder}: expected joints {list(joint_names)}, found {list(manifest.robot.joints)}')

    def make(generator: Generator, place: Place, prefix: DoubleArray | None) -> ActionChunk:
        tokens = generator.normal(size=(manifest.tokens.rows, manifest.tokens.width)).astype(np.float32)
        rows = int(generator.integers(1, manifest.thought.rows + 1))
        thought = generator.normal(size=(rows, manifest.thought.width)).astype(np.float32)
        start = generator.normal(size=policy.noise_shape).astype(np.float32)
        known = None if prefix is None else prefix[: manifest.chunk.prefix]
        chunk = policy.act(
            VisualTokens(place.stamp, tokens),
            Thought(place.stamp, thought),
            JointSample(place.stamp, place.joints, np.zeros(len(place.joints))),
            start,
            known,
        )
        noise = generator.normal(0, generator.choice([0.0, 0.01, 0.1]), chunk.positions.shape)
        return ActionChunk(chunk.stamp, chunk.dt, chunk.positions + noise)

    return make
