"""Reads a bag of the package's topics into a Recording. Needs neither ROS nor message classes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.diagnostics import STATE_TASK, node_and_task
from vla_ros.evaluation.cdr import stamp_of
from vla_ros.evaluation.recording import Recording, Timeline, since_arrival
from vla_ros.types import (
    NANOSECONDS,
    Decision,
    ImageArray,
    JointTrajectory,
    Verdict,
    VlaError,
)

Event = tuple[float, Any]

# Topics of which only the times of arrival are of interest: large, and not shown.
COUNTED_ONLY = (
    'perception/',
    'reasoning/thought',
    'reasoning/image',
    'reasoning/markers',
    'visualise/',
    'camera_info',
)


# Of these, large as they are, the stamp is read as well.
STAMP_ONLY = 'perception/tokens'


def read_bag(folder: Path, namespace: str = '') -> Recording:
    """Read the bag in a folder, as ``ros2 bag`` lays it out.

    Times are those at which messages were received, in seconds: simulated ones if the bag has a /clock, else of the
    wall. Topics are named without their leading slash.

    Args:
        namespace: in which the nodes ran; '' is the root.

    Raises:
        VlaError: no MCAP file there, or one that cannot be read.
    """
    events: dict[str, list[Event]] = defaultdict(list)
    arrivals: dict[str, list[float]] = defaultdict(list)
    stamps: dict[str, list[Event]] = defaultdict(list)
    prefix = f'{namespace.strip("/")}/' if namespace.strip('/') else ''
    for name, time, message in _in_simulated_time(list(_messages(folder))):
        topic = name.removeprefix(prefix)
        arrivals[topic].append(time)
        if isinstance(message, float):
            stamps[topic].append((time, message))
        elif message is not None:
            events[topic].append((time, message))
    joint_names = _joint_names(events['joint_states'])
    return Recording(
        instructions=_line(events['instruction'], lambda m: str(m.data)),
        traces=_line(events['reasoning/trace'], lambda m: str(m.data)),
        decisions=_line(events['reasoning/decision'], decision_of),
        cameras={
            topic.split('/')[1]: _line(found, image_of)
            for topic, found in events.items()
            if topic.startswith('camera/') and topic.endswith('/image_raw')
        },
        joint_names=joint_names,
        joints=_line(events['joint_states'], lambda m: _sorted(m.position, m.name, joint_names)),
        plans=Timeline(
            tuple(time for time, _ in events['joint_trajectory']),
            tuple(plan_of(message, joint_names, time) for time, message in events['joint_trajectory']),
        ),
        scores=_line(events['simulator/score'], lambda m: _values(m.status[0])),
        diagnostics=_diagnostics(events['diagnostics']),
        arrivals={topic: Timeline(tuple(times), (None,) * len(times)) for topic, times in arrivals.items()},
        ages={
            'perception/tokens': _ages(stamps['perception/tokens']),
            'reasoning/decision': _ages(_thought_through(events['reasoning/decision'])),
        },
    )


def _messages(folder: Path) -> Iterator[tuple[str, float, Any]]:
    """Each message's topic without its leading slash, time in seconds, and content if it is wanted."""
    try:
        from mcap.exceptions import McapError
        from mcap.reader import make_reader
        from mcap_ros2.decoder import DecoderFactory
    except ImportError as error:
        raise VlaError('mcap-ros2-support is not installed; pip install mcap-ros2-support') from error
    files = sorted(folder.glob('*.mcap'))
    if not files:
        raise VlaError(
            f'{folder}: expected a folder with an .mcap file, as the demonstration and ros2 bag record it'
        )
    factory = DecoderFactory()
    decoders: dict[int, Callable[[bytes], Any] | None] = {}
    for path in files:
        try:
            with path.open('rb') as file:
                for schema, channel, message in make_reader(file).iter_messages():
                    topic = channel.topic.lstrip('/')
                    if channel.id not in decoders:
                        wanted = not any(part in topic for part in COUNTED_ONLY)
                        decoder = factory.decoder_for('cdr', schema) if wanted else None
                        decoders[channel.id] = _stamp if topic.endswith(STAMP_ONLY) else decoder
                    decode = decoders[channel.id]
                    yield topic, message.log_time / NANOSECONDS, decode(message.data) if decode else None
        except (McapError, OSError) as error:
            raise VlaError(f'{path} cannot be read: {error}') from error
        decoders.clear()  # channel numbers begin anew in each file


def _in_simulated_time(messages: list[tuple[str, float, Any]]) -> Iterator[tuple[str, float, Any]]:
    """The same messages at the times that /clock showed when they arrived; as they are if there is no /clock."""
    ticks = [
        (time, message.clock.sec + message.clock.nanosec / NANOSECONDS)
        for name, time, message in messages
        if name == 'clock'
    ]
    if not ticks:
        yield from messages
        return
    wall, simulated = np.maximum.accumulate(np.array(ticks)).T
    for name, time, message in messages:
        yield name, float(np.interp(time, wall, simulated)), message


def _stamp(serialised: bytes) -> float:
    """Seconds of the stamp of a message that begins with a header."""
    return stamp_of(serialised) / NANOSECONDS


def _ages(stamped: list[Event]) -> Timeline[float]:
    return Timeline(tuple(time for time, _ in stamped), tuple(time - stamp for time, stamp in stamped))


def _thought_through(decisions: list[Event]) -> list[Event]:
    """Times and stamps of the decisions that a chain of thought came to."""
    return [
        (time, message.header.stamp.sec + message.header.stamp.nanosec / NANOSECONDS)
        for time, message in decisions
        if _values(message.status[0]).get('trace')
    ]


def _line(found: list[Event], convert: Callable[[Any], Any]) -> Timeline[Any]:
    return Timeline(tuple(time for time, _ in found), tuple(convert(message) for _, message in found))


def image_of(message: Any) -> ImageArray:
    """An rgb8 copy (H, W, 3) of an rgb8 or bgr8 image with any row length."""
    if message.encoding not in ('rgb8', 'bgr8'):
        raise VlaError(f'camera image: expected rgb8 or bgr8, found {message.encoding!r}')
    rows = np.frombuffer(bytes(message.data), np.uint8).reshape(message.height, message.step)
    image = rows[:, : message.width * 3].reshape(message.height, message.width, 3)
    return image[..., ::-1].copy() if message.encoding == 'bgr8' else image.copy()


def _values(status: Any) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


def decision_of(message: Any) -> Decision:
    """The decision that a message of ``reasoning/decision`` tells."""
    status = message.status[0]
    told = _values(status)
    target, second = (
        (float(told[f'{name}_x']), float(told[f'{name}_y'])) if f'{name}_x' in told else None
        for name in ('target', 'second')
    )
    return Decision(
        verdict=Verdict(told['verdict']),
        subtask=status.message,
        instruction=told.get('instruction', ''),
        trace=told.get('trace', ''),
        target=target,
        target_camera=told.get('target_camera', ''),
        second_target=second,
    )


def _joint_names(found: list[Event]) -> tuple[str, ...]:
    return tuple(found[0][1].name) if found else ()


def _sorted(values: Any, names: Any, order: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values in the order of the joints; NaN for a joint that the message does not name."""
    by_name = dict(zip(names, values, strict=True))
    return np.array([by_name.get(name, np.nan) for name in order], float)


def plan_of(message: Any, order: tuple[str, ...], arrived: float) -> JointTrajectory:
    """The plan that a message of ``joint_trajectory`` is, its columns in the order of the joints.

    ``arrived`` is in seconds by the clock of its stamp, and times count from then.
    """
    names, points = message.joint_names, message.points
    times = np.array([p.time_from_start.sec + p.time_from_start.nanosec / NANOSECONDS for p in points])
    stamp = message.header.stamp.sec + message.header.stamp.nanosec / NANOSECONDS

    def rows(field: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([_sorted(getattr(point, field), names, order) for point in points]).reshape(
            -1, len(order)
        )

    return JointTrajectory(
        joint_names=order,
        times=since_arrival(times, stamp, arrived),
        positions=rows('positions'),
        velocities=rows('velocities'),
        accelerations=rows('accelerations'),
    )


def _diagnostics(found: list[Event]) -> dict[str, Timeline[dict[str, str]]]:
    by_node: dict[str, list[Event]] = defaultdict(list)
    for time, message in found:
        for status in message.status:
            node, task = node_and_task(status.name)
            if task == STATE_TASK:
                by_node[node].append((time, {'summary': status.message, **_values(status)}))
    return {name: _line(reports, lambda report: report) for name, reports in by_node.items()}
