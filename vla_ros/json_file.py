"""JSON objects in files from strangers: small, whole, and objects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vla_ros.types import VlaError

LARGEST = 10_000_000
"""Bytes; descriptions of datasets and checkpoints are far smaller."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file.

    Raises:
        VlaError: no such file, one of more than LARGEST bytes, or no JSON object in it.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise VlaError(f'{path}: expected at most {LARGEST} bytes, found more')
        content = json.loads(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise VlaError(f'{path} is missing or cannot be read: {error.strerror}') from error
    except (ValueError, RecursionError) as error:
        raise VlaError(f'{path} is not JSON: {str(error)[:100]}') from error
    if not isinstance(content, dict):
        raise VlaError(f'{path}: expected an object, found {type(content).__name__}')
    return content
