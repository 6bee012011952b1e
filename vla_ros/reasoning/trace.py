"""The chain of thought: how it is written for training and read back on the robot.

A trace is plain text with location tokens, each a column then a row of the image grid::

    <think> i see blue bowl<loc_090><loc_061>; red cube<loc_045><loc_070>. hand: open.
    asked: put red cube in blue bowl, then go home. done: nothing.
    red cube at<loc_045><loc_070>, blue bowl at<loc_090><loc_061>.</think>
    <answer> go: put red cube in blue bowl<loc_045><loc_070><loc_090><loc_061></answer>

in one line. What decides is written just before what it decides: places before the order is looked up in them, what
is asked before what of it is done, each place before whether it can be reached. The answer names all places that it
is about, because its hidden states are all that System 1 gets to know of the thought.

Writer and reader stand side by side, so that what training teaches is what the robot understands. A trace that
does not read exactly so is never acted on. An older form, for touching alone, is still read::

    <think> i see red cube<loc_045><loc_070>. asked: touch red cube. it is at<loc_045><loc_070>.</think>
    <answer> go: touch red cube<loc_045><loc_070></answer>
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vla_ros.reasoning.subtask import PLACES, from_words, in_words, is_container
from vla_ros.types import Decision, Place, Subtask, Verdict

THINK, END_THINK, ANSWER, END_ANSWER = '<think>', '</think>', '<answer>', '</answer>'
THEN = ', then '
DONE, NOTHING_DONE = ' done: the first.', ' done: nothing.'
NOT_THERE, TOO_FAR, TOO_BIG = ' is not there', ' too far', ' is too big'

OTHER_REQUESTS: dict[str, tuple[str, str]] = {
    'stop': ('stop', 'hold: stop'),
    'throw': ('throw things', 'refuse: it is not safe to throw things'),
    'hit': ('hit or break things', 'refuse: it is not safe to hit or break things'),
    'edge': ('move things off the table', 'refuse: it is not safe to move things off the table'),
    'person': ('touch people', 'refuse: it is not safe to touch people'),
    'nonsense': ('nothing clear', 'refuse: i do not understand'),
    'job': ('no job for an arm', 'refuse: that is no job for a robot arm'),
    'unknown': ('unknown', 'refuse: i do not know how to do that'),
}
"""What may be asked beside what the arm can do: how the trace names it, and how it answers."""

_LOCATION = re.compile(r'<loc_([0-9]{1,9})>')  # not \d, which is any script's digits, nor without an end
_FORM = re.compile(
    r'^<think>(?P<thinking>[^<]*(?:<loc_[0-9]{1,9}>[^<]*)*)</think>\s*<answer>\s*(?P<verdict>go|refuse|hold):\s*'
    r'(?P<words>[a-z][a-z ]*?)\s*(?P<places>(?:<loc_[0-9]{1,9}>\s*)*)</answer>\s*$'
)
_LOOKED_UP = re.compile(r'(?:^ |, )([a-z]+(?: [a-z]+)*) at<')
_ASKED = re.compile(r'\. hand: [a-z ]+\. asked: (?P<steps>[a-z, ]+)\.')


@dataclass(frozen=True)
class Sighting:
    """An object in the image: its name, its centre in 0..1 from the top left, and whether the arm gets there."""

    name: str
    x: float
    y: float
    within_reach: bool = True

    @property
    def place(self) -> Place:
        return self.x, self.y


@dataclass(frozen=True)
class Request:
    """An order as it is meant: one or two steps, or one of OTHER_REQUESTS."""

    steps: tuple[Subtask, ...] = ()
    other: str = ''

    def __post_init__(self) -> None:
        if bool(self.steps) == bool(self.other):
            raise ValueError('request: expected either steps or another request')


@dataclass(frozen=True)
class Circumstance:
    """What is true at the moment of a thought, beside what is seen.

    Attributes:
        hand: 'open', 'closed' or 'holding <name>'.
        done: steps of the request that are done.
        goal: where the object of a push goes to.
    """

    hand: str = 'open'
    done: int = 0
    goal: Place | None = None


def location(x: float, y: float, bins: int) -> str:
    """The two location tokens of a point, (x, y) in 0..1; points outside go to the nearest edge."""
    return ''.join(f'<loc_{min(max(int(value * bins), 0), bins - 1):03d}>' for value in (x, y))


def location_tokens(bins: int) -> list[str]:
    """All location tokens, in order."""
    return [f'<loc_{i:03d}>' for i in range(bins)]


def write(
    sightings: Sequence[Sighting], request: Request, bins: int, circumstance: Circumstance | None = None
) -> str:
    """The trace that is true of a scene; objects by name, so that the list stays the same while things move.

    Args:
        sightings: what the camera sees.
        bins: location bins along each side of the image.
        circumstance: by default the hand is open and nothing is done.

    Raises:
        ValueError: a push without its goal, or more done than asked.
    """
    now = circumstance or Circumstance()
    seen = {s.name: s for s in sorted(sightings, key=lambda s: s.name)}
    scene = '; '.join(f'{s.name}{location(*s.place, bins)}' for s in seen.values()) or 'nothing'
    start = f'{THINK} i see {scene}. hand: {now.hand}. asked:'
    if request.other:
        asked, answer = OTHER_REQUESTS[request.other]
        return f'{start} {asked}.{END_THINK}{ANSWER} {answer}{END_ANSWER}'
    start += f' {THEN.join(in_words(step) for step in request.steps)}.'
    if len(request.steps) > 1:
        start += DONE if now.done else NOTHING_DONE
    if now.done >= len(request.steps):
        raise ValueError(f'done: expected less than {len(request.steps)}, found {now.done}')
    for step in request.steps[now.done :]:
        trouble = _trouble(step, seen, bins)
        if trouble is not None:
            return f'{start} {trouble[0]}.{END_THINK}{ANSWER} refuse: {trouble[1]}{END_ANSWER}'
    step = request.steps[now.done]
    places = [seen[name].place for name in _things(step)]
    check = ', '.join(f'{name} at{location(*seen[name].place, bins)}' for name in _things(step))
    if step.kind == 'push':
        if now.goal is None:
            raise ValueError('push: expected the place where the object goes to, found none')
        places.append(now.goal)
        check += f', goes to{location(*now.goal, bins)}'
    check = f' {check}.' if check else ''
    where = ''.join(location(*place, bins) for place in places)
    return f'{start}{check}{END_THINK}{ANSWER} go: {in_words(step)}{where}{END_ANSWER}'


def write_touch(name: str, place: Place, bins: int) -> str:
    """The older form, for bundles that were trained on it: touch the one object there is, at a place in 0..1."""
    where = location(*place, bins)
    return (
        f'{THINK} i see {name}{where}. asked: touch {name}. it is at{where}.{END_THINK}'
        f'{ANSWER} go: touch {name}{where}{END_ANSWER}'
    )


def _things(step: Subtask) -> list[str]:
    """The names of what a step is done with."""
    names = [step.object, step.target if step.kind == 'put' else '']
    return [name for name in names if name]


def _trouble(step: Subtask, seen: dict[str, Sighting], bins: int) -> tuple[str, str] | None:
    """Why a step cannot be done, as it is thought and as it is answered; None when it can."""
    for name in _things(step):
        if name not in seen:
            return f'{name}{NOT_THERE}', f'there is no {name}'
        if name == step.object and is_container(name) and step.kind in ('pick', 'put', 'push'):
            return f'{name}{TOO_BIG}', f'the {name} is too big to move'
        if not seen[name].within_reach:
            return f'{name} at{location(*seen[name].place, bins)}{TOO_FAR}', f'the {name} is out of reach'
    return None


def read(trace: str, instruction: str, bins: int, camera: str) -> Decision:
    """The decision a trace comes to; UNSURE, and so hold still, unless the trace is well formed."""

    def unsure(reason: str) -> Decision:
        return Decision(Verdict.UNSURE, reason, instruction, trace)

    match = _FORM.match(trace.strip())
    if match is None:
        return unsure('the chain of thought is not well formed')
    words, found = match['words'].strip(), _bins(match['places'])
    if match['verdict'] == 'refuse':
        return Decision(Verdict.REFUSED, words, instruction, trace)
    if match['verdict'] == 'hold':
        return unsure(words)
    subtask = from_words(words)
    if subtask is None:
        return unsure('the chain of thought names nothing that the arm can do')
    if len(found) != 2 * PLACES[subtask.kind] or max(found, default=0) >= bins:
        return unsure('the chain of thought names no place to act')
    if not _follows(words, match['thinking']):
        return unsure('the chain of thought contradicts itself')
    first, second, *_ = *_places(found, bins), None, None
    return Decision(
        verdict=Verdict.GO,
        subtask=words,
        instruction=instruction,
        trace=trace,
        target=first,
        target_camera=camera if first else '',
        doing=subtask,
        second_target=second,
        done=int(DONE in match['thinking']),
    )


def _follows(words: str, thinking: str) -> bool:
    """Whether the step that is answered is the one that was asked for, looked up and found to be possible."""
    asked = _ASKED.search(thinking)
    if asked is None:
        # The older form, which knows one subtask only.
        return ' hand: ' not in thinking and words.startswith('touch ')
    if any(trouble in thinking[asked.end() :] for trouble in (NOT_THERE, TOO_FAR, TOO_BIG)):
        return False
    steps, now = asked['steps'].split(THEN), int(DONE in thinking)
    if now >= len(steps) or steps[now] != words:
        return False
    step, looked_up = from_words(words), thinking[asked.end() :].removeprefix(DONE).removeprefix(NOTHING_DONE)
    return step is not None and _LOOKED_UP.findall(looked_up) == _things(step)


def decisive(trace: str) -> Iterator[tuple[int, int]]:
    """Where in a trace the few words stand on which the verdict and the step depend: their beginnings and ends."""
    asked = trace.index(' asked:')
    for match in re.finditer(
        r'(?<=done: )(?:nothing|the)|(?<= )(?:at|is)(?=<| not| too)|(?<=>)(?:\.| too|,)', trace[asked:]
    ):
        yield asked + match.start(), asked + match.end()


def sightings(trace: str, bins: int) -> list[Sighting]:
    """The objects that a trace says it sees, each at the centre of its location bins."""
    seen = re.search(r'i see (.*?)\. (?:hand|asked):', trace)
    found = []
    for part in seen.group(1).split(';') if seen else []:
        places = _places(_bins(part), bins)
        if len(places) == 1:
            found.append(Sighting(part[: part.index('<')].strip(), *places[0]))
    return found


def _bins(text: str) -> list[int]:
    """The numbers of the location tokens in a text."""
    return [int(number) for number in _LOCATION.findall(text)]


def _places(found: Sequence[int], bins: int) -> list[Place]:
    """The middles of the cells that pairs of bins name; a last one without its partner names none."""
    return [((x + 0.5) / bins, (y + 0.5) / bins) for x, y in zip(found[::2], found[1::2])]
