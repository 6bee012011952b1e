"""What grows with what, and what a machine of another speed would take: measured here, explained by a roofline."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.bench.figures import QUICK, Contender, Effort, figure, interleaved, timed
from vla_ros.bench.published import MACHINES, published_check
from vla_ros.bench.roofline import Roofline, fit_machine, fit_roofline
from vla_ros.bench.section import Request, Section
from vla_ros.bench.work import Work
from vla_ros.bundle import Bundle, load_bundle
from vla_ros.fixed_run import FixedRun
from vla_ros.reasoning.onnx_reasoner import decoder_of
from vla_ros.runtime import open_session
from vla_ros.types import VlaError

LENGTHS = (2, 4, 8, 16, 32, 64)
"""Tokens of a trace."""
ONE_PASS, ONE_BY_ONE = 'tokens_in_one_pass', 'tokens_one_by_one'
OPERATORS_A_LAYER = 12
"""Operators of one block of our graph: what a published layer's overhead is divided by."""


def growth_section(request: Request) -> Section:
    """What grows with what.

    Measured:

    sweeps: milliseconds of System 1 by cameras, horizon, flow steps, rows of the thought and parameters (times those of
        the bundle); of the eyes by cameras; of System 2 by tokens, read in one pass and one after another.
    fit_error: the largest factor by which the fitted roofline is wrong about any point that it was fitted to.
    predicted_ms: what the bundle's System 1 would take on NVIDIA's machines, by the same model.
    published: whether the model explains published times of a larger head; see ``vla_ros.bench.published``.
    """
    section = Section()
    section.values['published'] = published_check()
    section.values['sweeps'] = _traces(load_bundle(request.bundle), request.effort)
    with tempfile.TemporaryDirectory() as folder:
        try:
            index = _graphs(request, Path(folder))
        except VlaError as error:
            section.missing.append(str(error))
            return section
        contenders: dict[str, Contender] = {}
        for entry in index:
            run = FixedRun(open_session(Path(folder) / entry['file']))
            contenders[entry['file']] = timed(run)
        runs = interleaved(contenders, request.effort)
    works = [Work(entry['flops'], entry['bytes'], entry['operators']) for entry in index]
    seconds = [figure([run[entry['file']] for run in runs]).median for entry in index]
    machine = fit_machine(list(zip(works, seconds)))
    model = fit_roofline([(work, machine, took) for work, took in zip(works, seconds)])
    factors = []
    for entry, work, took in zip(index, works, seconds):
        predicted = model.seconds(work, machine)
        factors.append(max(predicted / took, took / predicted))
        points = section.values['sweeps'].setdefault(entry['sweep'], {})
        points[str(entry['value'])] = {'ms': round(1e3 * took, 4), 'predicted_ms': round(1e3 * predicted, 4)}
    section.values['this_machine'] = {
        'gflops_per_second': round(machine.flops / 1e9, 2),
        'gigabytes_per_second': round(machine.bandwidth / 1e9, 2),
        'microseconds_an_operator': round(1e6 * model.overhead, 3),
    }
    section.values['fit_error'] = round(max(factors), 3)
    own = next(work for entry, work in zip(index, works) if entry['sweep'] == 'parameters')
    section.values['predicted_ms'] = _elsewhere(own, section.values['published'])
    return section


def _elsewhere(work: Work, published: dict[str, Any]) -> dict[str, float]:
    """Milliseconds on other machines, in half precision, with the overhead of a layer shared by its operators."""
    model = Roofline(published['efficiency'], published['microseconds_a_layer'] / 1e6 / OPERATORS_A_LAYER)
    half = Work(work.flops, work.bytes / 2, work.operators)
    return {name: round(1e3 * model.seconds(half, machine), 3) for name, machine in MACHINES.items()}


def _traces(bundle: Bundle, effort: Effort) -> dict[str, Any]:
    """System 2's milliseconds for n tokens behind a picture: in one pass, if its graph can, and one after another."""
    spec = bundle.manifest.reasoning
    decoder = decoder_of(open_session(bundle.file('language')), spec)
    rows = bundle.rows_of(spec.cameras)
    picture = np.zeros((len(rows), bundle.manifest.tokens.width), np.float32)
    ids = np.arange(8, 9 + max(LENGTHS))
    answers = 2 if decoder.verifies else 1
    contenders: dict[str, Contender] = {}
    ways = {ONE_BY_ONE: 1, **({ONE_PASS: max(LENGTHS)} if decoder.verifies else {})}

    def reading(length: int, step: int) -> Contender:
        def work() -> None:
            for at in range(0, length, step):
                # A graph that verifies reads a guess beside every single token.
                part = ids[at : at + max(min(step, length), answers)]
                decoder.read(picture[:0], part, len(rows) + at, answers)

        return timed(work)

    decoder.read(picture, ids[:2], 0, answers)
    for way, step in ways.items():
        for length in LENGTHS:
            contenders[f'{way} {length}'] = reading(length, step)
    runs = interleaved(contenders, effort)
    return {
        way: {
            str(length): {'ms': round(1e3 * figure([run[f'{way} {length}'] for run in runs]).median, 4)}
            for length in LENGTHS
        }
        for way in ways
    }


def _graphs(request: Request, folder: Path) -> list[dict[str, Any]]:
    """Graphs of all sizes, written by a process of its own that needs the packages of training."""
    quick = ['quick'] if request.effort == QUICK else []
    command = [
        sys.executable,
        '-m',
        'vla_ros.bench.peer_growth',
        str(request.bundle),
        str(folder),
        *quick,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VlaError(f'growth: no graphs of other sizes ({done.stderr.strip().splitlines()[-1][:200]})')
    found: list[dict[str, Any]] = json.loads((folder / 'index.json').read_text(encoding='utf-8'))
    return found
