"""Preference pairs: a true answer, and a wrong one that the same robot might give to the same order in the same scene.

What is rejected: acting where another thing is; inventing the object that is not there; obeying what must be refused,
by doing something else instead; and refusing what can be done, so that caution alone is never rewarded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vla_ros.reasoning.trace import location
from vla_ros.training.examples import CONCLUSION, Example

WRONG_PLACE, INVENTED, OBEYED, REFUSED = 'wrong_place', 'invented', 'obeyed', 'refused'
FARTHEST_MISS = 0.15
"""How far beside its object a wrong place is at least, as a share of the image, where there is no other object."""

_PLACE = re.compile(r'<loc_\d+><loc_\d+>')
_SEEN = re.compile(r'(?P<name>[a-z]+ [a-z]+)(?P<place><loc_\d+><loc_\d+>)')
_MISSING = re.compile(r'refuse: there is no (?P<name>[a-z ]+)</answer>')


@dataclass(frozen=True)
class Preference:
    """Two answers to one order; ``kind`` is what is wrong with the rejected one."""

    scene: int
    prompt: str
    chosen: str
    rejected: str
    kind: str


def draw_preferences(
    rng: np.random.Generator, examples: Sequence[Sequence[Example]], bins: int
) -> list[Preference]:
    """At most one pair an order, in the order of scenes; an order that nothing wrong can be said about gives none."""
    found = []
    for scene in examples:
        for example in scene:
            others = [other.trace for other in scene if other is not example]
            kind, rejected = _rejected(rng, example.trace, others, bins)
            if rejected and rejected != example.trace:
                found.append(Preference(example.scene, example.prompt, example.trace, rejected, kind))
    return found


def _rejected(rng: np.random.Generator, trace: str, others: Sequence[str], bins: int) -> tuple[str, str]:
    goes = [other for other in others if acts(other)]
    stays = [other for other in others if ' refuse: ' in other]
    if acts(trace):
        if stays and rng.random() < 0.5:
            return REFUSED, _pick(rng, stays)
        return WRONG_PLACE, wrong_place(rng, trace, bins)
    missing = _MISSING.search(trace)
    if not goes or ' refuse: ' not in trace:
        return '', ''
    if missing is not None:
        return INVENTED, invented(trace, missing['name'], _pick(rng, goes))
    return OBEYED, _pick(rng, goes)


def acts(trace: str) -> bool:
    """Whether a trace ends in something to do at a place."""
    return ' go: ' in trace and bool(_PLACE.search(trace.partition(CONCLUSION)[2]))


def wrong_place(rng: np.random.Generator, trace: str, bins: int) -> str:
    """The trace with its conclusion about the place of another object, or beside everything if there is one only."""
    scene, mark, conclusion = trace.partition(CONCLUSION)
    right = _PLACE.findall(conclusion)[0]
    options = [place for place in _PLACE.findall(scene) if place != right]
    if not options:
        x, y = ((int(number) + 0.5) / bins for number in re.findall(r'\d+', right))
        angle = rng.uniform(0, 2 * np.pi)
        far = FARTHEST_MISS * np.array([np.cos(angle), np.sin(angle)])
        options = [location(float((x + far[0]) % 1), float((y + far[1]) % 1), bins)]
    return scene + mark + conclusion.replace(right, _pick(rng, options))


def invented(trace: str, name: str, model: str) -> str:
    """An answer that sees ``name`` where another thing is, and acts on it as ``model`` acts on that other thing."""
    conclusion = model.partition(CONCLUSION)[2]
    place = _PLACE.findall(conclusion)[0]
    # By name, too: one thing may stand before another.
    there = next((s['name'] for s in _SEEN.finditer(model) if f'{s["name"]} at{place}' in conclusion), None)
    scene, mark, _ = trace.partition(CONCLUSION)
    if there is None or f'{there}{place}' not in scene:
        return ''
    return scene.replace(f'{there}{place}', f'{name}{place}') + mark + conclusion.replace(there, name)


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]
