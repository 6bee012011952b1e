"""Many robots and one brain: reasoning nodes as processes, each in a namespace, that ask the same server.

Each is fed with what perception would publish: tokens and the picture they are of, of scenes that were rendered
before, with stamps of now. No arm is in it: what is measured is the way from pictures to thought.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from vla_ros import graph
from vla_ros.bundle import Bundle, load_bundle
from vla_ros.evaluation.fleet import Heard, fleet_row
from vla_ros.nodes import qos
from vla_ros.nodes.bringup import START_TIMEOUT, prepare_environment, running
from vla_ros.nodes.image_messages import image_message, matrix_message
from vla_ros.nodes.joining import join_graph
from vla_ros.nodes.joint_messages import joints_message
from vla_ros.nodes.messages import nanoseconds
from vla_ros.nodes.supervisor import Supervisor
from vla_ros.paths import config_file
from vla_ros.perception.encoder import Encoder
from vla_ros.perception.resize import resize
from vla_ros.sim.cameras import FRONT_SIZE, WRIST_SIZE, Camera
from vla_ros.sim.scene import sample_scene
from vla_ros.sim.world import World
from vla_ros.types import NANOSECONDS, FloatArray, Frame, ImageArray, JointSample, VlaError

SCENES = 4
"""Pictures that are shown in turn."""
FEED_RATE = 10.0
"""Token matrices a second for each robot, as perception publishes them."""
GLANCE = 0.2
"""Seconds from one look at the processes to the next."""
FIRST_THOUGHT = 60.0
"""Seconds within which each robot must have thought once, before the measurement begins."""
WORDS = 'touch the red cube'


@dataclass(frozen=True)
class Shown:
    """What perception would publish of a moment: tokens (rows, width), and the picture that they are of."""

    tokens: FloatArray
    picture: ImageArray


@dataclass(frozen=True)
class Load:
    """What each robot asks for: where, and how many thoughts a second at most; an answer may take ``timeout`` s."""

    url: str
    model: str
    rate: float
    timeout: float = 30.0


def pictures(bundle: Bundle, seed: int) -> list[Shown]:
    """Pictures of SCENES scenes from this seed on, as the bundle's eyes see them.

    Raises:
        VlaError: the bundle has cameras that are not in the simulator.
    """
    manifest, encoder, sizes = bundle.manifest, Encoder(bundle), {'front': FRONT_SIZE, 'wrist': WRIST_SIZE}
    strange = [camera.name for camera in manifest.cameras if camera.name not in sizes]
    if strange:
        raise VlaError(f'bundle {manifest.name!r}: expected cameras of {sorted(sizes)}, found {strange}')
    shown = []
    for scene in range(seed, seed + SCENES):
        world = World(sample_scene(scene))
        frames = []
        for camera in manifest.cameras:
            eye = Camera(world.model, camera.name, *sizes[camera.name], scene=world.scene)
            frames.append(Frame(camera.name, 0, resize(eye.render(world.data), camera)))
        seen = next(f.image for f in frames if f.camera == manifest.reasoning.location_camera)
        shown.append(Shown(encoder.encode(frames).rows, seen))
    return shown


def measure(
    robots: int,
    folder: Path,
    shown: Sequence[Shown],
    load: Load,
    seconds: float,
    logs: Path,
    steps: Sequence[int] = (),
) -> dict[str, Any]:
    """Start so many reasoning nodes, feed them, listen for ``seconds`` of the wall, and stop them: a ``fleet_row``.

    Args:
        folder: of the bundle.
        steps: what the server does, if it says (see ``fleet_row``); it grows meanwhile.

    Raises:
        VlaError: a node does not start, dies or never thinks.
    """
    prepare_environment(simulator=True, own_domain=True)
    names = [f'robot{number}' for number in range(1, robots + 1)]
    processes = [_process(name, folder, load) for name in names]
    with _running(processes, names, logs) as supervisor, Fleet(names, load_bundle(folder), shown) as fleet:
        fleet.wait_heard(START_TIMEOUT, supervisor.check)
        fleet.wait_thoughts(FIRST_THOUGHT, supervisor.check)
        before = len(steps)
        heard = fleet.listen(seconds, supervisor.check)
        return fleet_row(robots, seconds, heard, steps[before:])


def _process(name: str, folder: Path, load: Load) -> graph.Process:
    parameters: dict[str, Any] = {
        'bundle': str(folder),
        'backend': 'openai',
        'openai_url': load.url,
        'openai_model': load.model,
        'answer_timeout': load.timeout,
        'max_token_age': load.timeout,
        'rate': load.rate,
    }
    return graph.Process(
        executable='reasoning',
        nodes=('reasoning',),
        namespace=name,
        parameter_files=(config_file(graph.PARAMETERS_FILE),),
        parameters=tuple(parameters.items()),
        log_level='warn',
    )


@contextmanager
def _running(processes: Sequence[graph.Process], names: Sequence[str], logs: Path) -> Iterator[Supervisor]:
    with running((), logs) as supervisor:
        for name, process in zip(names, processes):
            supervisor.start(name, process.command())
        yield supervisor


class Fleet:
    """Feeds the reasoning nodes of some namespaces, and hears what they decide. Use it as a context manager."""

    def __init__(self, names: Sequence[str], bundle: Bundle, shown: Sequence[Shown]) -> None:
        self._manifest, self._shown = bundle.manifest, itertools.cycle(shown)
        self._heard: list[tuple[float, Heard]] = []
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._context = Context()
        join_graph(context=self._context)
        self._node = Node('fleet', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        picture = f'perception/{self._manifest.reasoning.location_camera}/image'
        say = self._node.create_publisher
        self._orders = [say(String, f'{name}/instruction', qos.LATCHED) for name in names]
        self._tokens = [say(Image, f'{name}/perception/tokens', qos.STREAM_OUT) for name in names]
        self._pictures = [say(Image, f'{name}/{picture}', qos.STREAM_OUT) for name in names]
        self._joints = [say(JointState, f'{name}/joint_states', qos.JOINT_STATES_OUT) for name in names]
        for robot, name in enumerate(names):
            take = partial(self._on_decision, robot)
            self._node.create_subscription(DiagnosticArray, f'{name}/reasoning/decision', take, qos.LATCHED)
        # Each robot has moments of its own: they are not to ask in step.
        self._turn = itertools.cycle(range(len(names)))
        self._timer = self._node.create_timer(1.0 / (FEED_RATE * len(names)), self._feed)
        self._thread = threading.Thread(target=self._spin, name='fleet')
        self._thread.start()

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._executor.wake()
        self._thread.join()
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def wait_heard(self, timeout: float, check: Callable[[], None]) -> None:
        """Wait until every robot listens to instructions, and give them; VlaError when time is up."""
        self._require(
            lambda: all(order.get_subscription_count() > 0 for order in self._orders),
            timeout,
            'a reasoning node did not get active',
            check,
        )
        for order in self._orders:
            order.publish(String(data=WORDS))

    def wait_thoughts(self, timeout: float, check: Callable[[], None]) -> None:
        """Wait until every robot has decided something; VlaError when time is up."""
        self._require(
            lambda: {each.robot for _, each in self._heard} == set(range(len(self._orders))),
            timeout,
            'a reasoning node did not decide anything',
            check,
        )

    def listen(self, seconds: float, check: Callable[[], None]) -> list[Heard]:
        """What is decided within so many seconds from now on."""
        begun = time.monotonic()
        while (left := begun + seconds - time.monotonic()) > 0:
            check()
            time.sleep(min(left, GLANCE))
        with self._changed:
            return [
                Heard(each.robot, at - begun, each.age, each.goes)
                for at, each in self._heard
                if begun <= at <= begun + seconds
            ]

    def _require(
        self, happened: Callable[[], bool], timeout: float, otherwise: str, check: Callable[[], None]
    ) -> None:
        deadline = time.monotonic() + timeout
        while True:
            check()
            with self._changed:
                if happened():
                    return
                self._changed.wait(GLANCE)
            if time.monotonic() > deadline:
                raise VlaError(f'{otherwise} within {timeout:g} s')

    def _feed(self) -> None:
        """The next robot sees the next picture."""
        robot, shown = next(self._turn), next(self._shown)
        stamp = self._node.get_clock().now().nanoseconds
        robot_spec = self._manifest.robot
        at_rest = JointSample(stamp, np.array(robot_spec.rest), np.zeros(len(robot_spec.joints)))
        self._joints[robot].publish(joints_message(robot_spec.joints, at_rest))
        self._pictures[robot].publish(image_message(shown.picture, stamp))
        self._tokens[robot].publish(matrix_message(shown.tokens, stamp, self._manifest.tag))

    def _on_decision(self, robot: int, message: DiagnosticArray) -> None:
        now = self._node.get_clock().now().nanoseconds
        age = (now - nanoseconds(message.header.stamp)) / NANOSECONDS
        goes = message.status[0].level == DiagnosticStatus.OK
        with self._changed:
            self._heard.append((time.monotonic(), Heard(robot, 0.0, age, goes)))
            self._changed.notify_all()

    def _spin(self) -> None:
        while self._context.ok() and not self._stopping.is_set():
            try:
                self._executor.spin_once(timeout_sec=0.2)
            except ExternalShutdownException:
                return
