"""A bag as the model meets it: messages in the order of their arrival, on a time line that only goes on.

The line begins at 0. What the clock of the nodes shows is told by ``ClockSet``; it goes on with the line until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from vla_ros.types import NANOSECONDS, CameraModel, Decision, ImageArray, JointSample, JointTrajectory


@dataclass(frozen=True)
class Message:
    """Something that arrives ``at`` so many nanoseconds after the beginning."""

    at: int


@dataclass(frozen=True)
class ClockSet(Message):
    """The clock of the nodes shows ``clock`` (ns) now: at the beginning, and wherever it jumped."""

    clock: int


@dataclass(frozen=True)
class CameraFrame(Message):
    """An image that nobody has decoded yet.

    Attributes:
        stamp: nanoseconds, of the header.
        image: decodes it, (H, W, 3) rgb8; VlaError if it cannot be read.
        data: the whole message as it was serialised.
        compressed: whether it is a CompressedImage instead of an Image.
    """

    camera: str
    stamp: int
    image: Callable[[], ImageArray]
    data: bytes = b''
    compressed: bool = False


@dataclass(frozen=True)
class Calibrated(Message):
    """The calibration of a camera; None if it has none."""

    camera: str
    model: CameraModel | None


@dataclass(frozen=True)
class Joints(Message):
    """Measured joints, in the order of the model's robot."""

    sample: JointSample


@dataclass(frozen=True)
class Instruction(Message):
    """The words of a person; empty means stop."""

    words: str


@dataclass(frozen=True)
class Thinking(Message):
    """Whether what System 2 thinks is heard from now on."""

    heard: bool


@dataclass(frozen=True)
class Unreadable(Message):
    """A message that a node of that name refuses, for a reason that it counts."""

    node: str
    reason: str
    sentence: str


@dataclass(frozen=True)
class RecordedPlan(Message):
    """What was sent to the controller when the bag was recorded."""

    plan: JointTrajectory


@dataclass(frozen=True)
class RecordedDecision(Message):
    """What was decided when the bag was recorded."""

    decision: Decision


@dataclass(frozen=True)
class End(Message):
    """The last message was a moment ago."""


AnyMessage = TypeVar('AnyMessage', bound=Message)


def later(message: AnyMessage, nanoseconds: int) -> AnyMessage:
    """The same message, arriving so much later."""
    return replace(message, at=message.at + nanoseconds)


def part(messages: Iterable[Message], start: float, duration: float | None) -> Iterator[Message]:
    """The messages from ``start`` seconds on, for ``duration`` seconds, with the time line beginning anew.

    What was said before and still holds comes first: clock, calibrations and the instruction.
    """
    begins = round(start * NANOSECONDS)
    ends = None if duration is None else begins + round(duration * NANOSECONDS)
    if begins == 0 and ends is None:
        yield from messages
        return
    held: dict[object, Message] = {}
    begun = False
    for message in messages:
        over = ends is not None and message.at >= ends
        if message.at < begins and not isinstance(message, End):
            if isinstance(message, ClockSet):
                held[ClockSet] = replace(message, at=0, clock=message.clock + begins - message.at)
            elif isinstance(message, (Instruction, RecordedDecision)):
                held[type(message)] = replace(message, at=0)
            elif isinstance(message, Calibrated):
                held[Calibrated, message.camera] = replace(message, at=0)
            continue
        if not begun:
            begun = True
            clock = held.pop(ClockSet, None)
            yield from ([clock] if clock is not None else [])
            yield from held.values()
        if over or isinstance(message, End):
            yield End(max(0, (ends if over and ends is not None else message.at) - begins))
            return
        yield later(message, -begins)


def looped(make: Callable[[], Iterable[Message]], times: int) -> Iterator[Message]:
    """The same messages several times in a row: at each new beginning the clock jumps back, as in a looped playback."""
    offset = 0
    for lap in range(times):
        for message in make():
            if isinstance(message, End) and lap + 1 < times:
                offset += message.at
                break
            yield later(message, offset)


def instructed(messages: Iterable[Message], words: str) -> Iterator[Message]:
    """The same messages with one instruction, at the beginning, in the place of all that there are."""
    waiting = True
    for message in messages:
        if isinstance(message, Instruction):
            continue
        if waiting and not isinstance(message, ClockSet):
            yield Instruction(0, words)
            waiting = False
        yield message
