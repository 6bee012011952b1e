"""A bag through the model, from its file to the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from vla_ros.evaluation.replay.bag import Bag
from vla_ros.evaluation.replay.clock import ClockSource
from vla_ros.evaluation.replay.faults import Fault, inject
from vla_ros.evaluation.replay.layout import find_layout, parse_remaps
from vla_ros.evaluation.replay.lockstep import lockstep
from vla_ros.evaluation.replay.model import Model
from vla_ros.evaluation.replay.outcome import Outcome
from vla_ros.evaluation.replay.reader import BagReader
from vla_ros.evaluation.replay.stream import Message, instructed, looped, part
from vla_ros.evaluation.replay.timing import ReplayTiming
from vla_ros.types import VlaError


@dataclass(frozen=True)
class Selection:
    """What of a bag is replayed, and how its topics are named.

    Attributes:
        start, duration: seconds; None is to the end.
        loops: how often, one after another.
        instruction: words in the place of those in the bag; None leaves them.
        namespace: in which the nodes ran.
        remaps: 'name of the nodes:=topic of the bag'.
        clock: where the time comes from.
        faults: put in; their times count from ``start``.
    """

    start: float = 0.0
    duration: float | None = None
    loops: int = 1
    instruction: str | None = None
    namespace: str = ''
    remaps: tuple[str, ...] = ()
    clock: ClockSource = ClockSource.AUTO
    faults: tuple[Fault, ...] = ()


def open_stream(path: Path, model: Model, selection: Selection) -> Callable[[], Iterable[Message]]:
    """What reads the selected messages of a bag, each time anew.

    Raises:
        VlaError: there is no such bag, or it lacks what the model needs.
    """
    bag = Bag(path)
    layout = find_layout(
        {topic.name: (topic.type_name, topic.count) for topic in bag.topics.values()},
        [camera.name for camera in model.cameras],
        selection.namespace,
        parse_remaps(selection.remaps),
        needs_instruction=selection.instruction is None,
    )
    reader = BagReader(bag, layout, model.joints, selection.clock)

    def once() -> Iterable[Message]:
        messages: Iterable[Message] = part(reader.messages(), selection.start, selection.duration)
        if selection.instruction is not None:
            messages = instructed(messages, selection.instruction)
        return reduce(inject, selection.faults, messages)

    return lambda: looped(once, selection.loops)


def replay(
    path: Path, model: Model, selection: Selection | None = None, timing: ReplayTiming | None = None
) -> Outcome:
    """Replay a bag in lockstep.

    Raises:
        VlaError: there is no such bag, it is damaged, lacks what the model needs, or nothing of it is selected.
    """
    selection = selection or Selection()
    outcome = lockstep(open_stream(path, model, selection)(), model, timing)
    require_something(outcome, selection)
    return outcome


def require_something(outcome: Outcome, selection: Selection) -> None:
    """Raise VlaError unless there was something to replay."""
    if outcome.seconds <= 0:
        raise VlaError(f'start: expected less than the bag is long, found {selection.start:g} s')
