"""What all nodes of the package share: lifecycle, parameters, guarded callbacks and /diagnostics."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from vla_ros.diagnostics import HARDWARE_ID, STATE_TASK, TOPIC_TASK, Level, Report, status_name
from vla_ros.nodes import qos
from vla_ros.nodes.bond import Bond, Life
from vla_ros.nodes.distributions import with_departure
from vla_ros.nodes.health import Health
from vla_ros.nodes.hops import Hops
from vla_ros.nodes.messages import diagnostic_status, diagnostics_array
from vla_ros.nodes.parameters import Setting, declare
from vla_ros.types import NANOSECONDS, VlaError

AUTOSTART = Setting('autostart', True, 'Configure and activate without waiting for a lifecycle manager.')
PEER_TIMEOUT = Setting(
    'peer_timeout', 0.2, 'A peer that shows no life for this long is lost.', 0.05, 60.0, unit='s'
)
COMMON_SETTINGS = (AUTOSTART, PEER_TIMEOUT)
DIAGNOSTICS_PERIOD = 1.0  # seconds


class VlaNode(LifecycleNode):
    """A lifecycle node that never falls over bad input.

    A subclass fills in four steps, each of which may raise VlaError: ``set_up`` (load, open topics, warm up),
    ``start`` (begin to work), ``wind_down`` (stop, leave things safe) and ``tear_down`` (let go of what ``set_up``
    made; what ``listen`` and ``speak`` opened closes by itself).

    Args:
        peers: names of the nodes whose death this one wants to know of; see ``on_peer``.
    """

    def __init__(
        self, name: str, settings: Iterable[Setting], peers: Sequence[str] = (), **options: Any
    ) -> None:
        super().__init__(name, **options)
        declare(self, (*COMMON_SETTINGS, *settings))
        self.health = Health()
        self.hops = Hops(self, self.health)
        self.bond = Bond(self, peers, self.setting(PEER_TIMEOUT.name), self.on_peer)
        self.is_active = False
        self._topics: dict[Any, Callable[[Any], Any]] = {}
        # Timers on the wall: they go on when simulated time stands still.
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', qos.DIAGNOSTICS)
        self.create_timer(DIAGNOSTICS_PERIOD, self.publish_diagnostics, clock=self.steady_clock)
        if self.setting('autostart'):
            self._soon(self._start_by_itself)

    def set_up(self) -> None:
        """Load and create what the node works with."""

    def start(self) -> None:
        """Begin to work."""

    def wind_down(self) -> None:
        """Stop working, and leave things safe."""

    def tear_down(self) -> None:
        """Let go of what ``set_up`` made; must not fail when that stopped half-way."""

    def observe(self) -> None:
        """Note what /diagnostics shall show, just before it is published."""

    def on_peer(self, name: str, life: Life) -> None:
        """A peer came, left or died; in a callback, in any state of the lifecycle."""
        if life is Life.SILENT:
            self.refuse('peer_lost', f'{name} {life.value}')

    def setting(self, name: str) -> Any:
        """The present value of a parameter."""
        return self.get_parameter(name).value

    def now(self) -> int:
        """The node's clock in nanoseconds."""
        return int(self.get_clock().now().nanoseconds)

    def age(self, stamp: int) -> float:
        """Seconds from a stamp to now; infinite for the stamp zero, which says nothing."""
        return (self.now() - stamp) / NANOSECONDS if stamp else math.inf

    def note_age(self, name: str, stamp: int | None) -> None:
        """Show on /diagnostics how old the newest of something is."""
        age = 'none' if stamp is None else f'{(self.now() - stamp) / NANOSECONDS:.3f}'
        self.health.note(f'{name} age [s]', age)

    def refuse(self, reason: str, sentence: object, level: Level = Level.WARN) -> None:
        """Count bad input or a plan that was not good enough, and say so in the log now and then."""
        if self.health.refuse(reason, str(sentence), level):
            self.get_logger().warning(f'{reason}: {sentence}')

    def fail(self, error: Exception) -> None:
        """Count an error that nobody foresaw: the work at hand is dropped, the node goes on."""
        if self.health.refuse('internal_error', repr(error), Level.ERROR):
            self.get_logger().error(f'internal_error: {error!r}')

    def listen(
        self,
        message_type: Any,
        topic: str,
        callback: Callable[[Any], None],
        profile: QoSProfile,
        reason: str,
        *,
        hop: str = '',
    ) -> Subscription:
        """Subscribe while set up, hear while active; a VlaError is a refusal counted under ``reason``.

        ``hop`` is the name of the way of its messages from who sends them; not for those that latecomers hear, too.
        """

        def guarded(message: Any) -> None:
            if not self.is_active:
                return
            try:
                callback(message)
            except VlaError as error:
                self.refuse(reason, error)
            except Exception as error:
                self.fail(error)

        def timed(message: Any, sent: int) -> None:
            if self.is_active:
                self.hops.since_sent(hop, sent)
            guarded(message)

        heard = with_departure(timed) if hop else guarded
        subscription = self.create_subscription(message_type, topic, heard, profile)
        self._topics[subscription] = self.destroy_subscription
        return subscription

    def speak(self, message_type: Any, topic: str, profile: QoSProfile) -> Publisher:
        """A publisher while set up; silent unless active."""
        publisher: Publisher = self.create_lifecycle_publisher(message_type, topic, profile)
        self._topics[publisher] = self.destroy_lifecycle_publisher
        return publisher

    def let_go(self, topic: Subscription | Publisher) -> None:
        """Close what ``listen`` or ``speak`` opened, before ``tear_down`` would."""
        destroy = self._topics.pop(topic)
        destroy(topic)

    def expect(self) -> None:
        """Tell ``self.health`` what the topics are to be like, by the parameters of now; only while active."""

    def tasks(self) -> dict[str, Report]:
        """More on /diagnostics than the state of the node and of its topics: report by name of the task."""
        return {}

    def publish_diagnostics(self) -> None:
        """Tell the state of things on /diagnostics, as diagnostic_updater would: a task each, named 'node: task'."""
        self.observe()
        if self.is_active:
            self.expect()
        for name, life in self.bond.lives.items():
            self.health.note(f'peer {name}', life.value)
        report = self.health.report()
        values = {'lifecycle': self._state_machine.current_state[1], **report.values}
        tasks = {
            STATE_TASK: Report(report.level, report.summary, values),
            **{f'{stream}{TOPIC_TASK}': topic for stream, topic in self.health.topics().items()},
            **self.tasks(),
        }
        node = self.get_fully_qualified_name()
        statuses = [
            diagnostic_status(
                status_name(node, task), bytes([told.level]), told.summary, told.values, HARDWARE_ID
            )
            for task, told in tasks.items()
        ]
        self._diagnostics.publish(diagnostics_array(statuses, self.now()))

    def shut_down(self) -> threading.Event:
        """Leave things safe and let go of everything, soon, in any state; the event tells when it is done."""
        done = threading.Event()

        def finish() -> None:
            try:
                if self._state_machine.current_state[1] in ('unconfigured', 'inactive', 'active'):
                    self.trigger_shutdown()
            finally:
                done.set()

        self._soon(finish)
        return done

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run ``set_up``; on failure the node stays unconfigured, says why, and may be configured again."""
        try:
            self.set_up()
        except Exception as error:
            self._explain('configure', error)
            self._let_go()
            return TransitionCallbackReturn.FAILURE
        self.health.broken(None)
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run ``start``."""
        result = super().on_activate(state)
        try:
            self.start()
        except Exception as error:
            self._explain('activate', error)
            super().on_deactivate(state)
            return TransitionCallbackReturn.FAILURE
        self.is_active = True
        self.expect()
        self.bond.show_life()
        self.health.broken(None)
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run ``wind_down`` while publishers still speak."""
        self._wind_down()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run ``tear_down``."""
        self._let_go()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Run what of ``wind_down`` and ``tear_down`` is due."""
        self._wind_down()
        self._let_go()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured."""
        self._wind_down()
        self._let_go()
        return super().on_error(state)

    def _start_by_itself(self) -> None:
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()
        self.publish_diagnostics()  # whoever waits for the graph need not wait for the timer

    def _soon(self, step: Callable[[], None]) -> None:
        """Run a step once in a callback, as lifecycle services do: never beside them."""

        def once() -> None:
            self.destroy_timer(timer)
            step()

        timer = self.create_timer(0.001, once, clock=self.steady_clock)

    def _wind_down(self) -> None:
        if not self.is_active:
            return
        self.is_active = False
        self.health.expect_nothing()
        try:
            self.wind_down()
        except Exception as error:
            self.fail(error)
        self.bond.leave()

    def _let_go(self) -> None:
        try:
            self.tear_down()
        except Exception as error:
            self.fail(error)
        for topic in tuple(self._topics):
            self.let_go(topic)

    def _explain(self, transition: str, error: Exception) -> None:
        sentence = str(error) if isinstance(error, VlaError) else repr(error)
        self.health.broken(f'could not {transition}: {sentence}')
        self.get_logger().error(f'could not {transition}: {sentence}')
