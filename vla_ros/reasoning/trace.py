"""The chain of thought: how it is written for training and read back on the robot.

A trace is plain text with location tokens, each a column then a row of the image grid::

    <think> i see blue cylinder<loc_090><loc_061>; red cube<loc_045><loc_070>. asked: touch red cube.
    it is at<loc_045><loc_070>.</think><answer> go: touch red cube<loc_045><loc_070></answer>

Writer and reader stand side by side, so that what training teaches is what the robot understands. A trace that
does not read exactly so is never acted on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vla_ros.types import Decision, Verdict

THINK, END_THINK, ANSWER, END_ANSWER = '<think>', '</think>', '<answer>', '</answer>'
UNKNOWN_ORDER = 'unknown'
CANNOT = 'i do not know how to do that'

_LOCATION = re.compile(r'<loc_([0-9]{1,9})>')  # not \d, which is any script's digits, nor without an end
_ANSWER = re.compile(
    r'^<think>(?P<thinking>[^<]*(?:<loc_[0-9]{1,9}>[^<]*)*)</think>\s*<answer>\s*(?P<verdict>go|refuse):\s*'
    r'(?P<words>[a-z][a-z ]*?)\s*(?:<loc_(?P<column>[0-9]{1,9})>\s*<loc_(?P<row>[0-9]{1,9})>\s*)?</answer>\s*$'
)


@dataclass(frozen=True)
class Sighting:
    """An object in the image: its name and its centre, (x, y) in 0..1 from the top left."""

    name: str
    x: float
    y: float


def location(x: float, y: float, bins: int) -> str:
    """The two location tokens of a point, (x, y) in 0..1; points outside go to the nearest edge."""
    return ''.join(f'<loc_{min(max(int(value * bins), 0), bins - 1):03d}>' for value in (x, y))


def location_tokens(bins: int) -> list[str]:
    """All location tokens, in order."""
    return [f'<loc_{i:03d}>' for i in range(bins)]


def write(sightings: Sequence[Sighting], action: str | None, wanted: str | None, bins: int) -> str:
    """The trace that is true of a scene; objects by name, so that the list stays the same while things move.

    Args:
        sightings: what the camera sees.
        action: the verb of the order ('touch'); None when the order is none that the arm knows.
        wanted: the object of the order, whether it is there or not.
        bins: location bins along each side of the image.
    """
    ordered = sorted(sightings, key=lambda s: s.name)
    scene = '; '.join(f'{s.name}{location(s.x, s.y, bins)}' for s in ordered) or 'nothing'
    order = UNKNOWN_ORDER if action is None else f'{action} {wanted}'
    start = f'{THINK} i see {scene}. asked: {order}.'
    if action is None:
        return f'{start}{END_THINK}{ANSWER} refuse: {CANNOT}{END_ANSWER}'
    found = next((s for s in ordered if s.name == wanted), None)
    if found is None:
        return f'{start} it is not there.{END_THINK}{ANSWER} refuse: there is no {wanted}{END_ANSWER}'
    where = location(found.x, found.y, bins)
    return f'{start} it is at{where}.{END_THINK}{ANSWER} go: {action} {wanted}{where}{END_ANSWER}'


def read(trace: str, instruction: str, bins: int, camera: str) -> Decision:
    """The decision a trace comes to; UNSURE, and so hold still, unless the trace is well formed."""
    match = _ANSWER.match(trace.strip())
    if match is None:
        return Decision(Verdict.UNSURE, 'the chain of thought is not well formed', instruction, trace)
    words = match['words'].strip()
    if match['verdict'] == 'refuse':
        return Decision(Verdict.REFUSED, words, instruction, trace)
    if match['column'] is None or max(int(match['column']), int(match['row'])) >= bins:
        return Decision(Verdict.UNSURE, 'the chain of thought names no place to act', instruction, trace)
    target = ((int(match['column']) + 0.5) / bins, (int(match['row']) + 0.5) / bins)
    return Decision(Verdict.GO, words, instruction, trace, target, camera)


def sightings(trace: str, bins: int) -> list[Sighting]:
    """The objects that a trace says it sees, each at the centre of its location bins."""
    seen = re.search(r'i see (.*?)\. asked:', trace)
    found = []
    for part in seen.group(1).split(';') if seen else []:
        places = _LOCATION.findall(part)
        if len(places) == 2:
            x, y = ((int(place) + 0.5) / bins for place in places)
            found.append(Sighting(part[: part.index('<')].strip(), x, y))
    return found
