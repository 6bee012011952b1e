"""What a foreign mind may answer, read strictly: the package's own trace, or a declared JSON object.

The object is the whole answer, alone or as a reasoning model writes it, ``<think>...</think><answer>{...}</answer>``::

    {"think": "a red cube lies left", "verdict": "go", "subtask": "touch red cube", "target": [0.4, 0.5]}

What does not read exactly so is no guess at what was meant: it is UNSURE, and the arm holds. What says go is written
as a trace in the form that the bundle was trained on, so that the bundle's own decoder can make thought vectors of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vla_ros.manifest import Manifest
from vla_ros.reasoning import trace
from vla_ros.reasoning.subtask import PLACES, from_words, in_words
from vla_ros.types import Decision, Situation, Subtask, Verdict, VlaError

LONGEST = 8192  # characters of an answer

Form = Literal['json', 'trace']
Coordinate = Annotated[float, Field(ge=0.0, le=1.0)]
Words = Annotated[str, Field(max_length=200)]

_WRAPPED = re.compile(r'\s*<think>[^<]*</think>\s*<answer>(?P<object>[^<]*)</answer>\s*')


class JsonAnswer(BaseModel):
    """The declared object. Places are (x, y) in 0..1 from the top left of the image; put and push have two."""

    model_config = ConfigDict(extra='forbid', frozen=True, strict=True, allow_inf_nan=False)

    think: Annotated[str, Field(max_length=LONGEST)]
    verdict: Literal['go', 'refuse', 'unsure']
    subtask: Words
    target: Annotated[list[Coordinate], Field(min_length=2, max_length=2)] | None = None
    second_target: Annotated[list[Coordinate], Field(min_length=2, max_length=2)] | None = None
    holding: Words | None = None


@dataclass(frozen=True)
class Answer:
    """What an answer comes to.

    Attributes:
        decision: its ``trace`` is what the mind wrote.
        written: the trace for the bundle's own decoder; '' unless the verdict is go.
        instruction: the words that ``written`` answers.
    """

    decision: Decision
    written: str = ''
    instruction: str = ''


def trained_tasks(manifest: Manifest) -> tuple[str, ...]:
    """The kinds of subtasks that a bundle's body was trained for, as its provenance says.

    Raises:
        VlaError: it does not say, so nobody can know what another mind may ask of it.
    """
    tasks = manifest.provenance.get('tasks')
    known = tuple(kind for kind in PLACES if isinstance(tasks, list) and kind in tasks)
    if manifest.reasoning.hand is None:
        known = tuple(kind for kind in known if kind == 'touch')  # all that the older form of a trace can say
    if not known:
        raise VlaError(
            f'provenance.tasks of bundle {manifest.name!r}: expected some of {list(PLACES)}, found {tasks!r:.80}; '
            'without them no other mind can drive it'
        )
    return known


def read_answer(
    text: str, form: Form, instruction: str, manifest: Manifest, situation: Situation | None = None
) -> Answer:
    """The decision that an answer comes to; UNSURE unless it is well formed, REFUSED for what the body never learnt."""
    if len(text) > LONGEST:
        return _unsure(f'the answer is longer than {LONGEST} characters', instruction, text[:LONGEST])
    if form == 'trace':
        spec = manifest.reasoning
        decision = trace.read(text, instruction, spec.location_bins, spec.location_camera)
        return _learnt(Answer(decision, text.strip(), instruction), manifest)
    try:
        answer = JsonAnswer.model_validate(_object(text))
    except (ValueError, RecursionError) as error:
        return _unsure(f'the answer is not in the declared form: {_problem(error)}', instruction, text)
    return _decided(answer, text, instruction, manifest, situation)


def _decided(
    answer: JsonAnswer, text: str, instruction: str, manifest: Manifest, situation: Situation | None
) -> Answer:
    words = ' '.join(answer.subtask.split())
    if answer.verdict == 'refuse':
        return Answer(Decision(Verdict.REFUSED, words, instruction, text))
    if answer.verdict == 'unsure':
        return _unsure(words, instruction, text)
    subtask = from_words(answer.subtask)
    if subtask is None:
        return _unsure('the answer names nothing that the arm can do', instruction, text)
    places = [place for place in (answer.target, answer.second_target) if place is not None]
    if len(places) != PLACES[subtask.kind] or (places and answer.target is None):
        sentence = f'expected {PLACES[subtask.kind]} places to {subtask.kind}, found {len(places)}'
        return _unsure(sentence, instruction, text)
    if answer.holding and not re.fullmatch('[a-z]+(?: [a-z]+)*', answer.holding):
        return _unsure('holding: expected the name of an object', instruction, text)
    spec = manifest.reasoning
    hand = 'closed' if situation is not None and situation.hand == 'closed' else 'open'
    hand = f'holding {answer.holding}' if answer.holding else hand
    if spec.hand is None:
        if subtask.kind != 'touch':
            return _untrained(subtask.kind, instruction, text, manifest)
        written = trace.write_touch(subtask.object, (places[0][0], places[0][1]), spec.location_bins)
    else:
        written = _trace_of(subtask, places, hand, spec.location_bins)
    decision = trace.read(written, instruction, spec.location_bins, spec.location_camera)
    return _learnt(Answer(replace(decision, trace=text), written, in_words(subtask)), manifest)


def _trace_of(subtask: Subtask, places: Sequence[Sequence[float]], hand: str, bins: int) -> str:
    """The trace of a scene in which there is nothing but what the subtask is about."""
    names = [subtask.object, subtask.target] if subtask.kind == 'put' else [subtask.object]
    seen = [trace.Sighting(name, place[0], place[1]) for name, place in zip(names, places)]
    goal = (places[1][0], places[1][1]) if subtask.kind == 'push' else None
    return trace.write(seen, trace.Request((subtask,)), bins, trace.Circumstance(hand, 0, goal))


def _learnt(answer: Answer, manifest: Manifest) -> Answer:
    """The answer, unless it is to do what the bundle's body was never taught, or in a form that it cannot read."""
    decision = answer.decision
    if decision.verdict is not Verdict.GO:
        return Answer(decision)
    assert decision.doing is not None  # or trace.read would not have said go
    if decision.doing.kind not in trained_tasks(manifest):
        return _untrained(decision.doing.kind, decision.instruction, decision.trace, manifest)
    if (manifest.reasoning.hand is not None) != (' hand: ' in answer.written):
        sentence = 'the chain of thought is in a form that the bundle was not trained on'
        return _unsure(sentence, decision.instruction, decision.trace)
    return answer


def _untrained(kind: str, instruction: str, text: str, manifest: Manifest) -> Answer:
    sentence = f'bundle {manifest.name!r} was not trained to {kind}'
    return Answer(Decision(Verdict.REFUSED, sentence, instruction, text))


def _unsure(sentence: str, instruction: str, text: str) -> Answer:
    return Answer(Decision(Verdict.UNSURE, sentence, instruction, text))


def _object(text: str) -> Any:
    """The JSON object of an answer; ValueError for anything else and for doubled keys."""
    wrapped = _WRAPPED.fullmatch(text)
    return json.loads(wrapped['object'] if wrapped else text, object_pairs_hook=_each_once)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError('a key stands in it twice')
    return found


def _problem(error: Exception) -> str:
    """What is wrong, without what was written."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_url=False)[0]
        key = '.'.join(str(part) for part in first['loc'][:2])
        return f'{key[:40]}: {first["msg"]}' if key else str(first['msg'])
    if isinstance(error, json.JSONDecodeError):
        return f'no JSON ({error.msg} at character {error.pos})'
    return str(error)[:120]
