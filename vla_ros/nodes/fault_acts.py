"""How each kind of fault is brought about in the running graph, and taken away again."""

from __future__ import annotations

import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from vla_ros.evaluation.faults import (
    AlteredModel,
    Fault,
    Flood,
    FullDisk,
    Means,
    Nothing,
    Signal,
    Spoil,
    Storm,
)
from vla_ros.nodes.bringup import recorder_command
from vla_ros.nodes.client import Client
from vla_ros.nodes.fault_graph import FaultGraph
from vla_ros.nodes.fault_storms import instructions, parameter_service, parameters
from vla_ros.types import VlaError

PATIENCE = 30.0
"""Seconds for what should take less than one."""
MARGIN = 64
"""Bytes that the recorder may still write."""
LEAST_STORM = 20
"""Requests, or else it was no storm."""
BEFORE_STOP = 0.3
"""Seconds of a flood before a person stops the arm."""
FLOODED = {
    'joint_states': ('action', 'joint states'),
    'reasoning/thought': ('action', 'thoughts'),
    'camera/front/image_raw': ('perception', 'camera front'),
}
"""By topic, which node tells at what rate it hears it, and under which name."""
FLOODING = 3.0
"""Times as many messages as usual that must have arrived, as a mean over 5 s."""


@dataclass
class Setup:
    """What a fault needs to know of the graph.

    Attributes:
        bundle: of the nodes, a copy; ``pristine`` is what it was copied from.
        orders: words that the arm could obey.
        folder: for what faults leave behind.
        set_out: gives an order and waits until the arm is under way; whether it is.
        complaints: what went wrong besides the arm's motion.
        remarks: what else is worth to know.
    """

    graph: FaultGraph
    client: Client
    bundle: Path
    pristine: Path
    orders: Sequence[str]
    folder: Path
    set_out: Callable[[str], bool] = lambda _: True
    complaints: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@contextmanager
def acting(fault: Fault, setup: Setup) -> Iterator[float]:
    """The fault lasts as long as the block; gives the time of the wall clock (s) just before it began."""
    means: Means = fault.means
    if isinstance(means, Signal):
        with _signalled(means, setup) as struck:
            yield struck
    elif isinstance(means, Spoil):
        with _spoiled(means.how, setup) as struck:
            yield struck
    elif isinstance(means, Flood):
        with _flooded(means, setup) as struck:
            yield struck
    elif isinstance(means, Storm):
        with _stormy(means, setup) as struck:
            yield struck
    elif isinstance(means, FullDisk):
        with _disk_full(setup) as struck:
            yield struck
    elif isinstance(means, AlteredModel):
        with _altered(means, setup) as struck:
            yield struck
    else:
        assert isinstance(means, Nothing)
        yield time.time()


@contextmanager
def _signalled(means: Signal, setup: Setup) -> Iterator[float]:
    number = signal.Signals[means.number]
    struck = time.time()
    setup.graph.send(means.nodes, number)
    try:
        yield struck
    finally:
        if number is signal.SIGSTOP:
            setup.graph.send(means.nodes, signal.SIGCONT)
        else:
            for name in means.nodes:
                code = setup.graph.supervisor.wait(name)
                expected = 0 if number is signal.SIGTERM else -number
                if code != expected:
                    setup.complaints.append(f'{name} ended with code {code} instead of {expected}')
                setup.graph.start(name)


@contextmanager
def _spoiled(how: str, setup: Setup) -> Iterator[float]:
    struck = time.time()
    setup.graph.spoil(how)
    try:
        yield struck
    finally:
        setup.graph.spoil()


@contextmanager
def _flooded(means: Flood, setup: Setup) -> Iterator[float]:
    node, stream = FLOODED[means.topic]

    def arrived() -> float:
        return float(setup.client.state.reports.get(node, {}).get(f'{stream} rate [Hz]', 0.0))

    usual = arrived()
    with _spoiled(f'flood {means.topic}', setup) as struck:
        if means.stop:
            setup.client.wait(lambda: False, BEFORE_STOP)
            struck = time.time()
            setup.client.trigger('action/stop')
        yield struck
        if not setup.client.wait(lambda: arrived() > FLOODING * usual, PATIENCE):
            setup.complaints.append(
                f'the flood was none: {arrived():.0f} {stream} a second instead of {usual:.0f}'
            )
        setup.remarks.append(f'{node} heard {arrived():.0f} {stream} a second, as a mean over 5 s')
    if means.stop:
        setup.client.trigger('action/reset')


@contextmanager
def _stormy(means: Storm, setup: Setup) -> Iterator[float]:
    if means.of == 'instructions':
        with _counted(lambda ended: instructions(setup.client, setup.orders, ended), means, setup) as struck:
            yield struck
        return
    with parameter_service() as service:
        setup.set_out(setup.orders[1])  # to find the service took a while
        with _counted(lambda ended: parameters(service, ended), means, setup) as struck:
            yield struck


@contextmanager
def _counted(storm: Callable[[threading.Event], int], means: Storm, setup: Setup) -> Iterator[float]:
    """A storm in a thread of its own, until the block ends; one that is none is a complaint."""
    ended = threading.Event()
    counted: list[int] = []
    thread = threading.Thread(target=lambda: counted.append(storm(ended)), name='storm')
    struck = time.time()
    thread.start()
    try:
        yield struck
    finally:
        ended.set()
        thread.join()
    if not counted or counted[0] < LEAST_STORM:
        setup.complaints.append(f'the storm was none: {counted}')
    setup.remarks += [f'{count} {means.of}' for count in counted]


@contextmanager
def _disk_full(setup: Setup) -> Iterator[float]:
    supervisor, bag = setup.graph.supervisor, setup.folder / 'bag'
    supervisor.start('recorder', recorder_command(bag, ('front', 'wrist')))
    setup.client.require(lambda: _bytes(bag) > 0, PATIENCE, 'the recorder wrote nothing', supervisor.check)
    setup.set_out(setup.orders[1])  # that took a while
    most = max(path.stat().st_size for path in bag.rglob('*') if path.is_file()) + MARGIN
    struck = time.time()
    resource.prlimit(supervisor.pid('recorder'), resource.RLIMIT_FSIZE, (most, most))
    try:
        yield struck
    finally:
        try:
            code = supervisor.wait('recorder', PATIENCE)
        except VlaError as error:
            setup.complaints.append(f'on a full disk: {error}')
            supervisor.stop(['recorder'])
        else:
            if code != 1:
                setup.complaints.append(f'recorder ended with code {code} instead of 1')


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())


@contextmanager
def _altered(means: AlteredModel, setup: Setup) -> Iterator[float]:
    struck = time.time()
    for path in _model_files(setup.bundle):
        _flip(path)
    try:
        if means.restarted:
            struck = time.time()
            setup.graph.send((means.restarted,), signal.SIGKILL)
            setup.graph.supervisor.wait(means.restarted)
            setup.graph.launch(means.restarted)
        yield struck
        if means.restarted:
            _require_refused(means.restarted, setup)
    finally:
        for path in _model_files(setup.bundle):
            path.write_bytes((setup.pristine / path.relative_to(setup.bundle)).read_bytes())
        if means.restarted:
            setup.graph.supervisor.stop([means.restarted])
            setup.graph.start(means.restarted)


def _model_files(bundle: Path) -> list[Path]:
    return sorted(path for path in bundle.rglob('*') if path.suffix in ('.onnx', '.safetensors', '.json'))


def _flip(path: Path) -> None:
    """Flip a bit in the middle of a file, in place."""
    with path.open('r+b') as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))


def _require_refused(name: str, setup: Setup) -> None:
    """The node must say that its files are not what the manifest says."""

    def summary() -> str:
        return setup.client.state.reports.get(name, {}).get('summary', '')

    if not setup.client.wait(lambda: summary().startswith('could not'), PATIENCE):
        setup.complaints.append(f'{name} did not refuse an altered file: {summary()!r}')
    elif 'SHA-256' not in summary() and 'sha256' not in summary():
        setup.complaints.append(f'{name} refused for another reason: {summary()!r}')
