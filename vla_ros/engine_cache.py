"""TensorRT's engines are kept from one start to the next: building one takes minutes on a Jetson."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from vla_ros.types import VlaError

FOLDER = 'VLA_ROS_ENGINES'
"""Environment variable: where engines are kept instead of in the user's cache."""

log = logging.getLogger(__name__)


def engine_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where engines are kept."""
    named = environment.get(FOLDER, '')
    if named:
        return Path(named)
    home = environment.get('XDG_CACHE_HOME') or str(
        Path(environment.get('HOME', '~')).expanduser() / '.cache'
    )
    return Path(home) / 'vla_ros' / 'tensorrt'


def tensorrt_options(model: Path, digest: str, root: Path) -> dict[str, str]:
    """Options of the TensorRT provider that keep the engines of a model; says so if there are none yet.

    Args:
        model: the ONNX file, for the message.
        digest: of its content: an engine is for one model. Another GPU or another TensorRT is told apart by TensorRT.
        root: where engines are kept.

    Raises:
        VlaError: the folder cannot be made.
    """
    folder = root / digest[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VlaError(f'{folder}: engines cannot be kept there: {error.strerror}; set {FOLDER}') from error
    if not any(folder.glob('*.engine')):
        log.warning(
            'building a TensorRT engine for %s: this takes minutes the first time; it is kept in %s',
            model,
            folder,
        )
    return {
        'trt_engine_cache_enable': 'True',
        'trt_engine_cache_path': str(folder),
        'trt_timing_cache_enable': 'True',
        'trt_timing_cache_path': str(folder),
    }
