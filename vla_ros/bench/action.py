"""System 1: from tokens, thought and joints to a chunk, against PyTorch and against what the machine can do."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from vla_ros.action.flow import FlowPolicy
from vla_ros.action.noise import noise
from vla_ros.bench.figures import Contender, figure, interleaved, ratio, timed
from vla_ros.bench.peers import COMPILE, TORCH, peer
from vla_ros.bench.section import Request, Section
from vla_ros.bench.work import WEIGHT_BYTES, flow_products, work_of
from vla_ros.bundle import Bundle, load_bundle
from vla_ros.types import JointSample, Thought, VisualTokens, VlaError

OURS, PRODUCTS, LARGE, COPY = 'ours', 'products', 'large', 'copy'
LARGE_PRODUCT = ((512, 512, 512, 1),)
MODES = {TORCH: 'eager', COMPILE: 'compile'}
KEYS = {TORCH: 'vs_torch_eager', COMPILE: 'vs_torch_compile'}


def action_section(request: Request) -> Section:
    """How fast System 1 is.

    ``vs_...``: how many times as long a peer takes. ``matmul_share``: the bare products' time in ours.
    ``peak_share``: our rate of operations in that of one large product. ``bandwidth_share``: the time of reading all
    weights of each step at the speed of copying memory. Weights that stay in a cache are read faster than that.
    """
    section, bundle = Section(), load_bundle(request.bundle)
    policy, inputs = FlowPolicy(bundle), _inputs(bundle)
    config = request.bundle / 'action' / 'config.json'
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        np.savez(folder / 'inputs.npz', **_graph_inputs(policy, inputs))
        contenders: dict[str, Contender] = {OURS: timed(lambda: policy.act(*inputs))}
        for name in (name for name in MODES if name in request.peers):
            try:
                found = stack.enter_context(
                    peer(name, 'peer_torch', MODES[name], str(request.bundle), str(folder / 'inputs.npz'))
                )
            except VlaError as error:
                section.missing.append(str(error))
                continue
            contenders[name] = found
            section.values[f'difference_from_{MODES[name]}'] = _difference(
                bundle, policy, inputs, found.answers
            )
        work = None
        if config.is_file():
            sizes = json.loads(config.read_text(encoding='utf-8'))
            products = flow_products(sizes, bundle.manifest.thought.rows)
            work = work_of(products, 0, WEIGHT_BYTES[bundle.manifest.precision.action])
            contenders[PRODUCTS] = stack.enter_context(
                peer(PRODUCTS, 'peer_limits', 'products', json.dumps(products))
            )
            large = contenders[LARGE] = stack.enter_context(
                peer(LARGE, 'peer_limits', 'products', json.dumps(LARGE_PRODUCT))
            )
            copying = contenders[COPY] = stack.enter_context(peer(COPY, 'peer_limits', 'copy'))
        else:
            section.missing.append(f'{config}: the sizes of System 1, for shares of what the machine can do')
        runs = interleaved(contenders, request.effort)
    section.values['milliseconds'] = round(1e3 * figure([run[OURS] for run in runs]).median, 3)
    for name in MODES:
        if name in contenders:
            section.figures[KEYS[name]] = ratio(runs, name, OURS)
    if work is not None:
        section.figures['matmul_share'] = ratio(runs, PRODUCTS, OURS)
        section.figures['peak_share'] = figure(
            [work.flops / run[OURS] * run[LARGE] / large.answers for run in runs]
        )
        section.figures['bandwidth_share'] = figure(
            [work.bytes * run[COPY] / copying.answers / run[OURS] for run in runs]
        )
        section.values['gflops_per_second'] = round(
            work.flops / figure([run[OURS] for run in runs]).median / 1e9, 2
        )
    return section


def _inputs(bundle: Bundle) -> tuple[Any, ...]:
    """What the policy is asked with: a picture, a thought of half its rows, the arm at rest, noise."""
    manifest, draw = bundle.manifest, np.random.default_rng(0)
    joints = np.array(manifest.robot.rest)
    return (
        VisualTokens(1, draw.standard_normal((manifest.tokens.rows, manifest.tokens.width), np.float32)),
        Thought(
            1, draw.standard_normal((manifest.thought.rows // 2 or 1, manifest.thought.width), np.float32)
        ),
        JointSample(1, joints, np.zeros_like(joints)),
        noise(1, 0, (manifest.chunk.horizon, len(joints))),
    )


def _difference(bundle: Bundle, policy: FlowPolicy, inputs: tuple[Any, ...], answers: Any) -> float:
    """The largest difference of the normalised actions that a peer and we come to."""
    spec, chunk = bundle.manifest.normalisation.action, policy.act(*inputs).positions
    anchor = inputs[2].positions if bundle.manifest.chunk.representation == 'relative' else 0.0
    return float(np.abs((chunk - anchor - spec.mean) / spec.std - np.array(answers)[0]).max())


def _graph_inputs(policy: FlowPolicy, inputs: tuple[Any, ...]) -> dict[str, Any]:
    """The same as the graph has it, for the peers."""
    policy.act(*inputs)
    return policy.inputs
