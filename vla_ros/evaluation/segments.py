"""A run cut at its instructions: what was asked, what was decided and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from vla_ros.evaluation.recording import Recording
from vla_ros.types import Decision, Verdict


class Ending(Enum):
    """How an instruction ended."""

    DONE = 'done'
    REFUSED = 'refused'
    FAILED = 'failed'
    UNFINISHED = 'unfinished'


@dataclass(frozen=True)
class Segment:
    """One instruction, from when it was given to the next one or the end.

    Attributes:
        number, total: 1 of 4.
        begins, ends: seconds.
        ended: when the outcome was known; ``ends`` if it never was.
        ending: what the referee or the refusal says.
        decision: the last one made for it.
    """

    number: int
    total: int
    instruction: str
    begins: float
    ends: float
    ended: float
    ending: Ending
    decision: Decision | None


def segments(recording: Recording) -> list[Segment]:
    """One segment for each instruction that is not empty."""
    given = list(recording.instructions)
    bounds = [*(time for time, _ in given), recording.ends + 1e-6][1:]
    spoken = [(time, end, words) for (time, words), end in zip(given, bounds, strict=True) if words.strip()]
    return [
        _segment(recording, number, len(spoken), words, begin, end)
        for number, (begin, end, words) in enumerate(spoken, start=1)
    ]


def _segment(recording: Recording, number: int, total: int, words: str, begin: float, end: float) -> Segment:
    decisions = [
        (time, decision)
        for time, decision in recording.decisions.between(begin, end)
        if decision.instruction == words
    ]
    ended, ending = end, Ending.UNFINISHED
    for time, score in recording.scores.between(begin, end):
        if score.get('success') == 'true':
            ended, ending = time, Ending.DONE
            break
        if score.get('failure'):
            ended, ending = time, Ending.FAILED
            break
    refusals = [time for time, decision in decisions if decision.verdict is Verdict.REFUSED]
    if ending is not Ending.DONE and refusals:
        ended, ending = refusals[0], Ending.REFUSED
    return Segment(number, total, words, begin, end, ended, ending, decisions[-1][1] if decisions else None)
