"""Opening ONNX Runtime sessions: the providers asked for, or a loud failure.

ONNX Runtime falls back to the CPU without a word when CUDA libraries are missing (microsoft/onnxruntime#23372),
and lists providers as available that cannot run. So a session is asked which providers it really got.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vla_ros.bundle import sha256
from vla_ros.engine_cache import engine_folder, tensorrt_options
from vla_ros.onnx_file import require_whole
from vla_ros.types import VlaError

PROVIDERS = {
    'cpu': 'CPUExecutionProvider',
    'cuda': 'CUDAExecutionProvider',
    'tensorrt': 'TensorrtExecutionProvider',
}


def open_session(
    path: Path,
    provider: str = 'cpu',
    *,
    allow_fallback: bool = False,
    threads: int = 1,
    weights: Path | None = None,
) -> Any:
    """An ``onnxruntime.InferenceSession`` on the provider ('cpu', 'cuda' or 'tensorrt').

    One intra-op thread that does not spin: with two cores shared between System 1, System 2 and the cameras,
    spinning threads slow everything several times over.

    Args:
        weights: the one file beside the model that its weights may be in; somebody has checked it.

    Raises:
        VlaError: ONNX Runtime is not installed, the provider is unknown or could not be had and
            ``allow_fallback`` is false, or the file is not a model or not a whole one.
    """
    if provider not in PROVIDERS:
        raise VlaError(f'provider: expected one of {sorted(PROVIDERS)}, found {provider!r}')
    try:
        import onnxruntime
    except ImportError as error:
        raise VlaError(
            'onnxruntime is not installed; pip install onnxruntime-gpu (or onnxruntime)'
        ) from error
    if weights is not None and weights.parent != path.parent:
        raise VlaError(f'{path}: expected its weights beside it, found them in {weights}')
    require_whole(path, None if weights is None else weights.name)
    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    options.log_severity_level = 4
    available = onnxruntime.get_available_providers()
    chain = [name for name in provider_chain(provider) if name in available]
    settings: list[dict[str, str]] = [{} for _ in chain]
    if PROVIDERS['tensorrt'] in chain:
        digest = sha256(path) if weights is None else combined(sha256(path), sha256(weights))
        settings[0] = tensorrt_options(path, digest, engine_folder())
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=chain, provider_options=settings)
    except (
        Exception
    ) as error:  # ONNX Runtime raises its own C++ exception types, all derived from Exception only
        if allow_fallback and provider != 'cpu':
            return open_session(path, 'cpu', threads=threads, weights=weights)
        raise VlaError(
            f'{path} could not be opened on {provider}: {str(error).splitlines()[0][:200]}'
        ) from error
    if PROVIDERS[provider] not in session.get_providers() and not allow_fallback:
        raise VlaError(
            f'provider: expected {PROVIDERS[provider]}, found {session.get_providers()}; install the GPU build and its '
            "CUDA libraries, or set 'allow_provider_fallback' to run on the CPU"
        )
    return session


def combined(*digests: str) -> str:
    """One digest for several files: an engine is made of weights that are kept beside a model, too."""
    return hashlib.sha256(''.join(digests).encode()).hexdigest()


def provider_chain(provider: str) -> Sequence[str]:
    """The provider asked for and, behind it, those that run the nodes it cannot."""
    chain = {'cpu': ['cpu'], 'cuda': ['cuda', 'cpu'], 'tensorrt': ['tensorrt', 'cuda', 'cpu']}[provider]
    return [PROVIDERS[name] for name in chain]


def device_of(session: Any) -> str:
    """Where the session's inputs and outputs are best kept: 'cuda' beside its GPU, 'cpu' otherwise."""
    first = session.get_providers()[0]
    return 'cpu' if first == PROVIDERS['cpu'] else 'cuda'
