"""The endurance run: a restless person in a running graph of processes, and somebody who keeps count.

Its length is of the wall, which is what a person means by minutes. How long the graph may take for something is counted
in simulated time, so that a busy machine makes the world slow and nothing hang.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from vla_ros import graph
from vla_ros.evaluation.process_usage import usage_of
from vla_ros.evaluation.rest import rest_time
from vla_ros.evaluation.soak import LATENCIES, Hang, Sample, SoakLog
from vla_ros.evaluation.soak_acts import Act, Kind, acts
from vla_ros.nodes import qos
from vla_ros.nodes.bringup import START_TIMEOUT, prepare_environment, running
from vla_ros.nodes.client import Client
from vla_ros.nodes.fault_witness import refusals
from vla_ros.nodes.messages import nanoseconds
from vla_ros.nodes.stage import Stage
from vla_ros.nodes.supervisor import Supervisor
from vla_ros.types import NANOSECONDS, Decision, DoubleArray, Verdict, VlaError

DECIDES_WITHIN = 5.0
"""Simulated seconds from an order to the first decision about it."""
ACTS_WITHIN = 5.0
"""Simulated seconds from the decision until plans have come, or the arm is at rest."""
RESTS_WITHIN = 3.0
"""Simulated seconds from a switch until the arm is at rest."""
PLANS = 3
"""Trajectories that show that an arm which is told to go goes."""
STANDS_STILL = 60.0
"""Seconds of the wall after which simulated time that does not go on never will."""
SAMPLE_EVERY = 1.0
"""Seconds of the wall from one look at the processes to the next."""
IN_A_ROW = 3
"""Acts that hang one after another until the run is given up."""


class HangError(Exception):
    """What did not come."""


def run_soak(
    log: SoakLog, bundle: Path, seconds: float, seed: int, logs: Path, tell: Callable[[], None] = lambda: None
) -> None:
    """Start a graph, be restless for ``seconds`` of the wall, and stop everything; what is seen goes to ``log``.

    Args:
        logs: folder for what the processes write.
        tell: called after each look at the processes.

    Raises:
        VlaError: a node does not start. One that dies later is in the log.
    """
    prepare_environment(simulator=True, own_domain=True)
    processes = graph.processes(simulator=True, bundle=str(bundle), use_sim_time=True, log_level='warn')
    nodes = [node for process in processes for node in process.nodes]
    with running(processes, logs) as supervisor, Client() as client:
        client.wait_active(nodes, START_TIMEOUT, supervisor.check)
        clerk = Clerk(log, client, supervisor, nodes, tell)
        person = Person(client, clerk.look)
        failures = 0
        for act in acts(seed):
            if log.seconds >= seconds or failures == IN_A_ROW:
                break
            log.acts[act.kind.value] += 1
            try:
                log.endings[person.do(act)] += 1
                failures = 0
            except (HangError, VlaError) as error:
                died = _died(supervisor)
                log.hangs.append(Hang(round(log.seconds, 1), _told(act), died or str(error)))
                if died:
                    break
                failures += 1
                with suppress(HangError, VlaError):  # what still hangs shows in the next act
                    person.do(Act(Kind.SCENE, '', 0.0, act.seed))
        client.instruct('')


class Clerk:
    """Looks at processes and diagnostics every now and then, and writes it down."""

    def __init__(
        self, log: SoakLog, client: Client, supervisor: Supervisor, nodes: list[str], tell: Callable[[], None]
    ) -> None:
        self._log, self._client, self._supervisor, self._tell = log, client, supervisor, tell
        self._pids = {node: supervisor.pid(node) for node in nodes}
        self._began, self._world_began = time.monotonic(), client.state.now
        self._counts = {name: self._count(name) for name in LATENCIES}
        log.before = refusals(client.state.reports)

    def look(self) -> None:
        """Write down what there is to see, if it is time; VlaError if a process has died."""
        self._supervisor.check()
        at = time.monotonic() - self._began
        if self._log.samples and at < self._log.seconds + SAMPLE_EVERY:
            return
        usage = {node: usage_of(pid) for node, pid in self._pids.items()}
        self._log.samples.append(Sample(at, self._client.state.now - self._world_began, usage))
        self._log.refusals = refusals(self._client.state.reports)
        for name in LATENCIES:
            self._take(name, at)
        self._tell()

    def _take(self, name: str, at: float) -> None:
        """The latencies that a node has measured since the last look."""
        latest = self._report(name).get(f'{name} latest [ms]', '').split()
        count = self._count(name)
        new = count - self._counts[name]
        self._counts[name] = count
        fresh = latest[-new:] if new > 0 else []
        self._log.latencies[name] += [(at, float(value)) for value in fresh]
        self._log.unseen[name] += max(new - len(fresh), 0)

    def _count(self, name: str) -> int:
        return int(self._report(name).get(f'{name} count', 0))

    def _report(self, name: str) -> dict[str, str]:
        return self._client.state.reports.get(LATENCIES[name], {})


class Person:
    """Does what it is told to do to the robot, and insists on an outcome.

    Args:
        look: called while waiting; raises if a process has died.
    """

    def __init__(self, client: Client, look: Callable[[], None]) -> None:
        self._client, self._look = client, look
        self._stage = Stage(client, look)
        self._plans = 0
        self._motion: deque[tuple[float, DoubleArray, DoubleArray]] = deque(maxlen=1000)
        client.hear(JointTrajectory, 'joint_trajectory', self._on_plan, qos.COMMAND)
        client.hear(JointState, 'joint_states', self._on_joints, qos.JOINT_STATES_IN)

    def do(self, act: Act) -> str:
        """Do it, and wait for what must come of it; returns what came.

        Raises:
            HangError: it did not come.
            VlaError: a service does not answer, or a process has died.
        """
        if act.kind is Kind.SCENE:
            self._stage.set_scene(act.seed, '')
            return 'another scene'
        if act.kind is Kind.SWITCHES:
            self._client.trigger('action/stop')
            self._rest('action/stop')
            self._client.trigger('action/reset')
            self._client.enable()
            return 'stopped and enabled again'
        if act.kind is Kind.ENABLE:
            self._client.enable(False)
            self._rest('action/enable with false')
            self._client.enable()
            return 'disabled and enabled again'
        return self._order(act)

    def _order(self, act: Act) -> str:
        client = self._client
        client.forget()
        client.instruct(act.words)
        if act.kind is Kind.HURRIED:
            self._linger(act.follow)
            return 'pre-empted'
        self._require(lambda: bool(self._about(act)), DECIDES_WITHIN, lambda: 'no decision about it came')
        plans, decided = self._plans, client.state.now

        def settled() -> bool:
            going = self._about(act)[-1].verdict is Verdict.GO
            return self._plans - plans >= PLANS if going else self._rests_since(decided)

        def otherwise() -> str:
            decision, summary = self._about(act)[-1], client.state.reports.get('action', {}).get('summary')
            if decision.verdict is Verdict.GO:
                return (
                    f'decided to go, but {self._plans - plans} plans of {PLANS} came; action says {summary!r}'
                )
            return f'decided {decision.verdict.value} ({decision.subtask}), but the arm is not at rest'

        self._require(settled, ACTS_WITHIN, otherwise)
        ending = self._about(act)[-1].verdict
        self._linger(act.follow)
        return 'go, plans came' if ending is Verdict.GO else f'{ending.value}, the arm rests'

    def _rest(self, why: str) -> None:
        began = self._client.state.now
        self._require(
            lambda: self._rests_since(began), RESTS_WITHIN, lambda: f'the arm is not at rest after {why}'
        )

    def _linger(self, seconds: float) -> None:
        until = self._client.state.now + seconds
        self._require(lambda: self._client.state.now >= until, math.inf, lambda: '')

    def _require(self, happened: Callable[[], bool], within: float, otherwise: Callable[[], str]) -> None:
        """Wait for it; HangError if it does not happen within so many simulated seconds, or if these stand still."""
        state, began, moved, done = self._client.state, self._client.state.now, time.monotonic(), False
        latest = began

        def over() -> bool:
            nonlocal done, latest, moved
            done = happened()
            if state.now > latest:
                latest, moved = state.now, time.monotonic()
            return done or latest - began > within or time.monotonic() - moved > STANDS_STILL

        self._client.wait(over, math.inf, self._look)
        if done:
            return
        if latest - began > within:
            raise HangError(f'{otherwise()} within {within:g} simulated seconds')
        raise HangError(f'simulated time has stood still for {STANDS_STILL:g} s')

    def _about(self, act: Act) -> list[Decision]:
        return [d for _, d in self._client.state.decisions if d.instruction == act.heard]

    def _rests_since(self, began: float) -> bool:
        seen = [row for row in self._motion if row[0] >= began]
        if not seen:
            return False
        times, positions, velocities = (np.array(column) for column in zip(*seen))
        return rest_time(times, positions, velocities) is not None

    def _on_plan(self, _message: JointTrajectory) -> None:
        self._plans += 1

    def _on_joints(self, message: JointState) -> None:
        now, positions = nanoseconds(message.header.stamp) / NANOSECONDS, np.array(message.position)
        told = len(message.velocity) == len(positions)
        self._motion.append((now, positions, np.array(message.velocity) if told else positions + np.inf))


def _died(supervisor: Supervisor) -> str:
    """Which process has died, and how; '' if none has."""
    try:
        supervisor.check()
    except VlaError as error:
        return str(error)
    return ''


def _told(act: Act) -> str:
    words = act.words if len(act.words) <= 60 else f'{act.words[:57]}...'
    return f'{act.kind.value} {words!r}' if words else act.kind.value
