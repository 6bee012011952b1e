"""A replay through the real nodes: processes over DDS that hear a bag with its /clock, and a bag of what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from vla_ros import graph
from vla_ros.evaluation.replay.bag import Bag
from vla_ros.evaluation.replay.faults import NOT_IN_BAGS
from vla_ros.evaluation.replay.layout import find_layout
from vla_ros.evaluation.replay.model import Model
from vla_ros.evaluation.replay.outcome import Outcome, Refused
from vla_ros.evaluation.replay.reader import BagReader
from vla_ros.evaluation.replay.run import Selection, open_stream
from vla_ros.evaluation.replay.stream import CameraFrame, Message
from vla_ros.evaluation.replay.transcript import Transcript
from vla_ros.nodes.bringup import START_TIMEOUT, prepare_environment, running
from vla_ros.nodes.client import Client
from vla_ros.nodes.lifecycle import PEER_TIMEOUT
from vla_ros.nodes.player import Player, say, wait_for_nodes
from vla_ros.types import NANOSECONDS, VlaError

BAG, LOGS = 'live', 'logs'
PATIENCE = 0.2  # seconds of peer_timeout at a rate of 1, as is its default
LAST_WORDS = 1.5  # seconds for the last diagnostics
COUNTED = 'refused '


def live_replay(
    bag: Path,
    model: Model,
    bundle: Path,
    selection: Selection,
    parameters: Path | None,
    out: Path,
    rate: float,
) -> Outcome:
    """Replay a bag at ``rate`` seconds of it a second; bag and logs of the nodes stay in ``out``.

    Raises:
        VlaError: the bag lacks what the model needs, a fault cannot be played, or a node does not start or dies.
    """
    unplayable = sorted({fault.kind for fault in selection.faults} & NOT_IN_BAGS)
    if unplayable:
        raise VlaError(
            f'fault: {unplayable[0]} is for lockstep; vla_ros eval faults does such things to the nodes'
        )
    stream = open_stream(bag, model, selection)
    compressed = _is_compressed(stream)
    prepare_environment(simulator=True, own_domain=True)
    processes = graph.processes(
        simulator=False,
        robot=graph.NO_ROBOT,
        bundle=str(bundle),
        use_sim_time=True,
        parameters_file=parameters,
        parameters={
            'image_transport': 'compressed' if compressed else 'raw',
            # Who plays slowly has a slow machine: what is measured by the wall stretches with it.
            **({PEER_TIMEOUT.name: PATIENCE / rate} if rate < 1.0 else {}),
        },
    )
    heard = Transcript(model.joints)
    ends = [0]

    def hear(message: Message) -> None:
        heard.hear(message)
        ends[0] = message.at

    with (
        running(processes, out / LOGS, out / BAG, cameras=()) as supervisor,
        Client() as client,
        Player(model.joints, partial(say, client), rate=rate) as player,
    ):
        player.open([camera.name for camera in model.cameras], compressed)
        wait_for_nodes(client, player, supervisor.check)
        client.wait_subscribed('instruction', 2, START_TIMEOUT, supervisor.check)  # the recorder, too
        client.wait_subscribed('/clock', len(processes) + 1, START_TIMEOUT, supervisor.check)
        player.play(_watched(stream(), supervisor.check), hear)
        client.wait(lambda: False, LAST_WORDS, supervisor.check)
        reports = {node: dict(values) for node, values in client.state.reports.items()}
    recorded = heard.recording()
    said = _results(out / BAG, model).recording()
    seconds = ends[0] / NANOSECONDS
    return Outcome(
        seconds=seconds,
        clock=heard.clock,
        recorded=recorded,
        replayed=replace(recorded, decisions=said.decisions, plans=said.plans),
        sent=tuple(round(at * NANOSECONDS) for at in said.plans.times),
        refusals=tuple(_refusals(reports, seconds)),
        reports=reports,
    )


def _is_compressed(stream: Callable[[], Iterable[Message]]) -> bool:
    for message in stream():
        if isinstance(message, CameraFrame):
            return message.compressed
    return False


def _watched(messages: Iterable[Message], check: Callable[[], None]) -> Iterable[Message]:
    """The same messages; stops with an error as soon as a process has died."""
    for number, message in enumerate(messages):
        if number % 50 == 0:
            check()
        yield message


def _results(bag: Path, model: Model) -> Transcript:
    """What the nodes said, on the time line of the clock that they heard."""
    opened = Bag(bag)
    topics = {topic.name: (topic.type_name, topic.count) for topic in opened.topics.values()}
    heard = Transcript(model.joints)
    for message in BagReader(opened, find_layout(topics, ()), model.joints).messages():
        heard.hear(message)
    return heard


def _refusals(reports: dict[str, dict[str, str]], at: float) -> list[Refused]:
    """What each node counted; when is not told."""
    return [
        Refused(at, node, key.removeprefix(COUNTED), '')
        for node, values in sorted(reports.items())
        for key, value in sorted(values.items())
        if key.startswith(COUNTED) and value.isdigit()
        for _ in range(int(value))
    ]
