"""Faults put into a bag while it is read: what cameras, joints, clocks and System 2 do when they fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from vla_ros.evaluation.replay.stream import CameraFrame, ClockSet, End, Joints, Message, Thinking
from vla_ros.types import NANOSECONDS, ImageArray, VlaError

STALE_BY = 1.0
"""Seconds by which the stamps of a stale camera are older."""
DARKNESS = 3
"""Levels of 255 that a sensor behind a covered lens stays below."""


@dataclass(frozen=True)
class Fault:
    """A fault that ``begins`` so many seconds after the beginning of the replay and lasts ``seconds``."""

    kind: str
    begins: float
    seconds: float

    @property
    def ends(self) -> float:
        """When it is over, seconds."""
        return self.begins + self.seconds

    def covers(self, message: Message) -> bool:
        """Whether a message arrives while it lasts."""
        return self.begins * NANOSECONDS <= message.at < self.ends * NANOSECONDS


def inject(messages: Iterable[Message], fault: Fault) -> Iterator[Message]:
    """The same messages with a fault among them. Pure: nothing but the messages changes."""
    return KINDS[fault.kind](messages, fault)


def camera_gap(messages: Iterable[Message], fault: Fault) -> Iterator[Message]:
    """No camera sends anything."""
    return (m for m in messages if not (isinstance(m, CameraFrame) and fault.covers(m)))


def stale_camera(messages: Iterable[Message], fault: Fault) -> Iterator[Message]:
    """All frames arrive a second after they were taken."""
    for message in messages:
        if isinstance(message, CameraFrame) and fault.covers(message):
            message = replace(message, stamp=message.stamp - round(STALE_BY * NANOSECONDS))
        yield message


def frozen_camera(messages: Iterable[Message], fault: Fault) -> Iterator[Message]:
    """Every camera sends its last picture again and again, with the stamps of the present."""
    last: dict[str, CameraFrame] = {}
    for message in messages:
        if isinstance(message, CameraFrame):
            kept = last.get(message.camera)
            if kept is not None and fault.covers(message):
                message = replace(message, image=kept.image, data=kept.data)
            else:
                last[message.camera] = message
        yield message


def black_camera(messages: Iterable[Message], fault: Fault) -> Iterator[Message]:
    """All lenses are covered: nothing but the noise of the sensors."""
    for message in messages:
        if isinstance(message, CameraFrame) and fault.covers(message):
            message = replace(message, image=_dark(message), data=b'')
        yield message


def _dark(frame: CameraFrame) -> Callable[[], ImageArray]:
    noise = np.random.default_rng(frame.at)
    return lambda: noise.integers(0, DARKNESS, frame.image().shape, np.uint8)


def joints_gap(messages: Iterable[Message], fault: Fault) -> Iterator[Message]:
    """No joint states come."""
    return (m for m in messages if not (isinstance(m, Joints) and fault.covers(m)))


def frozen_joints(messages: Iterable[Message], fault: Fault) -> Iterator[Message]:
    """The driver hangs and sends its last joint state again and again, stamp included."""
    last: Joints | None = None
    for message in messages:
        if isinstance(message, Joints):
            if last is not None and fault.covers(message):
                message = replace(message, sample=last.sample)
            else:
                last = message
        yield message


def thought_gap(messages: Iterable[Message], fault: Fault) -> Iterator[Message]:
    """System 2 hangs: nothing of what it thinks is heard."""
    changes = [
        Thinking(round(fault.begins * NANOSECONDS), False),
        Thinking(round(fault.ends * NANOSECONDS), True),
    ]
    for message in messages:
        while changes and changes[0].at <= message.at:
            yield changes.pop(0)
        yield message


def clock_back(messages: Iterable[Message], fault: Fault) -> Iterator[Message]:
    """The clock jumps back by ``seconds``, and with it all stamps from then on."""
    back, offset, jumped = round(fault.seconds * NANOSECONDS), 0, False
    for message in messages:
        if not jumped and message.at >= fault.begins * NANOSECONDS and not isinstance(message, End):
            jumped = True
            yield ClockSet(message.at, message.at + offset - back)
        if isinstance(message, ClockSet):
            offset = message.clock - message.at
            message = replace(message, clock=message.clock - (back if jumped else 0))
        elif jumped and isinstance(message, CameraFrame):
            message = replace(message, stamp=message.stamp - back)
        elif jumped and isinstance(message, Joints):
            message = replace(message, sample=replace(message.sample, stamp=message.sample.stamp - back))
        yield message


KINDS: dict[str, Callable[[Iterable[Message], Fault], Iterator[Message]]] = {
    kind.__name__: kind
    for kind in (
        camera_gap,
        stale_camera,
        frozen_camera,
        black_camera,
        joints_gap,
        frozen_joints,
        thought_gap,
        clock_back,
    )
}
NOT_IN_BAGS = {'black_camera', 'thought_gap'}
"""Kinds that cannot be played to the nodes: pictures that nobody serialised, and what the nodes say to each other."""


def parse_fault(text: str) -> Fault:
    """'camera_gap@12.5+2': of that kind, from 12.5 s on, for 2 s.

    Raises:
        VlaError: another form or kind.
    """
    match = re.fullmatch(r'(\w+)@(\d+(?:\.\d+)?)\+(\d+(?:\.\d+)?)', text)
    if match is None or match[1] not in KINDS:
        raise VlaError(
            f"fault: expected 'kind@seconds+seconds' with a kind of {sorted(KINDS)}, found {text!r}"
        )
    return Fault(match[1], float(match[2]), float(match[3]))
