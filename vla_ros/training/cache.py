"""What frozen models make of the data, worked out once and kept on disk: a stage that is run again begins at once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vla_ros.bundle import sha256


def cached(
    folder: Path, made_from: Sequence[Path | str | int], make: Callable[[], npt.NDArray[Any]]
) -> npt.NDArray[Any]:
    """``make()``, or what it gave when everything that it is ``made_from`` was the same; read from disk as needed.

    Args:
        made_from: files, of which the content counts, and words and numbers that tell one result from another.
    """
    parts = [sha256(part) if isinstance(part, Path) else str(part) for part in made_from]
    path = folder / f'{hashlib.sha256(" ".join(parts).encode()).hexdigest()[:24]}.npy'
    if not path.is_file():
        made = make()
        folder.mkdir(parents=True, exist_ok=True)
        # A run that is interrupted while it writes leaves nothing that looks whole.
        unfinished = path.with_suffix(f'.{os.getpid()}.part')
        with unfinished.open('wb') as file:
            np.save(file, made)
        unfinished.replace(path)
    found: npt.NDArray[Any] = np.load(path, mmap_mode='r')
    return found
