"""Freed memory goes back to the system."""

from __future__ import annotations

import ctypes
import os

import pytest

from vla_ros.evaluation.process_usage import usage_of
from vla_ros.nodes.heap import give_back

BLOCK = 100_000
"""Bytes, fewer than those for which the C library asks the system anew."""
PAIRS = 500


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), 'malloc_trim'), reason='needs glibc')
def test_what_was_freed_between_what_is_in_use_goes_back() -> None:
    kept = [(b'k' * BLOCK, bytearray(b'f' * BLOCK)) for _ in range(PAIRS)]
    before = usage_of(os.getpid()).memory

    kept = [(one, bytearray()) for one, _ in kept]
    give_back()

    assert before - usage_of(os.getpid()).memory > 0.8 * PAIRS * BLOCK
    assert len(kept) == PAIRS
