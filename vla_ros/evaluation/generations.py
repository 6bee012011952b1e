"""Generation 1 against generation 2 of System 1: the same looks, the same thoughts, each one's chunks.

What the bins alone do is shown beside them: the expert's chunks and those of generation 2, put into the bins of
generation 1 and out again. What is left is what the token model itself adds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.action.bins import Bins, bins_in
from vla_ros.action.generations import FLOW, TOKENS, chunk_of, open_policy
from vla_ros.action.noise import noise
from vla_ros.action.planner import Policy
from vla_ros.action.token_policy import action_tokens_of
from vla_ros.bundle import MANIFEST, Bundle, load_bundle, sha256
from vla_ros.evaluation.brain import Brain
from vla_ros.evaluation.chunk_smoothness import measure_chunks, on_grid
from vla_ros.evaluation.episodes import Episode
from vla_ros.evaluation.looks import Look, looks_of
from vla_ros.evaluation.machine import machine, versions
from vla_ros.evaluation.statistics import spread
from vla_ros.manifest import ChunkSpec
from vla_ros.sim.expert import PERIOD
from vla_ros.types import ActionChunk, VlaError

EXPERT, EXPERT_IN_BINS, FLOW_IN_BINS = 'expert', 'expert, in bins', 'generation 2, in bins'
NAMES = {TOKENS: 'generation 1', FLOW: 'generation 2'}


def open_both(folder: Path) -> Bundle:
    """A bundle that has both generations.

    Raises:
        VlaError: it has one only, or is not valid.
    """
    bundle = load_bundle(folder)
    action_tokens_of(bundle.manifest)
    return bundle


def collect_looks(
    episodes: Sequence[Episode], brain: Brain, steps: int, on_episode: Callable[[int], None] = lambda _: None
) -> list[Look]:
    """The looks of all episodes; ``on_episode`` is told how many are done.

    Raises:
        VlaError: the model knew at none of them what to do.
    """
    looks: list[Look] = []
    for done, episode in enumerate(episodes, 1):
        looks += looks_of(episode, brain, steps, looks[-1].course + 1 if looks else 0)
        on_episode(done)
    if not looks:
        raise VlaError(
            f'episodes: expected some in which the model knows what to do, found none in {len(episodes)}; '
            'vla_ros eval reasoning says what it thinks'
        )
    return looks


def ask(
    policy: Policy, chunk: ChunkSpec, looks: Sequence[Look], seed: int = 0
) -> tuple[list[ActionChunk], list[float]]:
    """A policy's chunk at each look, and the seconds that it took; no prefix is given."""
    chunks, seconds = [], []
    policy.warm_up()
    for look in looks:
        start = noise(look.tokens.stamp, seed, (chunk.horizon, len(look.joints.positions)))
        begun = time.perf_counter()
        chunks.append(policy.act(look.tokens, look.thought, look.joints, start))
        seconds.append(time.perf_counter() - begun)
    return chunks, seconds


def compare(bundle: Bundle, looks: Sequence[Look]) -> tuple[dict[str, Any], dict[str, list[ActionChunk]]]:
    """The rows of the table, and the chunks behind them, all on the steps of generation 1.

    Raises:
        VlaError: the bundle has no generation 1, or the steps of one generation are none of the other.
    """
    spec = action_tokens_of(bundle.manifest)
    bins, grid = bins_in(spec), spec.chunk
    chunks = {EXPERT: [ActionChunk(look.tokens.stamp, PERIOD, look.expert) for look in looks]}
    took: dict[str, list[float]] = {}
    for generation, name in sorted(NAMES.items(), reverse=True):
        kind = chunk_of(bundle.manifest, generation)
        chunks[name], took[name] = ask(open_policy(bundle, generation=generation), kind, looks)
    chunks = {
        name: [on_grid(chunk, grid.dt, grid.horizon) for chunk in found] for name, found in chunks.items()
    }
    for name, source in ((EXPERT_IN_BINS, EXPERT), (FLOW_IN_BINS, NAMES[FLOW])):
        chunks[name] = [_in_bins(bins, spec.chunk, *pair) for pair in zip(chunks[source], looks, strict=True)]
    courses = [look.course for look in looks]
    rows = []
    for name in (EXPERT, EXPERT_IN_BINS, NAMES[FLOW], FLOW_IN_BINS, NAMES[TOKENS]):
        numbers = asdict(measure_chunks(chunks[name], chunks[EXPERT], courses))
        latency = spread([1e3 * seconds for seconds in took[name]]).as_dict() if name in took else None
        shown = {key: None if math.isnan(value) else value for key, value in numbers.items()}
        rows.append({'name': name, **shown, 'latency_ms': latency})
    clipped = [
        bins.encode(_relative(spec.chunk, *pair)).clipped for pair in zip(chunks[EXPERT], looks, strict=True)
    ]
    return {
        'rows': rows,
        'looks': len(looks),
        'steps': grid.horizon,
        'dt': grid.dt,
        'bins': spec.bins,
        'bin_width_rad': bins.width.tolist(),
        'expert_clipped': float(np.mean(clipped)),
    }, chunks


def generations_report(
    bundle: Bundle, looks: Sequence[Look], episodes: Sequence[Episode], seed: int, begun: float, wordings: str
) -> tuple[dict[str, Any], dict[str, list[ActionChunk]]]:
    """The JSON of ``vla_ros eval generations``, and the chunks behind it; see ``compare``."""
    result, chunks = compare(bundle, looks)
    identity = {'name': bundle.manifest.name, 'manifest_sha256': sha256(Path(bundle.folder) / MANIFEST)}
    return {
        **result,
        'episodes': len(episodes),
        'tasks': sorted({episode.task for episode in episodes}),
        'seed': seed,
        'wordings': wordings,
        'bundle': identity,
        'machine': machine(),
        'versions': versions(),
        'seconds': round(time.perf_counter() - begun, 1),
    }, chunks


def _relative(kind: ChunkSpec, chunk: ActionChunk, look: Look) -> Any:
    """The actions of a chunk as generation 1 represents them."""
    return chunk.positions - (look.joints.positions if kind.representation == 'relative' else 0.0)


def _in_bins(bins: Bins, kind: ChunkSpec, chunk: ActionChunk, look: Look) -> ActionChunk:
    """The chunk with each number in the middle of its bin."""
    relative = _relative(kind, chunk, look)
    moved = bins.decode(bins.encode(relative).bins) - relative
    return ActionChunk(chunk.stamp, chunk.dt, chunk.positions + moved)
