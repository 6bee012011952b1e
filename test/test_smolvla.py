"""An imported SmolVLA: read strictly, exported as it computes, and run in the place of a policy server."""

from __future__ import annotations

import json
import math
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('onnx')

import torch
from command_line import run
from safetensors.torch import load_file, save_file
from served_policy import COLUMNS, tiny_manifest
from tiny_smolvla import HORIZON, IMAGES, JOINTS, MEAN, STD, WORDS, write_smolvla, write_vlm
from torch.nn import functional

from vla_ros.action.noise import noise
from vla_ros.action.remote.errors import ServerError
from vla_ros.action.remote.link import Asked
from vla_ros.action.remote.mapping import joint_targets, state_vector
from vla_ros.action.remote.policy import open_policy
from vla_ros.action.remote.policy_file import PolicyFile
from vla_ros.action.smolvla.link import SmolVlaLink, normalised, time_waves
from vla_ros.action.smolvla.model import FILE, TimeSpec, VectorSpec, load_model
from vla_ros.action.smolvla.pictures import as_seen
from vla_ros.training.import_smolvla import import_smolvla
from vla_ros.training.smolvla import Prefix, Step, patch_places
from vla_ros.training.smolvla_checkpoint import read_checkpoint
from vla_ros.types import JointSample, Pictures, Thought, VlaError

STATE = np.array([0.3, -1.0], np.float32)
ACTIONS = {'key': 'action', 'space': 'joint', 'representation': 'relative', 'columns': COLUMNS}
PICTURE = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)


@pytest.fixture(scope='module')
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vlm(tmp_path_factory.mktemp('vlm'))


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory: pytest.TempPathFactory, vlm: Path) -> Path:
    return write_smolvla(tmp_path_factory.mktemp('checkpoint'), vlm)


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> Path:
    out = tmp_path_factory.mktemp('model')
    import_smolvla(checkpoint, out)
    return out


def policy(**changes: Any) -> PolicyFile:
    columns = [{'joint': 'a'}, {'joint': 'b'}]
    content: dict[str, Any] = {
        'name': 'tiny',
        'title': 'A tiny SmolVLA',
        'backend': 'smolvla',
        'prompt': 'subtask',
        'prompt_key': 'task',
        'horizon': HORIZON,
        'dt': 0.1,
        'pictures': [{'key': key, 'camera': key[-7:]} for key in IMAGES],
        'state': [{'key': 'observation.state', 'columns': columns}],
        'actions': [{'key': 'action', 'space': 'joint', 'representation': 'absolute', 'columns': columns}],
    }
    return PolicyFile.model_validate({**content, **changes})


def asked(seed: int = 7, prompt: str = 'touch it') -> Asked:
    pictures = {key: np.roll(PICTURE, number, 0) for number, key in enumerate(IMAGES)}
    return Asked(pictures, {'observation.state': STATE}, prompt, seed)


def test_a_chunk_is_what_torch_makes_of_the_checkpoint_in_ten_steps_of_euler(
    checkpoint: Path, model: Path
) -> None:
    link = SmolVlaLink(policy(), model)
    link.connect()
    found = link.ask(asked())['action']

    read = read_checkpoint(checkpoint)
    prefix, step = Prefix(read.architecture, read.weights), Step(read.architecture, read.weights)
    images = torch.stack([torch.from_numpy(as_seen(picture, 32)) for picture in asked().pictures.values()])
    ids = torch.tensor(link._words.encode('touch it\n').ids)
    state = torch.zeros(5)
    state[:JOINTS] = (torch.from_numpy(STATE) - torch.tensor(MEAN)) / torch.tensor(STD)
    x = torch.from_numpy(noise(7, 0, (HORIZON, 4)))
    with torch.no_grad():
        cache = prefix(images, ids, state)
        for k in range(10):
            x = x - 0.1 * step(
                x,
                torch.from_numpy(time_waves(1 - k / 10, TimeSpec(width=24, shortest=4e-3, longest=4))),
                *cache,
            )
    wanted = x.numpy()[:, :JOINTS] * STD + MEAN

    assert found.shape == (HORIZON, JOINTS)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert np.abs(found - MEAN).max() > 0.1


def test_the_same_question_has_the_same_answer_and_another_seed_another(model: Path) -> None:
    link = SmolVlaLink(policy(), model)
    link.connect()
    np.testing.assert_array_equal(link.ask(asked())['action'], link.ask(asked())['action'])
    assert np.abs(link.ask(asked(seed=8))['action'] - link.ask(asked())['action']).max() > 1e-3
    assert np.abs(link.ask(asked(prompt='push it'))['action'] - link.ask(asked())['action']).max() > 1e-6


def test_nobody_but_the_state_sees_the_state(checkpoint: Path) -> None:
    read = read_checkpoint(checkpoint)
    prefix = Prefix(read.architecture, read.weights)
    images, words = torch.zeros(1, 3, 32, 32), torch.arange(3)
    with torch.no_grad():
        first, second = (prefix(images, words, torch.full((5,), value))[0] for value in (0.0, 1.0))
    torch.testing.assert_close(first[:, :-1], second[:, :-1], rtol=0, atol=0)
    assert not torch.equal(first[0, -1], second[0, -1])


def test_a_step_of_a_chunk_sees_those_before_it_and_none_behind(checkpoint: Path) -> None:
    read = read_checkpoint(checkpoint)
    step = Step(read.architecture, read.weights)
    cache = torch.randn(2, 4, 3, 2, 8, generator=torch.Generator().manual_seed(0))
    chunk = torch.zeros(HORIZON, 4)
    later = chunk.clone()
    later[3:] = 1.0
    with torch.no_grad():
        one, other = step(chunk, torch.zeros(24), *cache), step(later, torch.zeros(24), *cache)
    torch.testing.assert_close(one[:3], other[:3])
    assert (one[3:] - other[3:]).abs().max() > 1e-3


@pytest.mark.parametrize('shape', [(48, 64), (64, 48), (128, 128), (32, 32), (10, 7), (31, 200)])
def test_a_picture_is_scaled_as_torch_does_it_and_black_on_the_left_and_at_the_top(
    shape: tuple[int, int],
) -> None:
    image = np.random.default_rng(1).integers(0, 255, (*shape, 3)).astype(np.uint8)
    ratio = max(shape) / 32
    rows, columns = int(shape[0] / ratio), int(shape[1] / ratio)
    unit = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    wanted = functional.interpolate(unit, (rows, columns), mode='bilinear', align_corners=False)[0] * 2 - 1

    found = as_seen(image, 32)

    np.testing.assert_allclose(found[:, 32 - rows :, 32 - columns :], wanted, atol=1e-5)
    assert (found[:, : 32 - rows] == -1).all()
    assert (found[:, :, : 32 - columns] == -1).all()


def test_time_is_told_by_waves_between_the_shortest_and_the_longest() -> None:
    waves = time_waves(0.5, TimeSpec(width=6, shortest=0.01, longest=4.0))
    periods = [0.01, 0.2, 4.0]
    angles = [2 * math.pi * 0.5 / period for period in periods]
    np.testing.assert_allclose(
        waves, [math.sin(a) for a in angles] + [math.cos(a) for a in angles], atol=1e-6
    )


def test_a_state_is_normalised_and_filled_up_with_zeros() -> None:
    spec = VectorSpec(width=4, mean=(1.0, 2.0), std=(2.0, 0.5))
    np.testing.assert_allclose(
        normalised(np.array([3.0, 3.0], np.float32), spec), [1.0, 2.0, 0.0, 0.0], rtol=1e-6
    )


def test_patches_have_their_places_in_reading_order(checkpoint: Path) -> None:
    places = patch_places(read_checkpoint(checkpoint).architecture)
    np.testing.assert_array_equal(places, np.arange(64))


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'type': 'pi0'}, 'type: expected .smolvla'),
        ({'attention_mode': 'self_attn'}, 'attention_mode'),
        ({'adapt_to_pi_aloha': True}, 'adapt_to_pi_aloha'),
        ({'add_image_special_tokens': True}, 'add_image_special_tokens'),
        ({'resize_imgs_with_padding': [64, 64]}, 'resize_imgs_with_padding'),
        (
            {'normalization_mapping': {'STATE': 'MIN_MAX', 'ACTION': 'MEAN_STD'}},
            'normalization_mapping.STATE',
        ),
        ({'vlm_model_name': 'HuggingFaceTB/SmolVLM2'}, 'name it with --vlm'),
        ({'chunk_size': None}, 'expected a key or a number'),
        ({'num_steps': 'ten'}, 'expected a key or a number'),
        ({'input_features': {}}, 'expected pictures'),
    ],
)
def test_what_is_not_done_here_is_refused(
    checkpoint: Path, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    copy = tmp_path / 'copy'
    copy.mkdir()
    for file in checkpoint.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    config = json.loads((copy / 'config.json').read_text())
    (copy / 'config.json').write_text(json.dumps({**config, **changes}))
    with pytest.raises(VlaError, match=says):
        read_checkpoint(copy)


def test_statistics_that_are_missing_are_refused_for_lerobot_would_say_nothing(
    checkpoint: Path, tmp_path: Path
) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (state,) = tmp_path.glob('*_normalizer_processor.safetensors')
    tensors = load_file(state)
    save_file({name: x for name, x in tensors.items() if name != 'observation.state.std'}, state)
    with pytest.raises(VlaError, match=r'expected observation\.state\.std'):
        read_checkpoint(tmp_path)


def test_a_state_of_more_numbers_than_the_model_has_room_for_is_refused(
    checkpoint: Path, tmp_path: Path
) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / 'config.json').read_text())
    (tmp_path / 'config.json').write_text(json.dumps({**config, 'max_state_dim': 1}))
    with pytest.raises(VlaError, match='at most 1, found 2'):
        import_smolvla(tmp_path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_a_step_of_a_processor_that_nobody_knows_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / 'policy_postprocessor.json'
    content = json.loads(path.read_text())
    content['steps'].append({'registry_name': 'absolute_actions_processor', 'config': {}})
    path.write_text(json.dumps(content))
    with pytest.raises(VlaError, match='absolute_actions_processor'):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ('changes', 'says'),
    [
        ({'horizon': HORIZON + 1}, 'horizon: expected 6'),
        ({'pictures': [{'key': 'observation.images.top', 'camera': 'top'}]}, 'pictures: expected some of'),
        ({'state': [{'key': 'state', 'columns': [{'joint': 'a'}, {'joint': 'b'}]}]}, 'state: expected'),
        (
            {'state': [{'key': 'observation.state', 'columns': [{'joint': 'a'}]}]},
            'numbers of observation.state',
        ),
    ],
)
def test_a_policy_file_of_another_model_is_refused(model: Path, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(VlaError, match=says):
        SmolVlaLink(policy(**changes), model)


def test_the_action_node_has_it_in_the_place_of_a_policy_server(model: Path) -> None:
    pictures = [{'key': IMAGES[1], 'camera': 'wrist'}]  # one of its two, as LeRobot takes it, too
    file = policy(
        pictures=pictures, state=[{'key': 'observation.state', 'columns': COLUMNS}], actions=[ACTIONS]
    )
    remote = open_policy('smolvla', file, tiny_manifest(), str(model), 60.0)
    images = tuple(np.full((6, 8, 3), value, np.uint8) for value in (10, 200))
    joints = JointSample(5, np.array([0.2, -0.1]), np.zeros(2))
    remote.warm_up()
    try:
        pause = threading.Event()
        while remote.problem and 'not connected' in remote.problem:
            pause.wait(0.01)
        assert remote.problem == ''
        remote.hear_words(5, 'touch it')
        noises = noise(5, 0, (HORIZON, JOINTS))
        chunk = remote.act(Pictures(5, images), Thought(5, np.ones((1, 4), np.float32)), joints, noises)
    finally:
        remote.close()

    link = SmolVlaLink(file, model)
    link.connect()
    state = state_vector(file.state[0].columns, ('pan', 'lift'), joints.positions)
    question = Asked(
        {IMAGES[1]: images[1]}, {'observation.state': state}, 'touch it', zlib.crc32(noises.tobytes())
    )
    wanted = joint_targets(file, ('pan', 'lift'), joints.positions, link.ask(question))
    np.testing.assert_array_equal(chunk.positions, wanted)
    assert remote.providers == (f'smolvla model {model}',)


def test_an_altered_file_is_not_run(model: Path, tmp_path: Path) -> None:
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / 'step.onnx').open('ab') as file:
        file.write(b'!')
    with pytest.raises(VlaError, match='was altered'):
        SmolVlaLink(policy(), tmp_path).connect()


def test_too_many_words_are_refused_and_none_is_dropped(model: Path) -> None:
    link = SmolVlaLink(policy(), model)
    link.connect()
    with pytest.raises(ServerError, match=f'at most {WORDS} tokens'):
        link.ask(asked(prompt='a' * WORDS))


def test_who_gives_up_is_not_kept_waiting_and_may_ask_again(model: Path) -> None:
    link = SmolVlaLink(policy(), model)
    link.connect()
    link.abort()
    with pytest.raises(ServerError):
        link.ask(asked())
    link.close()
    link.connect()
    assert link.ask(asked())['action'].shape == (HORIZON, JOINTS)


def test_the_command_imports_and_says_how_it_compares(
    checkpoint: Path,
    tmp_path: Path,
    vlm: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ['import', 'smolvla', checkpoint, '--out', tmp_path / 'model', '--vlm', vlm]
    assert run(monkeypatch, *words) == 0
    assert load_model(tmp_path / 'model').images == IMAGES
    assert run(monkeypatch, *words) == 1
    assert 'expected a new or empty folder' in capsys.readouterr().err
    assert (tmp_path / 'model' / FILE).is_file()
