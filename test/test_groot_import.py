"""``vla_ros import groot-onnx``: what it takes over, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('onnx')

import onnx
from command_line import run
from onnx import TensorProto
from tiny_groot import (
    CAMERAS,
    JOINT,
    changed,
    write_checkpoint,
    write_export,
    write_source,
    write_vlm,
)

from vla_ros.action.groot.model import (
    load_model,
)
from vla_ros.training.groot_checkpoint import read_checkpoint
from vla_ros.training.import_groot import import_groot
from vla_ros.types import VlaError


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp('source'))


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    out = tmp_path_factory.mktemp('model')
    import_groot(source / 'export', source / 'checkpoint', source / 'vlm', out)
    return out


def test_no_graph_is_in_bfloat16_any_more_and_no_weight_has_changed(source: Path, model: Path) -> None:
    before, after = (onnx.load(source / 'export' / 'dit_bf16.onnx'), onnx.load(model / 'dit.onnx'))
    assert {tensor.data_type for tensor in before.graph.initializer} == {TensorProto.BFLOAT16}
    assert {tensor.data_type for tensor in after.graph.initializer} == {TensorProto.FLOAT}
    for one, other in zip(before.graph.initializer, after.graph.initializer, strict=True):
        np.testing.assert_array_equal(
            onnx.numpy_helper.to_array(one).astype(np.float32), onnx.numpy_helper.to_array(other)
        )


@pytest.mark.parametrize(
    ('config', 'processor', 'says'),
    [
        ({'model_type': 'Gr00tN1d6'}, {}, "model_type: expected 'Gr00tN1d7', found 'Gr00tN1d6'"),
        ({'use_alternate_vl_dit': False}, {}, 'use_alternate_vl_dit: expected True'),
        ({'state_history_length': 2}, {}, 'state_history_length: expected 1'),
        ({}, {'use_albumentations': False}, 'use_albumentations: expected True'),
        ({}, {'exclude_state': True}, 'exclude_state: expected False'),
        ({}, {'use_relative_action': False}, 'expected use_relative_action with RELATIVE'),
        ({}, {'modality_configs': {}}, 'expected an embodiment of'),
        ({}, changed(video={'delta_indices': [-15, 0]}), r'video: expected the present alone, \[0\]'),
        ({}, changed(state={'delta_indices': [-1, 0]}), 'state: expected the present alone'),
        ({}, changed(action={'delta_indices': [1, 2]}), 'action: expected steps from 0'),
        ({}, changed(state={'modality_keys': ['leg']}), "expected a key or a number, found none: KeyError.'leg'"),
        (
            {},
            changed(action={'action_configs': [{**JOINT, 'type': 'EEF', 'rep': 'RELATIVE'}] * 2}),
            'expected joints .NON_EEF, DEFAULT., found EEF',
        ),
        ({}, changed(action={'action_configs': [{**JOINT, 'rep': 'VELOCITY'}] * 2}), 'rep: expected one of'),
    ],
)  # fmt: skip
def test_what_is_not_done_here_is_refused(
    tmp_path: Path, config: dict[str, Any], processor: dict[str, Any], says: str
) -> None:
    with pytest.raises(VlaError, match=says):
        read_checkpoint(write_checkpoint(tmp_path, config, processor))


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'export_mode': 'action_head'}, "export_mode: expected 'full_pipeline', found 'action_head'"),
        ({'batch_size': 2}, 'batch_size: expected 1'),
        ({'action_horizon': 2}, 'horizon: expected at most 2, found 4'),
        ({'max_state_dim': 3}, 'numbers of the state: expected at most 3, found 4'),
        (
            {'backbone_embedding_dim': 13},
            r'vit_fp32.onnx: image_embeds: expected tensor.float. \(8, 13\), found tensor.float. \(8, 12\)',
        ),
        ({'num_deepstack': 2}, r'deepstack_features: expected tensor.float. \(2, 8, 12\)'),
        ({'hidden_size': None}, 'valid integer'),
    ],
)
def test_an_export_that_does_not_fit_is_refused_before_its_weights_are_read(
    source: Path, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    export = write_export(tmp_path / 'export', **changes)
    with pytest.raises(VlaError, match=says):
        import_groot(export, source / 'checkpoint', source / 'vlm', tmp_path / 'out')
    assert not list((tmp_path / 'out').glob('*.onnx'))


def renamed(graph: Any) -> None:
    graph.input[3].name = 'picture_mask'
    for node in graph.node:
        node.input[:] = ['picture_mask' if name == 'image_mask' else name for name in node.input]


def fixed(graph: Any) -> None:
    graph.input[1].type.tensor_type.shape.dim[1].dim_value = 77


def whole(graph: Any) -> None:
    graph.input[2].type.tensor_type.elem_type = TensorProto.INT32


@pytest.mark.parametrize(
    ('spoil', 'says'),
    [
        (renamed, r"dit_bf16.onnx: inputs: expected \['backbone_attention_mask', 'image_mask'.*picture_mask"),
        (fixed, r"vl_embs: expected tensor\(float\) \(1, 'any', 12\), found tensor\(float\) \(1, 77, 12\)"),
        (whole, r'timestep: expected tensor\(int64\) \(1,\), found INT32 \(1,\)'),
    ],
)
def test_a_graph_that_takes_something_else_is_refused(
    source: Path, tmp_path: Path, spoil: Any, says: str
) -> None:
    export = write_export(tmp_path / 'export')
    dit = onnx.load(export / 'dit_bf16.onnx')
    spoil(dit.graph)
    onnx.save(dit, export / 'dit_bf16.onnx')
    with pytest.raises(VlaError, match=says):
        import_groot(export, source / 'checkpoint', source / 'vlm', tmp_path / 'out')


def test_a_graph_that_is_missing_is_named(source: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path / 'export')
    (export / 'action_decoder.onnx').unlink()
    with pytest.raises(VlaError, match=r'expected action_decoder\.onnx, found none'):
        import_groot(export, source / 'checkpoint', source / 'vlm', tmp_path / 'out')


def test_the_export_of_another_checkpoint_is_refused(source: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    other = write_checkpoint(tmp_path / 'other')
    tensors = load_file(other / 'model.safetensors')
    tensors['action_head.state_encoder.layer1.W'] += 0.1
    save_file(tensors, other / 'model.safetensors')
    with pytest.raises(VlaError, match='expected the export of .*other, found other weights'):
        import_groot(source / 'export', other, source / 'vlm', tmp_path / 'out')


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'size': {'shortest_edge': 1024, 'longest_edge': 4096}}, 'expected pictures that it leaves as they are'),
        ({'patch_size': 5}, 'it takes multiples of 10'),
        ({'do_normalize': False}, 'do_normalize: expected True'),
        ({'image_mean': None}, 'expected a key or a number'),
    ],
)  # fmt: skip
def test_pictures_that_would_be_scaled_once_more_are_refused(
    source: Path, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    vlm = write_vlm(tmp_path / 'vlm', **changes)
    with pytest.raises(VlaError, match=says):
        import_groot(source / 'export', source / 'checkpoint', vlm, tmp_path / 'out')


@pytest.mark.parametrize('template', ['no pictures {{ messages[0].content[2].text }}', 'no words'])
def test_a_chat_template_without_pictures_or_words_is_refused(
    source: Path, tmp_path: Path, template: str
) -> None:
    vlm = write_vlm(tmp_path / 'vlm')
    (vlm / 'chat_template.jinja').write_text(template)
    with pytest.raises(VlaError, match='chat template: expected 2 times'):
        import_groot(source / 'export', source / 'checkpoint', vlm, tmp_path / 'out')


def test_the_command_imports_and_writes_into_no_folder_that_has_files(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ['import', 'groot-onnx', source / 'export', '--checkpoint', source / 'checkpoint']
    words += ['--vlm', source / 'vlm', '--out', tmp_path / 'model']
    assert run(monkeypatch, *words) == 0
    assert load_model(tmp_path / 'model').pictures.keys == CAMERAS
    assert run(monkeypatch, *words) == 1
    assert 'expected a new or empty folder' in capsys.readouterr().err


def test_the_description_says_where_it_came_from(model: Path) -> None:
    provenance = load_model(model).provenance
    assert provenance['checkpoint'] == 'checkpoint'
    assert json.dumps(provenance['export']['precision']) == '"bf16"'
