"""The fault laboratory: every fault strikes a running graph of processes while its arm is under way.

The simulator logs the true joints at every physics step, and each row is judged from that log. Time is simulated, so
that a busy machine slows the world down rather than the nodes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from vla_ros.action.limits import load_limits
from vla_ros.evaluation.fault_verdict import REST_WITHIN, Row, Trial, is_inconclusive, judge, longest_wait
from vla_ros.evaluation.faults import Expected, Fault, Revival
from vla_ros.evaluation.motion_log import Motion, read_motion, steps_written
from vla_ros.evaluation.rest import STAYS, rest_time
from vla_ros.nodes.bringup import prepare_environment, running
from vla_ros.nodes.client import Client
from vla_ros.nodes.fault_acts import Setup, acting
from vla_ros.nodes.fault_graph import FaultGraph, copy_bundle, processes
from vla_ros.nodes.fault_witness import Witness, grown, refusals
from vla_ros.nodes.stage import Stage
from vla_ros.paths import config_file
from vla_ros.sim.model import JOINT_NAMES
from vla_ros.sim.scene import sample_scene
from vla_ros.types import VlaError

FIRST_SEED = 1_000_000
ATTEMPTS = 4
"""Scenes in which a row is tried, until the arm is under way and the model does not hold it by itself."""
UNDER_WAY = 0.25
"""rad/s of the fastest joint, when the arm is under way."""
MOVED = 0.08
"""rad that a joint has moved by then since the order."""
SLOWEST = 0.02
"""Simulated seconds a second below which the world is taken to hang."""
SETS_OUT_WITHIN = 6.0
"""Simulated seconds from an order until the arm is under way."""


class NotUnderWayError(Exception):
    """The model did not set the arm in motion: no time for a fault."""


def run_faults(
    faults: Sequence[Fault], bundle: Path, on_rows: Callable[[list[Row]], None] = lambda _: None
) -> list[Row]:
    """Start a graph, let one fault after another strike, and stop everything. A graph that is lost is started anew.

    Args:
        on_rows: is told all rows so far after each of them.

    Raises:
        VlaError: a node does not start.
    """
    prepare_environment(simulator=True, own_domain=True)
    rows: list[Row] = []
    left = list(faults)
    while left:
        with (
            tempfile.TemporaryDirectory(prefix='vla_ros_faults_') as folder,
            laboratory(bundle, Path(folder)) as lab,
        ):
            while left:
                row = lab.row(left[0])
                rows.append(row)
                left.pop(0)
                on_rows(rows)
                if not lab.is_well:
                    break
    return rows


@contextmanager
def laboratory(bundle: Path, folder: Path) -> Iterator[Laboratory]:
    """A graph of its own in a folder, up and running; logs and a copy of the bundle go there, too."""
    motion_log, copied = folder / 'motion.bin', copy_bundle(bundle, folder)
    with running((), folder / 'logs') as supervisor, Client() as client, Witness() as witness:
        graph = FaultGraph(supervisor, client, processes(copied, motion_log))
        graph.start_all()
        setup = Setup(graph, client, copied, bundle, (), folder)
        yield Laboratory(setup, witness, motion_log)
        client.instruct('')


class Laboratory:
    """A running graph, and what it takes to do harm to it."""

    def __init__(self, setup: Setup, witness: Witness, motion_log: Path) -> None:
        self.is_well = True
        self._setup, self._witness, self._motion_log = setup, witness, motion_log
        self._client, self._graph = setup.client, setup.graph
        self._stage = Stage(setup.client, setup.graph.supervisor.check)
        self._limits = load_limits(config_file('joint_limits.yaml'), JOINT_NAMES)

    def row(self, fault: Fault, first_seed: int = FIRST_SEED) -> Row:
        """Let a fault strike, in the first scene where the arm gets under way and the model does not hold it."""
        row = None
        for attempt in range(ATTEMPTS):
            try:
                seen = self._trial(fault, first_seed + attempt)
                row = replace(judge(fault, seen, self._limits), attempts=attempt + 1)
            except NotUnderWayError:
                continue
            except VlaError as error:
                self.is_well = False
                return self._nothing_seen(fault, str(error))
            if not is_inconclusive(row):
                break
        self.is_well = row is not None and row.recovered is not False
        return row or self._nothing_seen(fault, 'the arm never got under way')

    def _nothing_seen(self, fault: Fault, complaint: str) -> Row:
        motion = read_motion(self._motion_log, steps_written(self._motion_log))
        return judge(fault, Trial(0.0, motion, complaint=complaint), self._limits)

    def _trial(self, fault: Fault, seed: int) -> Trial:
        words = [f'touch the {thing.name}' for thing in sample_scene(seed).objects]
        self._stage.set_scene(seed, '')
        if not self._sets_out(words[0]):
            raise NotUnderWayError
        before, start = refusals(self._client.state.reports), max(steps_written(self._motion_log) - 1, 0)
        setup = replace(self._setup, orders=words, set_out=self._sets_out, complaints=[], remarks=[])
        with acting(fault, setup) as struck:
            self._watch(fault, struck, start)
            motion, brakes = read_motion(self._motion_log, start), self._witness.brakes(struck)
        recovered = self._obeys(fault, words)
        after = refusals(self._client.state.reports)
        complaint, remark = '; '.join(setup.complaints), '; '.join(setup.remarks)
        return Trial(struck, motion, brakes, grown(before, after), complaint, remark, recovered)

    def _watch(self, fault: Fault, struck: float, start: int) -> None:
        """Until the arm has stayed at rest for its reason, or time is up."""
        longest = longest_wait(fault) + STAYS

        def enough() -> bool:
            motion = read_motion(self._motion_log, start)
            begun = motion.time_at(struck)
            if motion.times[-1] >= begun + longest + 0.1:
                return True
            after = motion.since(begun)
            at_rest = rest_time(after.times, after.positions, after.velocities) is not None
            if fault.expected is Expected.BRAKES:
                return at_rest and bool(self._witness.brakes(struck))
            return at_rest and fault.expected is Expected.ENDS_ITS_PLAN

        self._client.wait(enough, longest / SLOWEST)

    def _obeys(self, fault: Fault, words: Sequence[str]) -> bool:
        """Whether the arm goes on to something when the cause is gone."""
        enable = fault.revival in (Revival.ENABLE, Revival.START_AND_ENABLE)
        for order in (*words[1:], words[0]):
            if enable:
                self._client.enable()
            if self._sets_out(order):
                return True
        return False

    def _sets_out(self, words: str) -> bool:
        """Give an order; whether it gets the arm under way."""
        start = max(steps_written(self._motion_log) - 1, 0)
        self._client.instruct(words)
        under_way = False

        def settled() -> bool:
            nonlocal under_way
            motion = read_motion(self._motion_log, start)
            under_way = is_under_way(motion)
            return under_way or bool(len(motion) and motion.times[-1] > motion.times[0] + SETS_OUT_WITHIN)

        self._client.wait(settled, SETS_OUT_WITHIN / SLOWEST, self._graph.supervisor.check)
        return under_way


def is_under_way(motion: Motion) -> bool:
    """Whether the arm, after an order, has moved and is moving, and not only come to rest from what it did before."""
    motion = motion.since(motion.times[0] + REST_WITHIN) if len(motion) else motion
    if len(motion) < 2:
        return False
    moved = abs(motion.positions[-1] - motion.positions[0]).max()
    return bool(moved >= MOVED and motion.speeds[-1] >= UNDER_WAY)
