"""All sections one after another, as one report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vla_ros.bench.peers import PEERS
from vla_ros.bench.section import Request, Section
from vla_ros.bundle import load_bundle
from vla_ros.evaluation.machine import machine, versions
from vla_ros.types import VlaError

Sections = Mapping[str, Callable[[Request], Section]]


def bench_report(
    request: Request, sections: Sections, tell: Callable[[str], None] = lambda name: None
) -> dict[str, Any]:
    """A section a key. What a section cannot measure here it says in ``missing``; it ends no other one."""
    begun = time.perf_counter()
    report: dict[str, Any] = {}
    for name, measure in sections.items():
        tell(name)
        try:
            section = measure(request)
        except VlaError as error:
            section = Section(missing=[str(error)])
        except ImportError as error:  # of the simulator, say
            section = Section(missing=[f'not installed here: {error}'])
        report[name] = section.as_dict()
    return report | {
        'bundle': load_bundle(request.bundle).manifest.tag,
        'effort': asdict(request.effort),
        'compared': list(request.peers),
        'machine': machine(),
        'versions': versions(),
        'seconds': round(time.perf_counter() - begun, 1),
    }


def choose(names: Sequence[str], sections: Sections) -> Sections:
    """The sections of these names, in their order; all of them if there are no names.

    Raises:
        VlaError: an unknown name.
    """
    for name in names:
        if name not in sections:
            raise VlaError(f'section: expected one of {sorted(sections)}, found {name!r}')
    return {name: measure for name, measure in sections.items() if not names or name in names}


def peers_from(text: str) -> tuple[str, ...]:
    """Peers of a list with commas.

    Raises:
        VlaError: an unknown name.
    """
    names = tuple(name.strip() for name in text.split(',') if name.strip())
    for name in names:
        if name not in PEERS:
            raise VlaError(f'--compare: expected some of {", ".join(PEERS)}, found {name!r}')
    return names
