"""What a running process holds of the machine, as Linux says it in /proc."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vla_ros.types import VlaError

PROC = Path('/proc')


@dataclass(frozen=True)
class Usage:
    """What one process holds.

    Attributes:
        memory: bytes that are mapped and resident, and those swapped out. Not the proportional share (PSS): that
            changes whenever another process that maps the same libraries comes or goes.
        threads: how many.
        files: open file descriptors, sockets among them.
    """

    memory: int
    threads: int
    files: int


def usage_of(pid: int, proc: Path = PROC) -> Usage:
    """What a process holds now.

    Raises:
        VlaError: it has ended, or its numbers cannot be read.
    """
    folder = proc / str(pid)
    try:
        sizes = _kibibytes(folder / 'smaps_rollup')
        memory = 1024 * (sizes['Rss'] + sizes.get('Swap', 0))
        return Usage(memory, len(list((folder / 'task').iterdir())), len(list((folder / 'fd').iterdir())))
    except (OSError, KeyError, ValueError) as error:
        raise VlaError(f'{folder}: expected a running process of this user: {error}') from error


def _kibibytes(path: Path) -> dict[str, int]:
    """The lines 'Rss:   1234 kB' of a file."""
    lines = (line.split() for line in path.read_text(encoding='ascii', errors='replace').splitlines())
    return {words[0].rstrip(':'): int(words[1]) for words in lines if len(words) == 3 and words[2] == 'kB'}
