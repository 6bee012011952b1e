"""Graphs in fp16 and int8: near to PyTorch, the same at their edges, and loudly refused where they are not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

torch = pytest.importorskip('torch')
pytest.importorskip('transformers')
onnx = pytest.importorskip('onnx')

from tiny_eyes import tiny_eyes  # noqa: E402

from vla_ros.action.flow import FlowPolicy  # noqa: E402
from vla_ros.bundle import load_bundle  # noqa: E402
from vla_ros.manifest import Precision, PrecisionSpec  # noqa: E402
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner  # noqa: E402
from vla_ros.runtime import open_session  # noqa: E402
from vla_ros.training.assemble import renew_graphs  # noqa: E402
from vla_ros.training.export import export_action, export_vision  # noqa: E402
from vla_ros.training.flow import FlowConfig, FlowHead  # noqa: E402
from vla_ros.training.int8_weights import BLOCK, LARGEST, ZERO, quantise  # noqa: E402
from vla_ros.training.precision import LIMITS, chosen  # noqa: E402
from vla_ros.types import Situation, VisualTokens, VlaError  # noqa: E402

SHIPPED = Path(__file__).parent.parent / 'models' / 'tabletop'
CONFIG = FlowConfig(
    tokens=10, token_width=16, thought_width=16, width=32, heads=2, joints=3, horizon=8, prefix=4, pairs=2
)
LOWER: list[Any] = ['fp16', 'int8']


def action_graph(path: Path, precision: Precision) -> float:
    torch.manual_seed(0)
    return export_action(FlowHead(CONFIG), path, CONFIG.tokens, 5, precision)


def edges(path: Path) -> list[tuple[str, str, Any]]:
    session = open_session(path)
    return [
        (value.name, value.type, value.shape) for value in (*session.get_inputs(), *session.get_outputs())
    ]


@pytest.mark.parametrize('precision', LOWER)
def test_given_a_head_when_exported_lower_then_it_differs_by_rounding_and_its_edges_not_at_all(
    precision: Precision, tmp_path: Path
) -> None:
    full, lower = tmp_path / 'full.onnx', tmp_path / 'lower.onnx'
    action_graph(full, 'fp32')

    assert 1e-6 < action_graph(lower, precision) < LIMITS[precision]
    assert edges(lower) == edges(full)
    assert lower.stat().st_size < full.stat().st_size


@pytest.mark.parametrize('precision', LOWER)
def test_given_eyes_when_exported_lower_then_they_differ_by_rounding(
    precision: Precision, tmp_path: Path
) -> None:
    path = tmp_path / 'vision.onnx'
    assert 1e-6 < export_vision(tiny_eyes(), path, 2, precision) < LIMITS[precision]
    assert {kind for _, kind, _ in edges(path)} == {'tensor(uint8)', 'tensor(float)'}


@pytest.mark.parametrize('precision', LOWER)
def test_given_a_head_when_exported_lower_then_norms_the_state_and_the_action_are_in_float32(
    precision: Precision, tmp_path: Path
) -> None:
    path = tmp_path / 'action.onnx'
    action_graph(path, precision)
    model = onnx.load(str(path))
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    halves = {
        node.output[0] for node in model.graph.node if node.op_type == 'Cast' and node.attribute[0].i == 10
    }
    found = {node.op_type for node in model.graph.node if halves.isdisjoint(node.input)}

    assert {'LayerNormalization', 'SkipLayerNormalization', 'Where'} <= found
    to_joints = [
        node
        for node in model.graph.node
        if node.op_type == 'Gemm' and types.get(node.input[1]) == onnx.TensorProto.FLOAT
    ]
    # The state's way in is one product, and in each step the actions have one in and one out.
    assert len(to_joints) == 1 + 2 * CONFIG.steps


@pytest.mark.parametrize('precision', LOWER)
def test_given_a_graph_that_says_something_else_than_pytorch_when_lowered_then_it_is_refused(
    precision: Precision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('vla_ros.training.export.integrate', lambda head, **inputs: inputs['noise'])
    with pytest.raises(VlaError, match=f'below {LIMITS[precision]:g} in {precision}, found'):
        action_graph(tmp_path / 'action.onnx', precision)


def test_given_weights_beyond_float16_when_exported_in_it_then_that_is_refused(tmp_path: Path) -> None:
    head = FlowHead(CONFIG)
    with torch.no_grad():
        head.blocks[0].attention.query.weight[0, 0] = 1e6
    with pytest.raises(VlaError, match='expected a relative difference from PyTorch'):
        export_action(head, tmp_path / 'action.onnx', CONFIG.tokens, 5, 'fp16')


matrices = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 2 * BLOCK + 1)),
    elements=st.floats(-100, 100, width=32),
)


@given(matrices)
def test_given_any_weights_when_quantised_then_each_is_within_half_a_step_of_its_block(
    weight: np.ndarray[Any, Any],
) -> None:
    numbers, scale = quantise(weight)

    restored = ((numbers.astype(np.float64) - ZERO) * scale[..., None]).reshape(len(weight), -1)
    inputs = weight.shape[1]
    steps = np.repeat(scale, BLOCK, axis=1)[:, :inputs]
    assert (np.abs(restored[:, :inputs] - weight) <= steps * (0.5 + 1e-4)).all()
    assert (restored[:, inputs:] == 0).all()
    assert (np.abs(numbers.astype(int) - ZERO) <= LARGEST).all()


@pytest.mark.parametrize(
    ('before', 'asked', 'graphs', 'expected'),
    [
        ({}, 'fp16', (), ('fp16', 'fp16', 'fp16')),
        ({'vision': 'fp16'}, 'int8', (), ('fp32', 'int8', 'int8')),
        ({'vision': 'fp16'}, 'int8', ('language',), ('fp16', 'int8', 'fp32')),
        ({'vision': 'fp16', 'action': 'int8'}, 'fp32', (), ('fp32', 'fp32', 'fp32')),
    ],
    ids=['all gain', 'some gain', 'only one is named', 'and back'],
)
def test_a_precision_is_for_the_graphs_that_gain_or_that_are_named(
    before: dict[str, Any], asked: str, graphs: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    spec = chosen(PrecisionSpec(**before), asked, graphs)
    assert (spec.vision, spec.language, spec.action) == expected


@pytest.mark.parametrize(
    ('asked', 'graphs', 'problem'),
    [
        ('int4', (), "precision: expected one of .*'int8'.*, found 'int4'"),
        ('int8', ('eyes',), "graph: expected some of .*'vision'.*, found 'eyes'"),
    ],
)
def test_given_a_precision_or_graph_that_there_is_not_when_asked_for_then_nothing_is_written(
    asked: str, graphs: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    shutil.copy(SHIPPED / 'manifest.yaml', tmp_path)
    with pytest.raises(VlaError, match=problem):
        renew_graphs(tmp_path, precision=asked, graphs_in_it=graphs)
    assert [path.name for path in tmp_path.iterdir()] == ['manifest.yaml']


@pytest.mark.slow
def test_given_a_copy_of_a_bundle_when_its_precision_changes_then_it_says_so_and_thinks_the_same_with_drafts(
    tmp_path: Path,
) -> None:
    folder = tmp_path / 'tabletop'
    shutil.copytree(SHIPPED, folder)
    for precision in reversed(get_args(Precision)):
        found = renew_graphs(folder, precision=precision)

        bundle = load_bundle(folder)
        assert bundle.manifest.precision == chosen(PrecisionSpec(), precision)
        kept = {k: v for k, v in bundle.manifest.metrics.items() if k.startswith('onnx_')}
        assert kept == found
        spec = bundle.manifest.tokens
        draw = np.random.default_rng(0)
        drafted, plain = OnnxReasoner(bundle), OnnxReasoner(bundle, speculates=False)
        for stamp in range(3):
            seen = VisualTokens(stamp, draw.standard_normal((spec.rows, spec.width), np.float32))
            (said, meant), (wanted, thought) = (
                mind.think(seen, 'touch the red cube', situation=Situation('open'))
                for mind in (drafted, plain)
            )
            assert said == wanted and meant.rows.tobytes() == thought.rows.tobytes()
        FlowPolicy(bundle).warm_up()
    assert found.keys() == {'onnx_difference'}
