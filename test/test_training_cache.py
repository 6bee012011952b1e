"""What is kept on disk is what would be made again: as long as nothing that it was made from has changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vla_ros.training.cache import cached


class Maker:
    """Makes arrays of its own number, and counts how often."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> np.ndarray:
        self.calls += 1
        return np.full(3, self.calls, np.float16)


def test_what_was_made_from_the_same_is_made_once(tmp_path: Path) -> None:
    source, make = tmp_path / 'data.npz', Maker()
    source.write_bytes(b'scenes')
    for _ in range(2):
        found = cached(tmp_path / 'cache', [source, 'tokens', 0], make)
        assert found.tolist() == [1, 1, 1]
        assert found.dtype == np.float16
    assert make.calls == 1


def test_it_is_made_again_when_a_file_or_a_word_is_another(tmp_path: Path) -> None:
    source, make = tmp_path / 'data.npz', Maker()
    source.write_bytes(b'scenes')
    cached(tmp_path / 'cache', [source, 'tokens', 0], make)
    cached(tmp_path / 'cache', [source, 'tokens', 1], make)
    cached(tmp_path / 'cache', [source, 'thoughts', 0], make)
    source.write_bytes(b'other scenes')
    assert cached(tmp_path / 'cache', [source, 'tokens', 0], make).tolist() == [4, 4, 4]


def test_a_run_that_is_interrupted_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    def interrupted() -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, ['tokens'], interrupted)
    assert cached(tmp_path, ['tokens'], Maker()).tolist() == [1, 1, 1]
