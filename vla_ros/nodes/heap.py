"""Memory that was freed, given back to the system.

The C library keeps what is freed between what is still in use, for later; and what is asked for later seldom fits. Who
lets go of much at once, again and again, says so here: else the process grows, though nothing in it does.
"""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Let the system have every free page of this process, where the C library can do that (glibc); some ms."""
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(ctypes.c_size_t(0))
