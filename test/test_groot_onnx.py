"""An imported GR00T: read strictly, taken over as it computes, and run in the place of a policy server."""

from __future__ import annotations

import copy
import json
import threading
import zlib
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
from served_policy import tiny_manifest
from tiny_groot import (
    ACTION,
    CAMERAS,
    EMBODIMENT,
    HORIZON,
    JOINT,
    MODALITIES,
    ROWS,
    SPECIAL,
    TOKENS,
    expected,
    write_checkpoint,
    write_export,
    write_vlm,
)
from tokenizers import pre_tokenizers

from vla_ros.action.groot.link import GrootOnnxLink
from vla_ros.action.groot.model import FILE, load_model, write_model
from vla_ros.action.groot.pictures import patches
from vla_ros.action.noise import noise
from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.link import Asked
from vla_ros.action.remote.mapping import joint_targets, state_vector
from vla_ros.action.remote.policy import open_policy
from vla_ros.action.remote.policy_file import PolicyFile
from vla_ros.bundle import sha256
from vla_ros.training import single_precision
from vla_ros.training.groot_checkpoint import read_checkpoint
from vla_ros.training.import_groot import import_groot
from vla_ros.types import JointSample, Pictures, Thought, VlaError

STATE = {'arm': np.array([0.3, -1.0], np.float32), 'turn': np.array([0.5], np.float32)}
PICTURE = np.random.default_rng(0).integers(0, 255, (12, 16, 3)).astype(np.uint8)


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export, checkpoint and vision-language model beside each other."""
    folder = tmp_path_factory.mktemp('source')
    write_export(folder / 'export')
    write_checkpoint(folder / 'checkpoint')
    write_vlm(folder / 'vlm')
    return folder


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    out = tmp_path_factory.mktemp('model')
    import_groot(source / 'export', source / 'checkpoint', source / 'vlm', out)
    return out


def policy(**changes: Any) -> PolicyFile:
    parts = {'arm': ['a', 'b'], 'turn': ['c']}
    columns = {key: [{'joint': joint} for joint in joints] for key, joints in parts.items()}
    actions = {'space': 'joint', 'representation': 'absolute'}
    content: dict[str, Any] = {
        'name': 'tiny',
        'title': 'A tiny GR00T',
        'backend': 'groot_onnx',
        'prompt': 'subtask',
        'prompt_key': 'task',
        'horizon': HORIZON,
        'dt': 0.1,
        'pictures': [{'key': key, 'camera': key} for key in CAMERAS],
        'state': [{'key': key, 'columns': columns[key]} for key in parts],
        'actions': [{'key': key, 'columns': columns[key], **actions} for key in parts],
    }
    return PolicyFile.model_validate({**content, **changes})


def asked(seed: int = 7, prompt: str = 'Touch it!') -> Asked:
    pictures = {key: np.roll(PICTURE, number, 0) for number, key in enumerate(CAMERAS)}
    return Asked(pictures, STATE, prompt, seed)


def connected(model: Path) -> GrootOnnxLink:
    link = GrootOnnxLink(policy(), model)
    link.connect()
    return link


def tokens_of(words: str) -> tuple[np.ndarray, np.ndarray]:
    """Ids of the whole prompt, bytes and special tokens; and their places: two rows of two tokens a picture."""
    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    special = {token: 256 + number for number, token in enumerate(SPECIAL)}
    ids, places, now = [], [], 0

    def write(*tokens: int) -> None:
        nonlocal now
        for token in tokens:
            ids.append(token)
            places.append((now, now, now))
            now += 1

    write(special['<|im_start|>'], *(letters[letter] for letter in 'userĊ'))
    for _ in CAMERAS:
        write(special['<|vision_start|>'])
        ids += [special['<|image_pad|>']] * TOKENS
        places += [(now, now, now), (now, now, now + 1), (now, now + 1, now), (now, now + 1, now + 1)]
        now += 2
        write(special['<|vision_end|>'])
    write(*(letters[letter] for letter in words.replace(' ', 'Ġ')))
    write(special['<|im_end|>'], letters['Ċ'])
    return np.array(ids), np.array(places).T


def test_a_chunk_is_what_four_steps_of_euler_make_of_pictures_words_and_state(model: Path) -> None:
    link, question = connected(model), asked()
    started = noise(7, 0, (ROWS, ACTION))
    pixels = patches([question.pictures[key] for key in CAMERAS], load_model(model).pictures)
    ids, places = tokens_of('touch it')  # lower case, no punctuation
    arm = 2 * (STATE['arm'] - [-1.0, -2.0]) / [2.0, 5.0] - 1  # between the percentiles
    state = np.array([*arm, np.sin(0.5), np.cos(0.5), 0, 0, 0, 0])
    wanted = expected(pixels, ids, places, state, started)

    np.testing.assert_allclose(link.chunk(question, started), wanted, atol=1e-5)

    found = link.ask(question)
    steps = np.arange(1, HORIZON + 1)[:, None] * np.array([0.1, 0.2])
    low, high = -steps - 0.5, steps + 0.25  # the extremes, also where percentiles are used
    relative = (np.clip(wanted[:HORIZON, :2], -1, 1) + 1) / 2 * (high - low) + low
    np.testing.assert_allclose(found['arm'], STATE['arm'] + relative, atol=1e-5)
    np.testing.assert_allclose(found['turn'], wanted[:HORIZON, 2:3] * 1.5, atol=1e-5)
    assert {key: value.shape for key, value in found.items()} == {'arm': (HORIZON, 2), 'turn': (HORIZON, 1)}


def test_the_same_question_has_the_same_answer_and_another_another(model: Path) -> None:
    link = connected(model)
    first = link.ask(asked())['turn']
    np.testing.assert_array_equal(first, link.ask(asked())['turn'])
    for other in (asked(seed=8), asked(prompt='Push it!')):
        assert np.abs(link.ask(other)['turn'] - first).max() > 1e-4


def test_no_graph_is_in_bfloat16_any_more_and_no_weight_has_changed(source: Path, model: Path) -> None:
    before, after = (onnx.load(source / 'export' / 'dit_bf16.onnx'), onnx.load(model / 'dit.onnx'))
    assert {tensor.data_type for tensor in before.graph.initializer} == {TensorProto.BFLOAT16}
    assert {tensor.data_type for tensor in after.graph.initializer} == {TensorProto.FLOAT}
    for one, other in zip(before.graph.initializer, after.graph.initializer, strict=True):
        np.testing.assert_array_equal(
            onnx.numpy_helper.to_array(one).astype(np.float32), onnx.numpy_helper.to_array(other)
        )


def test_weights_that_do_not_fit_into_a_graph_are_beside_it_and_checked(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    monkeypatch.setattr(single_precision, 'LARGEST_ALONE', 1000)
    spec = import_groot(source / 'export', source / 'checkpoint', source / 'vlm', tmp_path / 'model')
    assert 'words_weights' in spec.files
    np.testing.assert_array_equal(
        connected(tmp_path / 'model').ask(asked())['turn'], connected(model).ask(asked())['turn']
    )
    with (tmp_path / 'model' / 'words.onnx.data').open('ab') as file:
        file.write(b'!')
    with pytest.raises(VlaError, match=r'words\.onnx\.data was altered'):
        connected(tmp_path / 'model')
    files = {key: file for key, file in spec.files.items() if key != 'words_weights'}
    write_model(tmp_path / 'model', spec.model_copy(update={'files': files}))
    with pytest.raises(VlaError, match='kept outside'):
        connected(tmp_path / 'model')


def changed(**changes: Any) -> dict[str, Any]:
    """The processor's configuration with other modalities."""
    modalities = copy.deepcopy(MODALITIES)
    for key, value in changes.items():
        modalities[key].update(value)
    return {'modality_configs': {EMBODIMENT: modalities}}


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


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'horizon': HORIZON + 1}, 'horizon: expected 4'),
        ({'pictures': [{'key': 'front', 'camera': 'front'}]}, r"pictures: expected \['front', 'wrist'\]"),
        ({'state': [{'key': 'arm', 'columns': [{'joint': 'a'}]}]}, r"state: expected \['arm', 'turn'\]"),
    ],
)
def test_a_policy_file_of_another_model_is_refused(model: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(VlaError, match=says):
        GrootOnnxLink(policy(**changes), model)


@pytest.mark.parametrize('representation', ['relative', 'delta'])
def test_numbers_that_mean_something_else_are_refused_and_never_scaled(
    model: Path, representation: str
) -> None:
    actions = [entry.model_dump() for entry in policy().actions]
    actions[0]['representation'] = representation
    with pytest.raises(VlaError, match='representation of arm: expected absolute'):
        GrootOnnxLink(policy(actions=actions), model)


def test_the_action_node_has_it_in_the_place_of_a_policy_server(source: Path, tmp_path: Path) -> None:
    keys = {'state': {'modality_keys': ['arm']}, 'action': {'modality_keys': ['arm'], 'action_configs': None}}
    checkpoint = write_checkpoint(tmp_path / 'checkpoint', processor=changed(**keys))
    import_groot(source / 'export', checkpoint, source / 'vlm', tmp_path / 'model')
    columns = [{'joint': 'lift', 'unit': 'deg'}, {'joint': 'pan'}]
    file = policy(
        state=[{'key': 'arm', 'columns': columns}],
        actions=[{'key': 'arm', 'space': 'joint', 'representation': 'delta', 'columns': columns}],
    )  # the checkpoint does not say what its actions are; the file does
    remote = open_policy('groot_onnx', file, tiny_manifest(), str(tmp_path / 'model'), 60.0)
    images = tuple(np.full((6, 8, 3), value, np.uint8) for value in (10, 200))
    joints = JointSample(5, np.array([0.2, -0.1]), np.zeros(2))
    remote.warm_up()
    try:
        pause = threading.Event()
        while remote.problem and 'not connected' in remote.problem:
            pause.wait(0.01)
        assert remote.problem == ''
        remote.hear_words(5, 'touch it')
        noises = noise(5, 0, (HORIZON, 2))
        chunk = remote.act(Pictures(5, images), Thought(5, np.ones((1, 4), np.float32)), joints, noises)
    finally:
        remote.close()

    link = GrootOnnxLink(file, tmp_path / 'model')
    link.connect()
    names = ('pan', 'lift')
    state = {'arm': state_vector(file.state[0].columns, names, joints.positions)}
    question = Asked(dict(zip(CAMERAS, images)), state, 'touch it', zlib.crc32(noises.tobytes()))
    wanted = joint_targets(file, names, joints.positions, link.ask(question))
    np.testing.assert_array_equal(chunk.positions, wanted)
    assert remote.providers == (f'groot_onnx model {tmp_path / "model"}',)


def test_a_file_that_was_altered_or_exchanged_is_not_run(model: Path, tmp_path: Path) -> None:
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / 'dit.onnx').write_bytes((model / 'vit.onnx').read_bytes())
    with pytest.raises(VlaError, match='was altered'):
        connected(tmp_path)
    spec = load_model(tmp_path)
    entry = spec.files['dit'].model_copy(update={'sha256': sha256(tmp_path / 'dit.onnx')})
    write_model(tmp_path, spec.model_copy(update={'files': {**spec.files, 'dit': entry}}))
    with pytest.raises(VlaError, match=r"dit\.onnx: inputs: expected .*found \['pixel_values'\]"):
        connected(tmp_path)


def test_a_description_that_contradicts_itself_is_refused(model: Path, tmp_path: Path) -> None:
    text = (model / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace('added_to: arm', 'added_to: turn'))
    with pytest.raises(VlaError, match="expected a state 'turn' of 2 numbers"):
        load_model(tmp_path)


def test_words_that_would_be_taken_for_a_special_token_are_refused(source: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / 'checkpoint', processor={'formalize_language': False})
    import_groot(source / 'export', checkpoint, source / 'vlm', tmp_path / 'model')
    link = connected(tmp_path / 'model')
    with pytest.raises(ServerError, match='found the special token'):
        link.ask(asked(prompt='touch <|image_pad|> it'))
    assert link.ask(asked())['arm'].shape == (HORIZON, 2)


def test_who_gives_up_is_not_kept_waiting_and_may_ask_again(model: Path) -> None:
    link = connected(model)
    link.abort()
    with pytest.raises(ServerError, match='given up'):
        link.ask(asked())
    link.close()
    link.connect()
    assert link.ask(asked())['arm'].shape == (HORIZON, 2)


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
