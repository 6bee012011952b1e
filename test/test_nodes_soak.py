"""The restless person insists on an outcome of every order, and says what did not come."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy')

from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from vla_ros.evaluation.soak import SoakLog, soak_report
from vla_ros.evaluation.soak_acts import Act, Kind
from vla_ros.nodes import soak
from vla_ros.nodes.client import State
from vla_ros.nodes.messages import time_message
from vla_ros.nodes.soak import Clerk, HangError, Person, run_soak
from vla_ros.paths import bundle_directory
from vla_ros.types import NANOSECONDS, Decision, Verdict

TICK = 0.02  # simulated seconds
WORDS = 'touch the red cube'
ORDER = Act(Kind.TOUCH, WORDS, follow=1.0, seed=900_000)


class FakeClient:
    """A world that a wait lets go on: orders are decided as ``verdict`` after 0.2 s, and ``speed`` is the arm's."""

    def __init__(
        self,
        verdict: Verdict | None = Verdict.GO,
        *,
        plans: bool = True,
        speed: float = 0.0,
        stands_still: bool = False,
    ) -> None:
        self.state = State()
        self.said: list[str] = []
        self._verdict, self._plans, self._speed, self._stands_still = verdict, plans, speed, stands_still
        self._ears: dict[str, Callable[[Any], None]] = {}
        self._asked = 0.0

    def hear(self, _kind: Any, topic: str, take: Callable[[Any], None], _profile: Any) -> None:
        self._ears[topic] = take

    def forget(self) -> None:
        self.state.decisions.clear()

    def instruct(self, words: str) -> None:
        self.said.append(words)
        self._asked = self.state.now

    def enable(self, on: bool = True) -> None:
        self.said.append(f'enable {on}')

    def trigger(self, service: str) -> str:
        self.said.append(service)
        return ''

    def wait(self, happened: Callable[[], bool], _timeout: float, check: Callable[[], None]) -> bool:
        while not happened():
            self._tick()
            check()
        return True

    def _tick(self) -> None:
        if self._stands_still:
            return
        self.state.now += TICK
        stamp = time_message(round(self.state.now * NANOSECONDS))
        trembling = 0.001 * math.sin(10.0 * self.state.now)  # rad: of an arm that leans on something
        message = JointState(position=[self._speed * self.state.now + trembling])
        message.header.stamp = stamp
        self._ears['joint_states'](message)
        if self._verdict is not None and self.said and self.state.now > self._asked + 0.2:
            self.state.decisions.append((0.0, Decision(self._verdict, 'so', self.said[-1], '')))
        if self._plans:
            self._ears['joint_trajectory'](JointTrajectory())


def ending(client: FakeClient, act: Act = ORDER) -> str:
    return Person(client, lambda: None).do(act)  # type: ignore[arg-type]


def test_an_order_that_is_decided_and_planned_ends_well_and_is_watched_for_a_while() -> None:
    client = FakeClient()

    assert ending(client) == 'go, plans came'
    assert client.said == [WORDS]
    assert client.state.now >= 0.2 + ORDER.follow


def test_an_order_that_is_refused_ends_well_when_the_arm_rests() -> None:
    assert ending(FakeClient(Verdict.REFUSED, plans=False)) == 'refused, the arm rests'


def test_an_order_in_a_hurry_needs_no_answer() -> None:
    assert ending(FakeClient(None), replace(ORDER, kind=Kind.HURRIED)) == 'pre-empted'


def test_switches_are_called_one_after_another_and_the_arm_must_rest_in_between() -> None:
    client = FakeClient()

    ending(client, Act(Kind.SWITCHES, '', 0.0, 900_000))

    assert client.said == ['action/stop', 'action/reset', 'enable True']
    with pytest.raises(HangError, match='not at rest after action/stop'):
        ending(FakeClient(speed=0.5), Act(Kind.SWITCHES, '', 0.0, 900_000))


@pytest.mark.parametrize(
    ('client', 'says'),
    [
        (FakeClient(None), 'no decision about it came within 5 simulated seconds'),
        (FakeClient(Verdict.GO, plans=False), 'decided to go, but 0 plans of 3 came'),
        (FakeClient(Verdict.REFUSED, speed=0.5), 'decided refused .so., but the arm is not at rest'),
    ],
    ids=['no decision', 'no plans', 'no rest'],
)
def test_what_does_not_come_in_time_is_named(client: FakeClient, says: str) -> None:
    with pytest.raises(HangError, match=says):
        ending(client)


def test_given_a_world_that_stands_still_then_it_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds: Iterator[float] = iter(range(0, 10**6, 10))
    monkeypatch.setattr(soak.time, 'monotonic', lambda: next(seconds))

    with pytest.raises(HangError, match='simulated time has stood still for 60 s'):
        ending(FakeClient(stands_still=True))


@pytest.mark.slow
def test_a_real_graph_is_watched_and_a_node_that_dies_ends_the_run(
    ros_domain: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, killed = SoakLog(), []

    class Murderer(Clerk):
        """Kills reasoning as soon as something was thought."""

        def look(self) -> None:
            super().look()
            if log.latencies['camera to thought'] and not killed:
                self._supervisor.send('reasoning', signal.SIGKILL)
                killed.append(len(log.hangs))

    monkeypatch.setattr(soak, 'Clerk', Murderer)

    run_soak(log, bundle_directory('tabletop'), 600.0, 900_000, tmp_path)

    assert killed == [0], 'nothing hung before'
    assert log.endings['another scene'] >= 1
    assert set(log.samples[-1].usage) == {'simulator', 'perception', 'reasoning', 'action'}
    (hang,) = log.hangs
    assert hang.missing.startswith('reasoning was ended by SIGKILL')
    assert not soak_report(log, 10.0)['passed']
