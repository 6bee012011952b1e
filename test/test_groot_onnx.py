"""An imported GR00T: it computes what its graphs say, in the place of a policy server, and runs nothing else."""

from __future__ import annotations

import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('onnx')

from groot_policy import groot_policy
from served_policy import tiny_manifest
from tiny_groot import (
    ACTION,
    CAMERAS,
    HORIZON,
    ROWS,
    SPECIAL,
    TOKENS,
    changed,
    expected,
    write_checkpoint,
    write_source,
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
from vla_ros.training.import_groot import import_groot
from vla_ros.types import JointSample, Pictures, Thought, VlaError

STATE = {'arm': np.array([0.3, -1.0], np.float32), 'turn': np.array([0.5], np.float32)}
PICTURE = np.random.default_rng(0).integers(0, 255, (12, 16, 3)).astype(np.uint8)


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp('source'))


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    out = tmp_path_factory.mktemp('model')
    import_groot(source / 'export', source / 'checkpoint', source / 'vlm', out)
    return out


def policy(**changes: Any) -> PolicyFile:
    return groot_policy({'arm': ['a', 'b'], 'turn': ['c']}, CAMERAS, HORIZON, **changes)


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
