"""Exported graphs: they say what PyTorch says, and a bundle whose graphs are written anew thinks and acts as before."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('onnx')

from tiny_eyes import tiny_eyes  # noqa: E402

from vla_ros.action.flow import FlowPolicy  # noqa: E402
from vla_ros.action.noise import noise  # noqa: E402
from vla_ros.bundle import load_bundle  # noqa: E402
from vla_ros.fixed_run import FixedRun  # noqa: E402
from vla_ros.perception.encoder import Encoder  # noqa: E402
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner  # noqa: E402
from vla_ros.runtime import open_session  # noqa: E402
from vla_ros.training.assemble import renew_graphs  # noqa: E402
from vla_ros.training.export import export_action, export_vision  # noqa: E402
from vla_ros.training.flow import FlowConfig, FlowHead  # noqa: E402
from vla_ros.types import Frame, JointSample, Situation, Thought, VisualTokens, VlaError  # noqa: E402

SHIPPED = Path(__file__).parent.parent / 'models' / 'tabletop'
SMALL = {'tokens': 10, 'token_width': 16, 'thought_width': 12, 'width': 24, 'heads': 2}


@pytest.mark.parametrize(
    'config',
    [
        FlowConfig(**SMALL, joints=3, horizon=8, prefix=4, pairs=2),
        FlowConfig(**SMALL, joints=2, horizon=5, prefix=1, pairs=3, steps=1, velocities=True),
        FlowConfig(**SMALL, joints=1, horizon=1, prefix=0, pairs=2, steps=7),
    ],
    ids=['as usual', 'one step, an odd number of pairs', 'one joint and one action'],
)
def test_the_fused_loop_is_the_loop_whatever_the_sizes(config: FlowConfig, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / 'action.onnx'
    assert export_action(FlowHead(config), path, config.tokens, 5) < 1e-5
    assert FixedRun(open_session(path)).inputs['state'].shape == (1, config.state)


def test_a_graph_that_says_something_else_than_pytorch_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('vla_ros.training.export.integrate', lambda head, **inputs: inputs['noise'])
    config = FlowConfig(**SMALL, joints=3, horizon=8, prefix=4, pairs=2)
    with pytest.raises(VlaError, match='expected a difference from PyTorch below 1e-05'):
        export_action(FlowHead(config), tmp_path / 'action.onnx', config.tokens, 5)


@pytest.mark.parametrize('cameras', [1, 3])
def test_the_eyes_take_pictures_as_they_are(cameras: int, tmp_path: Path) -> None:
    path = tmp_path / 'vision.onnx'
    assert export_vision(tiny_eyes(), path, cameras) < 1e-4
    images = FixedRun(open_session(path)).inputs['images']
    assert (images.shape, images.dtype) == ((cameras, 32, 32, 3), np.uint8)


@pytest.mark.slow
def test_graphs_written_anew_integrate_in_as_many_steps_as_they_are_told_and_remember_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / 'tabletop'
    shutil.copytree(SHIPPED, folder)
    chunks = []
    for asked in (1, 2, None):
        assert renew_graphs(folder, asked)['onnx_difference']['action'] < 1e-5
        bundle = load_bundle(folder)
        policy, width = FlowPolicy(bundle), bundle.manifest.tokens.width
        rows = np.random.default_rng(0).standard_normal((bundle.manifest.tokens.rows, width), np.float32)
        thought = Thought(1, np.ones((3, bundle.manifest.thought.width), np.float32))
        joints = np.array(bundle.manifest.robot.rest)
        sample = JointSample(1, joints, np.zeros_like(joints))
        sight = VisualTokens(1, rows)
        chunks.append(policy.act(sight, thought, sample, noise(1, 1, policy.noise_shape)).positions)

    assert load_bundle(folder).manifest.flow.steps == 2
    assert np.abs(chunks[0] - chunks[1]).max() > 1e-3
    np.testing.assert_array_equal(chunks[1], chunks[2])


@pytest.mark.slow
def test_a_bundle_with_graphs_written_anew_sees_thinks_and_acts_as_before(tmp_path: Path) -> None:
    folder = tmp_path / 'tabletop'
    shutil.copytree(SHIPPED, folder)
    assert max(renew_graphs(folder)['onnx_difference'].values()) < 1e-4
    before, after = load_bundle(SHIPPED), load_bundle(folder)
    draw = np.random.default_rng(0)
    frames = [
        Frame(c.name, 1, draw.integers(0, 256, (c.height, c.width, 3), np.uint8))
        for c in before.manifest.cameras
    ]
    seen = Encoder(before).encode(frames)
    np.testing.assert_allclose(Encoder(after).encode(frames).rows, seen.rows, atol=1e-4)
    traces = [
        OnnxReasoner(b).think(seen, 'touch the red cube', situation=Situation('open'))[0].trace
        for b in (before, after)
    ]
    assert traces[0] == traces[1]
    joints = np.array(before.manifest.robot.rest)
    thought = Thought(1, draw.standard_normal((3, before.manifest.thought.width), np.float32))
    prefix = joints + np.linspace(0, 0.05, 4)[:, None]
    chunks = []
    for bundle in (before, after):
        policy = FlowPolicy(bundle)
        sample = JointSample(1, joints, np.zeros_like(joints))
        chunks.append(policy.act(seen, thought, sample, noise(1, 1, policy.noise_shape), prefix).positions)
    np.testing.assert_allclose(chunks[0], chunks[1], atol=1e-5)
