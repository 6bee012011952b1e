"""Small bags for tests of the replay, and a model without weights that moves towards what it is told to."""

from __future__ import annotations

import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rclpy.serialization import serialize_message
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String

from vla_ros.action.limits import JointLimits
from vla_ros.action.planner import Planner, PlannerSettings
from vla_ros.action.shape import ShapeSettings
from vla_ros.evaluation.replay.model import Model
from vla_ros.evaluation.replay.stream import (
    CameraFrame,
    ClockSet,
    End,
    Instruction,
    Joints,
    Message,
)
from vla_ros.manifest import CameraSpec, ChunkSpec
from vla_ros.nodes.image_messages import image_message
from vla_ros.nodes.messages import time_message
from vla_ros.perception.intake import IntakeSettings
from vla_ros.types import (
    NANOSECONDS,
    ActionChunk,
    Decision,
    JointSample,
    Thought,
    Verdict,
    VisualTokens,
)

JOINTS = ('pan', 'lift')
CAMERAS = ('front', 'wrist')
BEGAN = 1_000 * NANOSECONDS  # what the clock shows at the beginning
CHUNK = ChunkSpec(horizon=16, dt=0.05, representation='absolute', prefix=4)
GO, NO = 'touch the red cube', 'juggle'


@dataclass
class Swing:
    """A policy that moves the joints at a constant speed; it turns at the end of each second of the stamps."""

    speed: float = 0.4
    providers: tuple[str, ...] = ('CPUExecutionProvider',)

    def act(self, tokens: Any, thought: Any, joints: Any, noise: Any, prefix: Any = None) -> ActionChunk:
        sign = 1.0 if tokens.stamp // NANOSECONDS % 2 else -1.0
        steps = np.arange(1, CHUNK.horizon + 1)[:, None] * CHUNK.dt * self.speed * sign
        return ActionChunk(tokens.stamp, CHUNK.dt, joints.positions + steps + 1e-3 * noise)

    def warm_up(self) -> None:
        pass


@dataclass
class Obedient:
    """Goes for everything but juggling."""

    thoughts: list[int] = field(default_factory=list)

    def think(self, tokens: VisualTokens, instruction: str, on_text: Any = None) -> tuple[Decision, Thought]:
        self.thoughts.append(tokens.stamp)
        verdict = Verdict.REFUSED if NO in instruction else Verdict.GO
        rows = np.ones((0 if verdict is Verdict.REFUSED else 1, 5), np.float32)
        return Decision(verdict, instruction, instruction, 'a trace'), Thought(tokens.stamp, rows)


def make_model(policy: Any = None, reasoner: Any = None, **settings: Any) -> Model:
    """A model of two cameras and two joints; ``settings`` are fields of ``Model``."""
    each = np.ones(2)
    limits = JointLimits(JOINTS, -1.5 * each, 1.5 * each, 2.0 * each, 12.0 * each, 150.0 * each)
    plan = PlannerSettings(shape=ShapeSettings(dt=CHUNK.dt))
    size = {'width': 8, 'height': 6, 'mean': [0.5] * 3, 'std': [0.5] * 3, 'tokens': 2}

    def encode(frames: Any) -> VisualTokens:
        means = [frame.image.mean() / 255 for frame in frames]
        return VisualTokens(min(f.stamp for f in frames), np.array(means, np.float32)[:, None])

    fields = {
        'name': 'swing',
        'cameras': tuple(CameraSpec(name=name, **size) for name in CAMERAS),
        'joints': JOINTS,
        'thought_width': 5,
        'encode': encode,
        'reasoner': reasoner or Obedient(),
        'make_planner': lambda: Planner(policy or Swing(), CHUNK, limits, plan),
        'intake': IntakeSettings(rate=10.0),
        'replan_rate': 5.0,
        'min_contrast': 0.0,  # pictures of one colour are easy to tell apart
    }
    return Model(**{**fields, **settings})


def stream(
    seconds: float, instruction: str = GO, image: Callable[[int], np.ndarray] | None = None
) -> list[Message]:
    """An arm at rest: cameras at 10 Hz, joints at 50 Hz, an instruction at 0.5 s; the clock begins at BEGAN."""
    picture = image or (lambda k: np.full((6, 8, 3), k % 256, np.uint8))
    messages: list[tuple[int, int, Message]] = [(-1, 0, ClockSet(0, BEGAN))]
    for k in range(round(seconds * 50)):
        at = k * 20_000_000
        messages.append((at, 1, Joints(at, JointSample(BEGAN + at, np.zeros(2), np.zeros(2)))))
    for k in range(round(seconds * 10)):
        at = k * 100_000_000
        for camera in CAMERAS:
            frame = CameraFrame(at + 5_000_000, camera, BEGAN + at, lambda k=k: picture(k))
            messages.append((at + 5_000_000, 2, frame))
    messages.append((500_000_001, 3, Instruction(500_000_001, instruction)))
    ordered = [message for _, _, message in sorted(messages, key=lambda entry: entry[:2])]
    return [*ordered, End(round(seconds * NANOSECONDS))]


def write_bag(
    folder: Path,
    messages: Iterable[tuple[str, int, Any]],
    plugin: str = 'MCAP',
) -> Path:
    """A bag of (topic, ns of the recorder's clock, message), as ``ros2 bag record`` lays it out."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    types = get_typestore(Stores.ROS2_JAZZY)
    with Writer(folder, version=9, storage_plugin=StoragePlugin[plugin]) as writer:
        connections: dict[str, Any] = {}
        for topic, received, message in messages:
            if topic not in connections:
                kind = f'{type(message).__module__.split(".")[0]}/msg/{type(message).__name__}'
                connections[topic] = writer.add_connection(topic, kind, typestore=types)
            writer.write(connections[topic], received, serialize_message(message))
    return folder


def ros_messages(
    seconds: float = 2.0,
    *,
    namespace: str = '',
    instruction: str | None = GO,
    compressed: bool = False,
    received: int = BEGAN,
    clock: bool = False,
) -> list[tuple[str, int, Any]]:
    """The same arm at rest as messages of ROS; ``received`` is what the recorder's clock showed at the beginning."""
    prefix = f'/{namespace}/' if namespace else '/'
    found: list[tuple[str, int, Any]] = []
    for message in stream(seconds):
        at = received + message.at
        if clock and not isinstance(message, End):
            found.append(('/clock', at, Clock(clock=time_message(BEGAN + message.at))))
        if isinstance(message, Joints):
            state = JointState(name=[*reversed(JOINTS), 'wheel'], position=[0.0, 0.0, 3.0])
            state.velocity = array.array('d', [0.0, 0.0, 1.0])
            state.header.stamp = time_message(message.sample.stamp)
            found.append((f'{prefix}joint_states', at, state))
        elif isinstance(message, CameraFrame):
            topic = f'{prefix}camera/{message.camera}/image_raw'
            picture: Any = image_message(message.image(), message.stamp)
            if compressed:
                topic += '/compressed'
                picture = CompressedImage(format='png', header=picture.header)
                picture.data = array.array('B', cv2.imencode('.png', message.image())[1].tobytes())
            assert isinstance(picture, (Image, CompressedImage))
            found.append((topic, at, picture))
        elif isinstance(message, Instruction) and instruction is not None:
            found.append((f'{prefix}instruction', at, String(data=instruction)))
    return found
