"""What can be done to messages on their way from one node to another: each message becomes some others, or none."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image

from vla_ros.nodes.image_messages import matrix_from_message, matrix_message
from vla_ros.nodes.messages import nanoseconds, time_message
from vla_ros.types import NANOSECONDS

FRONT, WRIST = 'camera/front/image_raw', 'camera/wrist/image_raw'
CAMERAS = (FRONT, WRIST)
TOKENS, THOUGHT, JOINT_STATES, CLOCK = 'perception/tokens', 'reasoning/thought', 'joint_states', '/clock'
LATE, ONE_LATE = 0.8, 0.3  # seconds of the stamps
FRAME = 50_000_000  # ns from one frame of the simulated cameras to the next
JUMP = 0.6  # rad
STRANGER = 'another bundle'

Spoil = Callable[[Any], Iterable[Any]]


@dataclass(frozen=True)
class Spoiler:
    """``make`` gives a function with a memory of its own for each of the topics."""

    topics: tuple[str, ...]
    make: Callable[[], Spoil]


def silent() -> Spoil:
    """Nothing comes through."""
    return lambda _: ()


def doubled() -> Spoil:
    """Everything twice."""
    return lambda message: (message, message)


def repeated() -> Spoil:
    """The first message again and again, with its own stamp."""
    kept: list[Any] = []

    def spoil(message: Any) -> Iterable[Any]:
        kept.append(message) if not kept else None
        return (kept[0],)

    return spoil


def frozen() -> Spoil:
    """The first picture again and again, with the stamps of the present."""
    kept: list[Any] = []

    def spoil(message: Image) -> Iterable[Image]:
        if not kept:
            kept.append(message)
        picture = copy.copy(kept[0])
        picture.header = message.header
        return (picture,)

    return spoil


def black() -> Spoil:
    """A lens that is covered, with a little noise as sensors have."""
    noise = np.random.default_rng(0)

    def spoil(message: Image) -> Iterable[Image]:
        message.data = noise.integers(0, 3, len(message.data), np.uint8).tobytes()
        return (message,)

    return spoil


def late() -> Spoil:
    """Each message as soon as one comes that is stamped ``LATE`` seconds later."""
    waiting: list[Any] = []

    def spoil(message: Any) -> Iterable[Any]:
        waiting.append(message)
        due = stamp_of(message) - round(LATE * NANOSECONDS)
        ready = [old for old in waiting if stamp_of(old) <= due]
        del waiting[: len(ready)]
        return ready

    return spoil


def one_late() -> Spoil:
    """The first message is held back for ``ONE_LATE`` seconds; all others come in time."""
    held: list[Any] = []
    first: list[int] = []

    def spoil(message: Any) -> Iterable[Any]:
        if not first:
            first.append(stamp_of(message))
            held.append(message)
            return ()
        if held and stamp_of(message) >= first[0] + round(ONE_LATE * NANOSECONDS):
            return (message, held.pop())
        return (message,)

    return spoil


def swapped() -> Spoil:
    """Pairs, the later message first: those whose stamps are an odd number of frames wait for the next one."""
    held: list[Any] = []

    def spoil(message: Any) -> Iterable[Any]:
        if round(stamp_of(message) / FRAME) % 2:
            late = held[:]
            held[:] = [message]
            return late
        ready = (message, *held)
        held.clear()
        return ready

    return spoil


def half_missing() -> Spoil:
    """An image that has half of the data that it says."""

    def spoil(message: Image) -> Iterable[Image]:
        message.data = message.data[: len(message.data) // 2]
        return (message,)

    return spoil


def wrong_encoding() -> Spoil:
    """An image that says it has 16 bits a channel, and has 8."""

    def spoil(message: Image) -> Iterable[Image]:
        message.encoding = 'rgb16'
        return (message,)

    return spoil


def not_a_number() -> Spoil:
    """NaN where the second joint is."""

    def spoil(message: Any) -> Iterable[Any]:
        message.position[1] = math.nan
        return (message,)

    return spoil


def joint_missing() -> Spoil:
    """The last joint is left out."""

    def spoil(message: Any) -> Iterable[Any]:
        for field in ('name', 'position', 'velocity', 'effort'):
            setattr(message, field, getattr(message, field)[:-1])
        return (message,)

    return spoil


def jumping() -> Spoil:
    """Every other message has the second joint ``JUMP`` rad off."""
    count = 0

    def spoil(message: Any) -> Iterable[Any]:
        nonlocal count
        count += 1
        message.position[1] += JUMP * (count % 2)
        return (message,)

    return spoil


def shifted(seconds: float) -> Callable[[], Spoil]:
    """Stamps, or the time of a clock, that are ``seconds`` off."""

    def spoil(message: Any) -> Iterable[Any]:
        moved = time_message(max(stamp_of(message) + round(seconds * NANOSECONDS), 0))
        if isinstance(message, Clock):
            message.clock = moved
        else:
            message.header.stamp = moved
        return (message,)

    return lambda: spoil


def wider() -> Spoil:
    """A matrix with a column too many."""

    def spoil(message: Image) -> Iterable[Image]:
        rows = matrix_from_message(message)
        more = np.concatenate([rows, np.zeros((len(rows), 1), np.float32)], axis=1)
        return (matrix_message(more, nanoseconds(message.header.stamp)),)

    return spoil


def with_nan() -> Spoil:
    """A matrix with a NaN, if it has anything."""

    def spoil(message: Image) -> Iterable[Image]:
        rows = matrix_from_message(message).copy()
        rows[:1, :1] = np.nan
        return (matrix_message(rows, nanoseconds(message.header.stamp)),)

    return spoil


def strange() -> Spoil:
    """A matrix of the right shape that says it was made with another bundle."""

    def spoil(message: Image) -> Iterable[Image]:
        message.header.frame_id = STRANGER
        return (message,)

    return spoil


SPOILERS: dict[str, Spoiler] = {
    'perception_cut_off': Spoiler((*CAMERAS, TOKENS), silent),
    'cameras_silent': Spoiler(CAMERAS, silent),
    'one_camera_silent': Spoiler((WRIST,), silent),
    'camera_repeats': Spoiler(CAMERAS, repeated),
    'camera_frozen': Spoiler((FRONT,), frozen),
    'camera_black': Spoiler(CAMERAS, black),
    'camera_late': Spoiler(CAMERAS, late),
    'camera_wrong_size': Spoiler(CAMERAS, half_missing),
    'camera_wrong_encoding': Spoiler(CAMERAS, wrong_encoding),
    'camera_one_late': Spoiler(CAMERAS, one_late),
    'camera_out_of_order': Spoiler(CAMERAS, swapped),
    'camera_doubled': Spoiler(CAMERAS, doubled),
    'joints_silent': Spoiler((JOINT_STATES,), silent),
    'joints_repeat': Spoiler((JOINT_STATES,), repeated),
    'joints_nan': Spoiler((JOINT_STATES,), not_a_number),
    'joints_missing': Spoiler((JOINT_STATES,), joint_missing),
    'joints_jump': Spoiler((JOINT_STATES,), jumping),
    'joints_back_in_time': Spoiler((JOINT_STATES,), shifted(-1.0)),
    'joints_doubled': Spoiler((JOINT_STATES,), doubled),
    'clock_back': Spoiler((CLOCK,), shifted(-5.0)),
    'clock_frozen': Spoiler((CLOCK,), silent),
    'tokens_wrong_shape': Spoiler((TOKENS,), wider),
    'tokens_back_in_time': Spoiler((TOKENS,), shifted(-1.0)),
    'thoughts_silent': Spoiler((THOUGHT,), silent),
    'thoughts_wrong_shape': Spoiler((THOUGHT,), wider),
    'thoughts_of_another_bundle': Spoiler((THOUGHT,), strange),
    'thoughts_nan': Spoiler((THOUGHT,), with_nan),
    'thoughts_stale': Spoiler((THOUGHT,), shifted(-10.0)),
}


def stamp_of(message: Any) -> int:
    """Nanoseconds of the header, or of a clock."""
    return nanoseconds(message.clock if isinstance(message, Clock) else message.header.stamp)
