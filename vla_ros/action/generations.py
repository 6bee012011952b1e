"""Which generation of System 1 acts: 2 is flow matching, 1 are action tokens. Both are asked alike."""

from __future__ import annotations

from vla_ros.action.flow import FlowPolicy
from vla_ros.action.planner import Policy
from vla_ros.action.token_policy import TokenPolicy, action_tokens_of
from vla_ros.bundle import Bundle
from vla_ros.manifest import ChunkSpec, Manifest
from vla_ros.types import VlaError

TOKENS, FLOW = 1, 2
GENERATIONS = (TOKENS, FLOW)


def chunk_of(manifest: Manifest, generation: int) -> ChunkSpec:
    """The chunks that a generation makes.

    Raises:
        VlaError: no such generation, or the bundle does not have it.
    """
    if generation not in GENERATIONS:
        raise VlaError(f'generation: expected one of {list(GENERATIONS)}, found {generation}')
    return manifest.chunk if generation == FLOW else action_tokens_of(manifest).chunk


def open_policy(
    bundle: Bundle, provider: str = 'cpu', *, allow_fallback: bool = False, generation: int = FLOW
) -> Policy:
    """The bundle's own policy of a generation.

    Raises:
        VlaError: the bundle does not have it, a file is missing or altered, or the provider cannot be had.
    """
    chunk_of(bundle.manifest, generation)
    if generation == TOKENS:
        return TokenPolicy(bundle, provider, allow_fallback=allow_fallback)
    return FlowPolicy(bundle, provider, allow_fallback=allow_fallback)
