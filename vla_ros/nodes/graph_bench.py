"""The graph: how much longer than the models the way from camera to trajectory takes, and whether frames are lost."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sensor_msgs.msg import Image

from vla_ros import graph
from vla_ros.bench.figures import QUICK, Figure, figure
from vla_ros.bench.section import Request, Section
from vla_ros.diagnostics import latency_told
from vla_ros.evaluation.process_usage import usage_of
from vla_ros.hops import HOPS, TO_TRAJECTORY
from vla_ros.nodes import qos
from vla_ros.nodes.bringup import START_TIMEOUT, prepare_environment, require_ros, running
from vla_ros.nodes.client import Client
from vla_ros.nodes.stage import SLACK, Stage
from vla_ros.sim.layouts import OBJECTS, laid_out
from vla_ros.types import VlaError

WAY, COMPUTED = 'camera to trajectory', {'encode': 'perception', 'planning': 'action'}
SECONDS, QUICK_SECONDS = 30.0, 5.0
CAMERAS, RATE = ('front', 'wrist'), 30.0
MEBIBYTE = 2**20
SLOWEST = 0.9
"""Simulated seconds a second: latencies are in simulated time, and what they are compared with is not."""


def graph_section(request: Request) -> Section:
    """What the graph adds to computing.

    Measured, in a running graph with the simulator, one process a node and composed:

    overhead_p50: median of camera stamp to trajectory, over the sum of the medians of encoding and planning.
    overhead_p99: its 99th percentile over the same sum.
    overhead_of_...: the median of each hop of that way over the same sum; see ``vla_ros.hops.TO_TRAJECTORY``.
    composed_overhead_p50, composed_overhead_p99, composed_overhead_of_...: the same with all nodes in one process.
    active_seconds: from starting the processes to all nodes being active.
    resident_mib: of the process of the composed nodes, the simulator among them.
    plans_a_second: of System 1, while System 2 thinks.
    frames_lost: share of two cameras' frames of 640 x 480 at 30 Hz that did not come to another process.
    """
    require_ros()
    seconds = QUICK_SECONDS if request.effort == QUICK else SECONDS
    section = Section()
    prepare_environment(simulator=True, own_domain=True)
    section.figures['frames_lost'] = frames_lost(2 * seconds)
    for prefix, composed in (('', False), ('composed_', True)):
        _overhead(section, request, prefix, seconds, composed=composed)
    return section


def _overhead(section: Section, request: Request, prefix: str, seconds: float, *, composed: bool) -> None:
    processes = graph.processes(
        simulator=True, composed=composed, bundle=str(request.bundle), use_sim_time=True, log_level='warn'
    )
    nodes = [node for process in processes for node in process.nodes]
    begun = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as logs,
        running(processes, Path(logs)) as supervisor,
        Client() as client,
    ):
        client.wait_active(nodes, START_TIMEOUT, supervisor.check)
        section.values[f'{prefix}active_seconds'] = round(time.perf_counter() - begun, 2)
        stage = Stage(client, supervisor.check)
        samples: list[tuple[float, float]] = []
        hops: defaultdict[str, list[float]] = defaultdict(list)
        for run in range(request.effort.runs):
            stage.set_scene(request.seed + run, '')
            world, wall = client.state.now, time.perf_counter()
            client.instruct(f'touch the {laid_out(request.seed + run, OBJECTS).objects[0].name}')
            client.require(
                lambda world=world: client.state.now > world + seconds,  # type: ignore[misc]
                10 * seconds + SLACK,
                'simulated time did not go on',
                supervisor.check,
            )
            pace = (client.state.now - world) / (time.perf_counter() - wall)
            computed = sum(_told(client, node, f'{what} p50 [ms]') for what, node in COMPUTED.items())
            way = [_told(client, 'action', f'{WAY} {percent} [ms]') for percent in ('p50', 'p99')]
            samples.append((way[0] / computed, way[1] / computed))
            for hop, milliseconds in hop_medians(client.state.reports).items():
                hops[hop].append(milliseconds / computed)
        if pace >= SLOWEST:
            section.figures[f'{prefix}overhead_p50'] = figure([p50 for p50, _ in samples])
            section.figures[f'{prefix}overhead_p99'] = figure([p99 for _, p99 in samples])
            for hop, shares in hops.items():
                section.figures[f'{prefix}overhead_of_{hop.replace(" ", "_")}'] = figure(shares)
        else:
            section.missing.append(
                f'{prefix}overhead: expected at least {SLOWEST} simulated seconds a second, found {pace:.2f}'
            )
        section.values[f'{prefix}simulated_seconds_a_second'] = round(pace, 3)
        section.values[f'{prefix}plans_a_second'] = _told(client, 'action', 'trajectories rate [Hz]')
        if composed:
            memory = usage_of(supervisor.pid(processes[0].executable)).memory
            section.values['resident_mib'] = round(memory / MEBIBYTE, 1)
        client.instruct('')


def hop_medians(reports: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
    """Milliseconds of each hop on the way to a trajectory that the nodes have told of, in the order of the way."""
    told = {hop.name: latency_told(reports.get(hop.node, {}), hop.name) for hop in HOPS}
    return {name: latency.p50 for name in TO_TRAJECTORY if (latency := told[name]) is not None}


def _told(client: Client, node: str, name: str) -> float:
    """A number that a node told on /diagnostics; VlaError if it never did: the arm did not move, then."""
    values = client.state.reports.get(node, {})
    if name not in values:
        raise VlaError(f'{node}: expected {name!r} on /diagnostics, found {sorted(values)}')
    return float(values[name])


def frames_lost(seconds: float) -> Figure:
    """The share of frames that another process sent and this one did not get, a camera a value."""
    frames = round(RATE * seconds)
    heard: Counter[str] = Counter()

    def count(message: Any) -> None:
        heard[message.header.frame_id] += 1

    with Client() as client:
        for name in CAMERAS:
            client.hear(Image, f'camera/{name}/image_raw', count, qos.CAMERA)
        command = [sys.executable, '-m', 'vla_ros.nodes.frame_source', '--frames', str(frames), *CAMERAS]
        subprocess.run(command, check=True, timeout=10 * seconds + 60)
        lost = [1 - heard[name] / frames for name in CAMERAS]
    return figure(lost)
