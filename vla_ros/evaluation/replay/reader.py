"""From serialised messages to what the model meets: decoded where it costs little, refused as the nodes refuse it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from vla_ros.action.joint_state import joint_sample
from vla_ros.evaluation.bag import decision_of, plan_of
from vla_ros.evaluation.cdr import stamp_of
from vla_ros.evaluation.replay.bag import Bag, Serialised, Topic
from vla_ros.evaluation.replay.clock import ClockSource, TimeLine, choose
from vla_ros.evaluation.replay.layout import CLOCK, COMPRESSED, Layout
from vla_ros.evaluation.replay.stream import (
    Calibrated,
    CameraFrame,
    ClockSet,
    End,
    Instruction,
    Joints,
    Message,
    RecordedDecision,
    RecordedPlan,
    Unreadable,
)
from vla_ros.perception.calibration import calibration
from vla_ros.perception.compressed import decompress
from vla_ros.perception.encodings import LAYOUTS, to_rgb8, view
from vla_ros.types import NANOSECONDS, ImageArray, VlaError

LOOKED_AT = 50  # messages by which clock and stamps are compared


class BagReader:
    """Reads one bag, as often as it is asked to, each time the same.

    Args:
        joint_names: of the model's robot.

    Raises:
        VlaError: nothing says what time it was.
    """

    def __init__(
        self, bag: Bag, layout: Layout, joint_names: tuple[str, ...], source: ClockSource = ClockSource.AUTO
    ) -> None:
        self._bag, self._layout, self._names = bag, layout, joint_names
        heard = islice(bag.read({layout.joints}), LOOKED_AT)
        self.source = choose(source, layout.clock, [(one.received, stamp_of(one.data)) for one in heard])

    def messages(self) -> Iterator[Message]:
        """Everything from the beginning to the end.

        Raises:
            VlaError: the file ends or is damaged somewhere.
        """
        line, clock = TimeLine(), self._first_clock()
        if line.advance(clock):
            yield ClockSet(line.at, clock)
        for one in self._bag.read(self._layout.topics):
            clock = self._clock(one, clock)
            if line.advance(clock):
                yield ClockSet(line.at, clock)
            message = self._message(one, line.at, clock)
            if message is not None:
                yield message
        yield End(line.at)

    def _first_clock(self) -> int:
        topics = {CLOCK} if self.source is ClockSource.CLOCK else self._layout.topics
        if self.source is ClockSource.STAMPS:
            topics = {self._layout.joints}
        first = next(self._bag.read(topics), None)
        return 0 if first is None else self._clock(first, 0)

    def _clock(self, one: Serialised, before: int) -> int:
        """What the clock shows when a message arrives that showed ``before`` until then."""
        if self.source is ClockSource.RECORDED:
            return one.received
        if self.source is ClockSource.CLOCK:
            if one.topic != CLOCK:
                return before
            tick = self._bag.topics[CLOCK].decode(one.data).clock
            return int(tick.sec) * NANOSECONDS + int(tick.nanosec)
        if one.topic == self._layout.joints or one.topic in self._layout.cameras:
            stamp = stamp_of(one.data)
            # Cameras are stamped before they are heard, so joints lead; only a jump goes back.
            return stamp if stamp > before or before - stamp > NANOSECONDS else before
        return before

    def _message(self, one: Serialised, at: int, clock: int) -> Message | None:
        layout, topic = self._layout, self._bag.topics[one.topic]
        node, reason = 'perception', 'bad_image'
        read: Callable[[Serialised, Topic, int], Message | None] = self._frame
        if one.topic in layout.calibrations:
            reason, read = 'bad_camera_info', self._calibrated
        elif one.topic == layout.joints:
            node, reason, read = 'action', 'bad_joint_states', self._joints
        elif one.topic == layout.instruction:
            node, reason, read = 'reasoning', 'bad_instruction', _instruction
        elif one.topic == layout.plans:
            node, reason, read = 'bag', 'bad_plan', partial(self._plan, clock)
        elif one.topic == layout.decisions:
            node, reason, read = 'bag', 'bad_decision', _decision
        elif one.topic not in layout.cameras:
            return None
        try:
            return read(one, topic, at)
        except (VlaError, KeyError, ValueError, IndexError) as error:
            return Unreadable(at, node, reason, str(error))

    def _frame(self, one: Serialised, topic: Topic, at: int) -> Message:
        camera, stamp = self._layout.cameras[one.topic], stamp_of(one.data)
        if topic.type_name == COMPRESSED:
            image = partial(_compressed, topic, one.data)
            return CameraFrame(at, camera, stamp, image, one.data, compressed=True)
        return CameraFrame(at, camera, stamp, partial(_raw, topic, one.data), one.data)

    def _calibrated(self, one: Serialised, topic: Topic, at: int) -> Message:
        message = topic.decode(one.data)
        roi, binning = message.roi, (message.binning_x, message.binning_y)
        model = calibration(
            (message.width, message.height),
            message.k,
            message.d,
            message.distortion_model,
            binning,
            (roi.x_offset, roi.y_offset, roi.width, roi.height),
        )
        return Calibrated(at, self._layout.calibrations[one.topic], model)

    def _joints(self, one: Serialised, topic: Topic, at: int) -> Message | None:
        message = topic.decode(one.data)
        if message.name and not set(self._names) & set(message.name):
            return None  # of another part of the robot
        sample = joint_sample(
            stamp_of(one.data), message.name, message.position, message.velocity, self._names
        )
        return Joints(at, sample)

    def _plan(self, clock: int, one: Serialised, topic: Topic, at: int) -> Message:
        return RecordedPlan(at, plan_of(topic.decode(one.data), self._names, clock / NANOSECONDS))


def _instruction(one: Serialised, topic: Topic, at: int) -> Message:
    return Instruction(at, str(topic.decode(one.data).data))


def _decision(one: Serialised, topic: Topic, at: int) -> Message:
    return RecordedDecision(at, decision_of(topic.decode(one.data)))


def _raw(topic: Topic, data: bytes) -> ImageArray:
    message: Any = topic.decode(data)
    if message.encoding not in LAYOUTS:
        raise VlaError(
            f'encoding: expected one of {sorted(LAYOUTS)} in lockstep, found {message.encoding!r}; '
            'the nodes read it through cv_bridge: replay it with --live'
        )
    pixels = view(
        message.data,
        message.height,
        message.width,
        message.step,
        message.encoding,
        bool(message.is_bigendian),
    )
    return to_rgb8(pixels, message.encoding)


def _compressed(topic: Topic, data: bytes) -> ImageArray:
    message = topic.decode(data)
    return decompress(message.data, message.format)
