"""Bundles from strangers: whatever is in one, it is loaded as it should be or refused in one sentence."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from vla_ros.bundle import LARGEST_MANIFEST, MANIFEST, Bundle, load_bundle, sha256
from vla_ros.manifest import LARGEST_FILE
from vla_ros.types import VlaError

SHIPPED = Path(__file__).parent.parent / 'models' / 'tabletop'
CONTENT = {
    **yaml.safe_load((SHIPPED / MANIFEST).read_text(encoding='utf-8')),
    'provenance': {},
    'metrics': {},
}


def load(folder: Path, change: Callable[[dict[str, Any]], Any] = lambda _: None) -> Bundle:
    """The shipped manifest, changed, in a folder that has none of its files."""
    content = copy.deepcopy(CONTENT)
    change(content)
    (folder / MANIFEST).write_text(yaml.safe_dump(content), encoding='utf-8')
    return load_bundle(folder)


def put(content: Any, key: str, value: Any) -> None:
    """Set a value by the key that an error would name."""
    *way, last = [int(part) if part.isdigit() else part for part in key.split('.')]
    for part in way:
        content = content[part]
    content[last] = value


def refusal(folder: Path, change: Callable[[dict[str, Any]], Any]) -> str:
    """The sentence with which a changed manifest is refused."""
    with pytest.raises(VlaError) as error:
        load(folder, change)
    sentence = str(error.value)
    assert len(sentence.splitlines()) == 1
    assert len(sentence) < 500 + len(str(folder))
    return sentence


@pytest.mark.parametrize(
    'key',
    [
        'cameras.0.mean.1',
        'cameras.1.std.2',
        'normalisation.state.mean.0',
        'normalisation.state.std.5',
        'normalisation.action.mean.3',
        'normalisation.action.std.0',
        'robot.rest.4',
        'chunk.dt',
    ],
)
@pytest.mark.parametrize('value', [float('nan'), float('inf'), -1e30], ids=str)
def test_given_a_number_that_is_not_finite_or_absurd_then_its_key_is_named(
    tmp_path: Path, key: str, value: float
) -> None:
    sentence = refusal(tmp_path, lambda content: put(content, key, value))

    assert f'{key}: ' in sentence
    assert f'found {value!r}' in sentence


@pytest.mark.parametrize('value', [0.0, 1e-300])
@pytest.mark.parametrize(
    'key', ['cameras.0.std.0', 'normalisation.state.std.0', 'normalisation.action.std.0']
)
def test_given_a_spread_that_would_blow_up_what_it_divides_then_it_is_refused(
    tmp_path: Path, key: str, value: float
) -> None:
    assert f'{key}: ' in refusal(tmp_path, lambda content: put(content, key, value))


@pytest.mark.parametrize(
    'key',
    [
        'cameras.0.width',
        'cameras.0.height',
        'cameras.0.tokens',
        'tokens.rows',
        'tokens.width',
        'thought.rows',
        'thought.width',
        'reasoning.layers',
        'reasoning.heads',
        'reasoning.head_width',
        'reasoning.max_new_tokens',
        'reasoning.context',
        'reasoning.location_bins',
        'chunk.horizon',
        'flow.steps',
    ],
)
@pytest.mark.parametrize('value', [0, 10**9], ids=['none', 'billion'])
def test_given_a_size_that_no_model_has_then_its_key_is_named(tmp_path: Path, key: str, value: int) -> None:
    assert f'{key}: ' in refusal(tmp_path, lambda content: put(content, key, value))


def test_given_sizes_that_are_absurd_only_together_then_they_are_refused(tmp_path: Path) -> None:
    wide = refusal(tmp_path, lambda content: content['thought'].update(rows=60_000, width=60_000))
    assert 'thought: expected at most 16777216 numbers, found 60000 x 60000' in wide

    def enlarge(content: dict[str, Any]) -> None:
        for camera in content['cameras']:
            camera.update(width=4096, height=4096)

    assert 'expected at most 8388608 pixels together, found 33554432' in refusal(tmp_path, enlarge)


@pytest.mark.parametrize(
    ('change', 'says'),
    [
        (lambda c: c['robot']['joints'].__setitem__(1, c['robot']['joints'][0]), 'robot.joints'),
        (lambda c: c['cameras'][1].update(name='front'), 'cameras'),
        (lambda c: c['reasoning'].update(cameras=[]), 'reasoning.cameras'),
        (lambda c: c.update(cameras=[]), 'cameras'),
        (lambda c: c['robot'].update(joints=[], rest=[]), 'robot.joints'),
        (lambda c: c.update(name='x' * 10**4), 'name'),
        (lambda c: c.update({'k\n' * 100: 1}), 'k?k?'),
        (lambda c: c['robot'].update(units='x\n\x1b[31m' * 20), 'robot.units'),
    ],
    ids=[
        'joint twice',
        'camera twice',
        'blind',
        'no cameras',
        'no joints',
        'long',
        'long key',
        'escape codes',
    ],
)
def test_given_nonsense_then_it_is_refused_in_one_short_line(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], says: str
) -> None:
    sentence = refusal(tmp_path, change)

    assert says in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize(
    'path',
    [
        '/etc/passwd',
        '../a.onnx',
        'sub/../../a.onnx',
        '..',
        'C:\\a.onnx',
        'sub\\..\\a.onnx',
        'a\n.onnx',
        '',
        '.',
    ],
)
def test_given_a_path_that_leaves_the_bundle_or_is_none_then_the_manifest_is_refused(
    tmp_path: Path, path: str
) -> None:
    sentence = refusal(tmp_path, lambda content: put(content, 'files.vision.path', path))

    assert 'files.vision.path: ' in sentence
    assert f'found {path!r}' in sentence


@pytest.mark.parametrize('link', ['file', 'folder'])
def test_given_a_link_that_leaves_the_bundle_then_it_is_not_followed(tmp_path: Path, link: str) -> None:
    inside, outside = tmp_path / 'bundle', tmp_path / 'elsewhere'
    inside.mkdir()
    outside.mkdir()
    (outside / 'secret.onnx').write_bytes(b'secret')
    path = 'linked.onnx' if link == 'file' else 'linked/secret.onnx'
    (inside / path.split('/')[0]).symlink_to(outside if link == 'folder' else outside / 'secret.onnx')
    spec = {'path': path, 'sha256': sha256(outside / 'secret.onnx')}

    with pytest.raises(
        VlaError, match=r'files\.vision must stay inside of the bundle, found .*, which leads to'
    ):
        load(inside, lambda content: put(content, 'files.vision', spec)).file('vision')


def test_given_a_link_within_the_bundle_then_it_is_followed(tmp_path: Path) -> None:
    (tmp_path / 'real.onnx').write_bytes(b'x')
    (tmp_path / 'linked.onnx').symlink_to('real.onnx')
    spec = {'path': 'linked.onnx', 'sha256': sha256(tmp_path / 'real.onnx')}

    assert load(tmp_path, lambda c: put(c, 'files.vision', spec)).file('vision') == tmp_path / 'real.onnx'


def test_given_a_pipe_then_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'vision.onnx')
    with pytest.raises(VlaError, match='is missing'):
        load(tmp_path).file('vision')


@pytest.mark.parametrize(
    'name', ['a.pkl', 'a.pt', 'a.pth', 'a.bin', 'a.npy', 'a.py', 'a.so', 'a.engine', 'a.ort', 'a']
)
def test_given_a_file_of_another_kind_then_the_manifest_is_refused(tmp_path: Path, name: str) -> None:
    sentence = refusal(tmp_path, lambda content: put(content, 'files.vision.path', name))

    assert (
        "files.vision.path: expected a file of a kind in ['.data', '.json', '.onnx', '.safetensors']"
        in sentence
    )


class Trap:
    """What a pickle may do to whoever opens it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ['VLA_ROS_TRAP'],)


@pytest.mark.parametrize('key', ['vision', 'tokenizer'])
def test_given_a_pickle_under_an_honest_name_then_it_is_refused_unopened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    pytest.importorskip('onnxruntime')
    from vla_ros.perception.encoder import Encoder
    from vla_ros.reasoning.onnx_reasoner import OnnxReasoner

    monkeypatch.setenv('VLA_ROS_TRAP', str(tmp_path / 'sprung'))
    path = tmp_path / Path(CONTENT['files'][key]['path']).name
    path.write_bytes(pickle.dumps(Trap()))
    spec = {'path': path.name, 'sha256': sha256(path)}
    bundle = load(tmp_path, lambda content: put(content, f'files.{key}', spec))

    with pytest.raises(VlaError):
        (Encoder if key == 'vision' else OnnxReasoner)(bundle)
    assert not (tmp_path / 'sprung').exists()


@pytest.mark.parametrize('key', ['vision', 'tokenizer'])
def test_given_a_file_that_is_too_large_then_not_a_byte_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    name = Path(CONTENT['files'][key]['path']).name
    largest = LARGEST_FILE[Path(name).suffix]
    with (tmp_path / name).open('wb') as file:
        file.truncate(largest + 1)  # a hole: it takes no room
    monkeypatch.setattr('vla_ros.bundle.sha256', lambda _: pytest.fail('was read'))
    bundle = load(tmp_path, lambda content: put(content, f'files.{key}.path', name))

    with pytest.raises(
        VlaError, match=rf'files\.{key}: expected at most {largest} bytes, found {largest + 1}'
    ):
        bundle.file(key)


def test_the_manifest_that_ships_uses_no_more_than_a_tenth_of_what_is_allowed() -> None:
    assert 10 * (SHIPPED / MANIFEST).stat().st_size < LARGEST_MANIFEST
