"""What a section of the bench hands over, and what it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vla_ros.bench.figures import Effort, Figure


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        bundle: folder of the bundle.
        peers: names of those to compare with; see ``vla_ros.bench.peers``.
        effort: how often.
        questions: how many thoughts of recorded episodes System 2 is measured on.
        seed: of the first episode.
    """

    bundle: Path
    peers: tuple[str, ...] = ()
    effort: Effort = Effort()
    questions: int = 300
    seed: int = 900_000


@dataclass
class Section:
    """Figures by name, values that are no figures, and why something could not be measured."""

    figures: dict[str, Figure] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For a JSON report: of figures their medians, so that ``section.figure`` is a number, and their spread."""
        spread: Mapping[str, Any] = {name: found.as_dict() for name, found in self.figures.items()}
        return {
            **{name: found['median'] for name, found in spread.items()},
            **self.values,
            'spread': spread,
            'missing': self.missing,
        }
