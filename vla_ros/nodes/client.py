"""A person's end of the graph: gives instructions, flips the switches, and waits for what happens by events."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from vla_ros.diagnostics import HARDWARE_ID, STATE_TASK, Level, Report, node_and_task
from vla_ros.nodes import qos
from vla_ros.nodes.joining import join_graph
from vla_ros.nodes.messages import nanoseconds
from vla_ros.types import NANOSECONDS, Decision, Verdict, VlaError

SERVICE_TIMEOUT = 20.0
"""Seconds for a service to appear and to answer; discovery alone takes up to 5 s on a loaded machine."""
GLANCE = 0.5
"""Seconds after which a wait looks whether the processes are still alive."""


@dataclass
class State:
    """What the graph said last. Times are of ``time.monotonic``.

    Attributes:
        trace: the chain of thought so far.
        decisions: all of them, with the time of arrival.
        scores: values of the referee's reports, with the time of arrival.
        reports: by node of the namespace, the summary and values of its state, as it told last.
        statuses: by 'node: task', the last report of all nodes in all namespaces, with the time of arrival.
        tokens: stamp in nanoseconds of the newest visual tokens.
        now: seconds of simulated time, as of the referee's last report.
    """

    trace: str = ''
    decisions: list[tuple[float, Decision]] = field(default_factory=list)
    scores: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    reports: dict[str, dict[str, str]] = field(default_factory=dict)
    statuses: dict[str, tuple[float, Report]] = field(default_factory=dict)
    tokens: int = 0
    now: float = 0.0


class Client:
    """A node with an executor thread of its own. Use it as a context manager."""

    def __init__(self, namespace: str = '') -> None:
        self.state = State()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._context = Context()
        join_graph(context=self._context)
        self._node = Node('person', namespace=namespace, context=self._context)
        self._namespace = self._node.get_namespace().strip('/')
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._instruction = self._node.create_publisher(String, 'instruction', qos.LATCHED)
        listen = self._node.create_subscription
        listen(String, 'reasoning/trace', self._on_trace, qos.TRACE)
        listen(DiagnosticArray, 'reasoning/decision', self._on_decision, qos.LATCHED)
        listen(DiagnosticArray, 'simulator/score', self._on_score, qos.SCORE)
        listen(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.DIAGNOSTICS)
        listen(Image, 'perception/tokens', self._on_tokens, qos.STREAM_IN)
        self._services: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._spin, name='client')
        self._thread.start()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the graph. The thread ends first: it must not wait on a context that is gone."""
        self._stopping.set()
        self._executor.wake()
        self._thread.join()
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def hear(self, kind: Any, topic: str, take: Callable[[Any], None], profile: QoSProfile) -> None:
        """Hear another topic: ``take`` is handed each message, and then those who wait are woken."""

        def heard(message: Any) -> None:
            with self._changed:
                take(message)
                self._changed.notify_all()

        self._node.create_subscription(kind, topic, heard, profile)

    def instruct(self, words: str) -> float:
        """Give an instruction; '' means stop. Returns when."""
        with self._changed:
            self.state.trace = ''
        self._instruction.publish(String(data=words))
        return time.monotonic()

    def forget(self) -> None:
        """Forget decisions and scores: only what comes from now on counts."""
        with self._changed:
            self.state.decisions.clear()
            self.state.scores.clear()

    def forget_report(self, node: str) -> None:
        """Forget what a node said of itself, before another one of that name is started."""
        with self._changed:
            self.state.reports.pop(node, None)

    def enable(self, on: bool = True) -> None:
        """Let the arm move, or not; VlaError if the action node declines."""
        self._call(SetBool, 'action/enable', SetBool.Request(data=on))

    def trigger(self, service: str) -> str:
        """Call a Trigger service; returns what it says, VlaError if it declines."""
        return str(self._call(Trigger, service, Trigger.Request()).message)

    def set_parameters(self, node: str, values: Mapping[str, bool | int | float | str]) -> None:
        """Set parameters of a node; VlaError with the reason if one is declined."""
        client = self._service(SetParameters, f'{node}/set_parameters')
        parameters = [Parameter(name, value=value) for name, value in values.items()]
        request = SetParameters.Request(parameters=[each.to_parameter_msg() for each in parameters])
        response = self._result(client.call_async(request), f'{node}: set_parameters')
        for parameter, result in zip(parameters, response.results):
            if not result.successful:
                raise VlaError(f'{node}: parameter {parameter.name!r} was declined: {result.reason}')

    def wait_active(self, nodes: Sequence[str], timeout: float, check: Callable[[], None]) -> None:
        """Wait until lifecycle nodes report that they are active.

        Args:
            check: called now and then; raises if a process has died.

        Raises:
            VlaError: a node could not start, with its own sentence, or time is up.
        """

        def all_active() -> bool:
            for node in nodes:
                summary = self.state.reports.get(node, {}).get('summary', '')
                if summary.startswith('could not'):
                    raise VlaError(f'{node} {summary}')
            return all(self.state.reports.get(node, {}).get('lifecycle') == 'active' for node in nodes)

        self.require(all_active, timeout, f'{", ".join(nodes)} did not all get active', check)

    def is_heard(self) -> bool:
        """Whether somebody listens to instructions."""
        return int(self._instruction.get_subscription_count()) > 0

    def wait_subscribed(self, topic: str, count: int, timeout: float, check: Callable[[], None]) -> None:
        """Wait until ``count`` subscriptions hear a topic."""
        name = self._node.resolve_topic_name(topic)

        def heard() -> bool:
            return int(self._node.count_subscribers(name)) >= count

        self.require(heard, timeout, f'{name} did not get its {count} subscriptions', check)

    def require(
        self,
        happened: Callable[[], bool],
        timeout: float,
        otherwise: str,
        check: Callable[[], None] | None = None,
    ) -> None:
        """As ``wait``, but raise VlaError with the sentence ``otherwise`` when time is up."""
        if not self.wait(happened, timeout, check):
            raise VlaError(f'{otherwise} within {timeout:g} s')

    def wait(
        self, happened: Callable[[], bool], timeout: float, check: Callable[[], None] | None = None
    ) -> bool:
        """Wait until something that messages bring about has happened; false when time is up.

        Args:
            happened: asked again after each message.
            check: called after each message and now and then; may raise.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                if happened():
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, GLANCE))
            if check is not None:
                check()

    def _call(self, kind: Any, service: str, request: Any) -> Any:
        response = self._result(self._service(kind, service).call_async(request), service)
        if not response.success:
            raise VlaError(f'{service} was declined: {response.message}')
        return response

    def _service(self, kind: Any, name: str) -> Any:
        """The client of a service, kept for the next time: discovery takes up to seconds."""
        if name not in self._services:
            self._services[name] = self._node.create_client(kind, name)
        if not self._services[name].wait_for_service(SERVICE_TIMEOUT):
            raise VlaError(f'{name}: the service did not appear within {SERVICE_TIMEOUT:g} s')
        return self._services[name]

    def _result(self, future: Any, what: str) -> Any:
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        if not done.wait(SERVICE_TIMEOUT):
            raise VlaError(f'{what} did not answer within {SERVICE_TIMEOUT:g} s')
        return future.result()

    def _spin(self) -> None:
        while self._context.ok() and not self._stopping.is_set():
            try:
                self._executor.spin_once(timeout_sec=0.2)
            except ExternalShutdownException:
                return

    def _on_trace(self, message: String) -> None:
        with self._changed:
            self.state.trace = message.data
            self._changed.notify_all()

    def _on_decision(self, message: DiagnosticArray) -> None:
        status = message.status[0]
        told = values_of(status)
        decision = Decision(
            Verdict(told['verdict']), status.message, told.get('instruction', ''), told.get('trace', '')
        )
        with self._changed:
            self.state.decisions.append((time.monotonic(), decision))
            self._changed.notify_all()

    def _on_score(self, message: DiagnosticArray) -> None:
        with self._changed:
            self.state.now = nanoseconds(message.header.stamp) / NANOSECONDS
            self.state.scores.append((time.monotonic(), values_of(message.status[0])))
            self._changed.notify_all()

    def _on_tokens(self, message: Image) -> None:
        with self._changed:
            self.state.tokens = nanoseconds(message.header.stamp)
            self._changed.notify_all()

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        with self._changed:
            for status in message.status:
                if status.hardware_id != HARDWARE_ID:
                    continue
                values = values_of(status)
                report = Report(Level(status.level[0]), status.message, values)
                self.state.statuses[status.name] = (time.monotonic(), report)
                node, task = node_and_task(status.name)
                namespace, _, name = node.rpartition('/')
                if task == STATE_TASK and namespace == self._namespace:
                    self.state.reports[name] = {'summary': status.message, **values}
            self._changed.notify_all()


def values_of(status: DiagnosticStatus) -> dict[str, str]:
    """Key and value of a status."""
    return {pair.key: pair.value for pair in status.values}
