"""The faults: what is done to the running graph, what must come of it, and how soon. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from vla_ros.types import VlaError

PEER_LOST = 0.3
"""Seconds of the wall clock from the death of a node until the others act on it."""
WATCH = 0.1
"""Seconds on top of an age: the watch looks every 50 ms, and a message takes a moment."""
TOKEN_AGE, JOINT_STATE_AGE, THOUGHT_AGE = 0.5, 0.2, 3.0
"""Seconds of simulated time: the limits of age in config/vla.params.yaml."""
AT_ONCE = 0.25
"""Seconds of simulated time for what the next message shows."""


class Expected(Enum):
    """What must come of a fault."""

    BRAKES = 'brakes'
    ENDS_ITS_PLAN = 'ends its plan'
    GOES_ON = 'goes on'


class Revival(Enum):
    """What it takes after the cause is gone until the arm obeys again, besides an order."""

    NOTHING = 'by itself'
    ENABLE = 'after action/enable'
    START = 'process started again'
    START_AND_ENABLE = 'process started again, and action/enable'


@dataclass(frozen=True)
class Signal:
    """A signal to processes: 'SIGKILL', 'SIGTERM', or 'SIGSTOP' until it goes on."""

    nodes: tuple[str, ...]
    number: str


@dataclass(frozen=True)
class Spoil:
    """Messages on their way to a node are spoiled; ``how`` is a key of ``vla_ros.nodes.fault_spoilers.SPOILERS``."""

    how: str


@dataclass(frozen=True)
class Flood:
    """The newest message of a topic is sent again a thousand times a second."""

    topic: str
    stop: bool = False  # whether a person calls action/stop meanwhile


@dataclass(frozen=True)
class Storm:
    """Requests as fast as they go: 'instructions' or 'parameters'."""

    of: str


@dataclass(frozen=True)
class FullDisk:
    """The recorder may not write another byte."""


@dataclass(frozen=True)
class AlteredModel:
    """A byte of every file of the bundle is flipped; ``restarted`` is a node that is killed and started again on it."""

    restarted: str = ''


@dataclass(frozen=True)
class Nothing:
    """No fault: the control."""


Means = Signal | Spoil | Flood | Storm | FullDisk | AlteredModel | Nothing


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        name: of the row.
        what: happens, for people.
        means: how it is brought about.
        expected: what must come of it.
        within: seconds from the fault to its detection; of the wall clock if ``on_the_wall``.
        reasons: of which one must be in what the arm was braked for, or in what a node counts as refused.
        revival: what it takes to obey again.
    """

    name: str
    what: str
    means: Means
    expected: Expected
    within: float = 0.0
    reasons: tuple[str, ...] = ()
    on_the_wall: bool = False
    revival: Revival = Revival.NOTHING


def _peer(name: str, what: str, means: Signal, revival: Revival = Revival.NOTHING) -> Fault:
    return Fault(name, what, means, Expected.BRAKES, PEER_LOST, means.nodes, True, revival)


def _aged(name: str, what: str, of: str, age: float) -> Fault:
    return Fault(name, what, Spoil(name), Expected.BRAKES, age + WATCH, (of,))


def _shown(name: str, what: str, *reasons: str, revival: Revival = Revival.NOTHING) -> Fault:
    return Fault(name, what, Spoil(name), Expected.BRAKES, AT_ONCE, reasons, revival=revival)


def _harmless(name: str, what: str, means: Means) -> Fault:
    return Fault(name, what, means, Expected.GOES_ON)


_START = Revival.START
FAULTS: tuple[Fault, ...] = (
    _harmless('control', 'nothing', Nothing()),
    _peer('perception_killed', 'kill -9 of perception', Signal(('perception',), 'SIGKILL'), _START),
    _peer('reasoning_killed', 'kill -9 of reasoning', Signal(('reasoning',), 'SIGKILL'), _START),
    Fault(
        'action_killed',
        'kill -9 of action',
        Signal(('action',), 'SIGKILL'),
        Expected.ENDS_ITS_PLAN,
        revival=Revival.START_AND_ENABLE,
    ),
    _peer('perception_stopped', 'SIGSTOP, then SIGCONT of perception', Signal(('perception',), 'SIGSTOP')),
    _peer('reasoning_stopped', 'SIGSTOP, then SIGCONT of reasoning', Signal(('reasoning',), 'SIGSTOP')),
    Fault(
        'action_stopped',
        'SIGSTOP, then SIGCONT of action',
        Signal(('action',), 'SIGSTOP'),
        Expected.ENDS_ITS_PLAN,
    ),
    _peer('perception_ended', 'SIGTERM of perception', Signal(('perception',), 'SIGTERM'), _START),
    _peer('reasoning_ended', 'SIGTERM of reasoning', Signal(('reasoning',), 'SIGTERM'), _START),
    Fault(
        'action_ended',
        'SIGTERM of action',
        Signal(('action',), 'SIGTERM'),
        Expected.BRAKES,
        PEER_LOST,
        ('deactivated',),
        True,
        Revival.START_AND_ENABLE,
    ),
    _peer(
        'peers_cut_off',
        'perception and reasoning fall silent together, and return (SIGSTOP, then SIGCONT of both)',
        Signal(('perception', 'reasoning'), 'SIGSTOP'),
    ),
    _aged(
        'perception_cut_off',
        'no topic of data reaches or leaves perception, and later all do',
        'observation',
        TOKEN_AGE,
    ),
    _aged('cameras_silent', 'no camera sends', 'observation', TOKEN_AGE),
    _aged('one_camera_silent', 'the wrist camera does not send', 'observation', TOKEN_AGE),
    _aged('camera_repeats', 'cameras send the same frame, with its old stamp', 'observation', TOKEN_AGE),
    _aged('camera_frozen', 'the front camera sends the same picture, with new stamps', 'frozen', TOKEN_AGE),
    _aged('camera_black', 'both cameras send black pictures', 'observation', TOKEN_AGE),
    _aged('camera_late', 'frames come 0.8 s late', 'observation', TOKEN_AGE),
    _aged('camera_wrong_size', 'half of the pixels of an image are missing', 'observation', TOKEN_AGE),
    _aged('camera_wrong_encoding', 'an encoding that does not fit the data', 'observation', TOKEN_AGE),
    _harmless('camera_one_late', 'one frame of each camera comes 0.3 s late', Spoil('camera_one_late')),
    _harmless(
        'camera_out_of_order', 'frames come in pairs, the later one first', Spoil('camera_out_of_order')
    ),
    _harmless('camera_doubled', 'each frame comes twice', Spoil('camera_doubled')),
    _aged('joints_silent', 'no joint states come', 'joint state', JOINT_STATE_AGE),
    _aged('joints_repeat', 'the same joint state comes again and again', 'joint state', JOINT_STATE_AGE),
    _aged('joints_nan', 'a position is NaN', 'joint state', JOINT_STATE_AGE),
    _aged('joints_missing', 'a joint is missing', 'joint state', JOINT_STATE_AGE),
    _shown(
        'joints_jump',
        'every other joint state is 0.6 rad off in one joint',
        'jump',
        revival=Revival.ENABLE,
    ),
    _shown(
        'joints_back_in_time',
        'the stamps of joint states go back by 1 s',
        'went back',
        revival=Revival.ENABLE,
    ),
    _harmless('joints_doubled', 'each joint state comes twice', Spoil('joints_doubled')),
    _shown('clock_back', 'the clock of the nodes goes back by 5 s', 'clock', revival=Revival.ENABLE),
    _shown(
        'clock_frozen',
        'the clock of the nodes stands still, the world does not',
        'joint state',
        'observation',
    ),
    _aged('tokens_wrong_shape', 'visual tokens have a column too many', 'observation', TOKEN_AGE),
    _shown(
        'tokens_back_in_time',
        'the stamps of visual tokens go back by 1 s',
        'went back',
        revival=Revival.ENABLE,
    ),
    _aged('thoughts_silent', 'no thoughts come', 'thought', THOUGHT_AGE),
    _aged('thoughts_wrong_shape', 'thoughts have a column too many', 'thought', THOUGHT_AGE),
    _aged('thoughts_of_another_bundle', 'thoughts were made with another bundle', 'thought', THOUGHT_AGE),
    _aged('thoughts_nan', 'thoughts have a NaN', 'thought', THOUGHT_AGE),
    _aged('thoughts_stale', 'the stamps of thoughts are 10 s old', 'thought', 1.0),
    _harmless('joints_flood', 'the newest joint state comes 1000 times a second', Flood('joint_states')),
    _harmless('camera_flood', 'the newest frame comes 1000 times a second', Flood('camera/front/image_raw')),
    _harmless('thoughts_flood', 'the newest thought comes 1000 times a second', Flood('reasoning/thought')),
    Fault(
        'stop_in_a_flood',
        'a person calls action/stop while joint states come 1000 times a second',
        Flood('joint_states', stop=True),
        Expected.BRAKES,
        PEER_LOST,
        ('stopped',),
        True,
        Revival.ENABLE,
    ),
    Fault(
        'instruction_storm',
        'another instruction 200 times a second',
        Storm('instructions'),
        Expected.BRAKES,
        AT_ONCE,
        ('hold still',),
    ),
    _harmless('parameter_storm', 'parameters of action are set as fast as it answers', Storm('parameters')),
    _harmless('disk_full', 'the recorder may not write another byte', FullDisk()),
    _harmless('model_altered', 'a byte of each model file is flipped', AlteredModel()),
    Fault(
        'model_altered_restart',
        'the same, then kill -9 of reasoning and a new start',
        AlteredModel('reasoning'),
        Expected.BRAKES,
        PEER_LOST,
        ('reasoning',),
        True,
        Revival.START,
    ),
)


def choose(names: tuple[str, ...]) -> tuple[Fault, ...]:
    """The faults of these names in the order of the table; all if there are none.

    Raises:
        VlaError: no such fault.
    """
    known = {fault.name for fault in FAULTS}
    for name in names:
        if name not in known:
            raise VlaError(f'--only: expected some of {sorted(known)}, found {name!r}')
    return tuple(fault for fault in FAULTS if not names or fault.name in names)
