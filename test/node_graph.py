"""A small ROS graph in one process for tests: nodes, what they say, what they are told, and waiting for events."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile

from vla_ros.bundle import write_manifest
from vla_ros.diagnostics import latency_told
from vla_ros.hops import HOPS
from vla_ros.manifest import Manifest
from vla_ros.nodes import qos
from vla_ros.nodes.executor import spinning
from vla_ros.nodes.lifecycle import VlaNode

PATIENCE = 60.0  # seconds; discovery is slow now and then, and a busy machine slower
JOINTS = ('pan', 'lift')
LIMIT = """  {name}:
    has_position_limits: true
    min_position: -1.5
    max_position: 1.5
    has_velocity_limits: true
    max_velocity: 2.0
    has_acceleration_limits: true
    max_acceleration: 12.0
    has_jerk_limits: true
    max_jerk: 150.0
"""


class Ear:
    """Hears a topic; every message is kept."""

    def __init__(self, node: Node, message_type: Any, topic: str, profile: QoSProfile) -> None:
        self.messages: list[Any] = []
        self._condition = threading.Condition()
        self._subscription = node.create_subscription(message_type, topic, self._hear, profile)

    def _hear(self, message: Any) -> None:
        with self._condition:
            self.messages.append(message)
            self._condition.notify_all()

    def wait(self, fits: Callable[[Any], bool] = lambda _: True, after: int = 0) -> Any:
        """The first message from number ``after`` on that fits, now or as soon as it comes."""

        def found() -> list[Any]:
            return [message for message in self.messages[after:] if fits(message)]

        with self._condition:
            assert self._condition.wait_for(found, PATIENCE), f'waited in vain; {len(self.messages)} messages'
            return found()[0]


class Graph:
    """Nodes of one domain, each in a thread of its own, and a node that talks with them."""

    def __init__(self, domain: int) -> None:
        self.context = Context()
        self.context.init(args=[], domain_id=domain)
        self.errors: list[Exception] = []
        self.nodes: list[Node] = []
        self._publishers: dict[str, Any] = {}
        self._spinning = ExitStack()
        self.tester = Node('tester', context=self.context)
        self._spinning.enter_context(spinning(self.tester, self.errors.append))
        self.diagnostics = self.ear(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)

    def __enter__(self) -> Graph:
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            if isinstance(node, VlaNode):
                node.shut_down().wait(PATIENCE)
        self._spinning.close()
        for node in (*self.nodes, self.tester):
            node.destroy_node()
        self.context.try_shutdown()
        assert self.errors == [], self.errors

    def add(self, make: Callable[..., Any], **parameters: Any) -> Any:
        """A node with these parameters; a lifecycle node starts by itself unless ``autostart=False``."""
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        node = make(context=self.context, parameter_overrides=overrides, use_global_arguments=False)
        self.nodes.append(node)
        self._spinning.enter_context(spinning(node, self.errors.append))
        return node

    def active(self, make: Callable[..., Any], **parameters: Any) -> Any:
        """A node that has become active."""
        node = self.add(make, **parameters)
        assert eventually(lambda: node.is_active), f'{node.get_name()}: {node.health.report()}'
        return node

    def ear(self, message_type: Any, topic: str, profile: QoSProfile) -> Ear:
        """Hear a topic from now on."""
        return Ear(self.tester, message_type, topic, profile)

    def say(self, message: Any, topic: str, profile: QoSProfile) -> None:
        """Publish as soon as somebody listens."""
        if topic not in self._publishers:
            self._publishers[topic] = self.tester.create_publisher(type(message), topic, profile)
        publisher = self._publishers[topic]
        assert eventually(lambda: publisher.get_subscription_count() > 0), f'nobody listens to {topic}'
        publisher.publish(message)

    def call(self, service_type: Any, name: str, request: Any) -> Any:
        """Call a service and wait for the answer."""
        client = self.tester.create_client(service_type, name)
        assert client.wait_for_service(PATIENCE), f'no service {name}'
        done = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: done.set())
        assert done.wait(PATIENCE), f'no answer from {name}'
        return future.result()

    def now(self) -> int:
        """The wall clock of ROS."""
        return int(self.tester.get_clock().now().nanoseconds)


def eventually(condition: Callable[[], Any]) -> bool:
    """Whether a condition that nothing announces becomes true in time."""
    poll = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if condition():
            return True
        poll.wait(0.01)
    return False


def refusals(node: VlaNode) -> dict[str, int]:
    """What a node has refused so far, by reason."""
    return node.health.refusals()


def hops_of(node: str) -> set[str]:
    """Names of the hops that a node times, but for those of a served policy."""
    return {hop.name for hop in HOPS if hop.node == node and 'pictures' not in hop.name}


def hops_told(values: Mapping[str, str], node: str) -> set[str]:
    """Names of a node's hops among the values of its status."""
    return {hop.name for hop in HOPS if hop.node == node and latency_told(values, hop.name) is not None}


def write_bundle(folder: Path, joints: Sequence[str] = JOINTS, hand: str = '') -> Path:
    """A bundle with two cameras and no files, and joint limits: enough for nodes with fake models.

    ``hand`` is the joint that its System 2 wants to know of.
    """
    statistics = {'mean': [0.0] * len(joints), 'std': [1.0] * len(joints)}
    camera = {'width': 8, 'height': 6, 'mean': [0.5] * 3, 'std': [0.5] * 3, 'tokens': 2}
    manifest = {
        'format': 1,
        'name': 'tiny',
        'licence': 'Apache-2.0',
        'cameras': [{'name': 'front', **camera}, {'name': 'wrist', **camera}],
        'tokens': {'rows': 4, 'width': 3},
        'thought': {'rows': 3, 'width': 5},
        'reasoning': {
            'cameras': ['front'],
            'layers': 1,
            'heads': 1,
            'head_width': 1,
            'max_new_tokens': 8,
            'context': 64,
            'location_bins': 16,
            'location_camera': 'front',
            'hand': {'joint': hand, 'closed': 0.0, 'open': 1.0} if hand else None,
        },
        'robot': {'name': 'tiny', 'joints': list(joints), 'units': 'rad', 'rest': [0.0] * len(joints)},
        'chunk': {'horizon': 8, 'dt': 0.05, 'representation': 'absolute', 'prefix': 0},
        'normalisation': {'method': 'mean_std', 'state': statistics, 'action': statistics},
        'flow': {'convention': 'pi0', 'steps': 4},
        'files': {'nothing': {'path': 'nothing.json', 'sha256': hashlib.sha256(b'').hexdigest()}},
        'provenance': {},
        'metrics': {},
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder, Manifest.model_validate(manifest))
    limits = ''.join(LIMIT.format(name=name) for name in joints)
    (folder / 'joint_limits.yaml').write_text(f'joint_limits:\n{limits}')
    return folder


def rows(count: int, width: int, value: float = 1.0) -> np.ndarray:
    """A matrix of one value."""
    return np.full((count, width), value, np.float32)
