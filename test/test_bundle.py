"""A bundle is refused unless it is exactly what its manifest says."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from vla_ros.bundle import MANIFEST, Bundle, load_bundle, sha256, write_manifest
from vla_ros.types import VlaError

SHIPPED = Path(__file__).parent.parent / 'models' / 'tabletop'


@pytest.fixture
def content() -> dict[str, Any]:
    """The shipped manifest as plain data."""
    return copy.deepcopy(yaml.safe_load((SHIPPED / MANIFEST).read_text(encoding='utf-8')))


def _load(tmp_path: Path, content: Any) -> Bundle:
    (tmp_path / MANIFEST).write_text(yaml.safe_dump(content), encoding='utf-8')
    return load_bundle(tmp_path)


def test_the_shipped_bundle_is_whole() -> None:
    bundle = load_bundle(SHIPPED)
    for key in bundle.manifest.files:
        assert bundle.file(key).is_file()


def test_a_manifest_survives_being_written_and_read(tmp_path: Path) -> None:
    manifest = load_bundle(SHIPPED).manifest
    write_manifest(tmp_path, manifest)
    assert load_bundle(tmp_path).manifest == manifest


@pytest.mark.parametrize('key', ['cameras', 'robot', 'chunk', 'normalisation', 'flow', 'files', 'licence'])
def test_a_missing_key_is_named(tmp_path: Path, content: dict[str, Any], key: str) -> None:
    del content[key]
    with pytest.raises(VlaError, match=key):
        _load(tmp_path, content)


def test_given_a_bundle_of_before_when_it_is_loaded_then_its_graphs_are_in_float32(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    content.pop('precision', None)
    assert dict(_load(tmp_path, content).manifest.precision) == dict.fromkeys(
        ('vision', 'language', 'action'), 'fp32'
    )


def test_given_a_precision_for_a_graph_when_it_is_written_and_read_then_it_is_the_same(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    content['precision'] = {'language': 'int8'}
    manifest = _load(tmp_path, content).manifest
    write_manifest(tmp_path, manifest)
    again = load_bundle(tmp_path).manifest
    assert again == manifest
    assert (again.precision.language, again.precision.action) == ('int8', 'fp32')


@pytest.mark.parametrize(
    ('precision', 'key'),
    [({'language': 'fp8'}, r'precision\.language'), ({'head': 'fp16'}, r'precision\.head')],
)
def test_given_a_precision_or_a_graph_that_nobody_knows_when_loaded_then_it_is_refused(
    tmp_path: Path, content: dict[str, Any], precision: dict[str, str], key: str
) -> None:
    content['precision'] = precision
    with pytest.raises(VlaError, match=key):
        _load(tmp_path, content)


def test_an_unknown_key_is_named(tmp_path: Path, content: dict[str, Any]) -> None:
    content['robot']['colour'] = 'orange'
    with pytest.raises(VlaError, match=r'robot\.colour'):
        _load(tmp_path, content)


def test_statistics_of_another_robot_are_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    content['normalisation']['action']['std'].append(1.0)
    with pytest.raises(
        VlaError, match=r'normalisation\.action\.std: expected 6 values, one a joint, found 7'
    ):
        _load(tmp_path, content)


def test_a_spread_of_zero_is_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    content['normalisation']['state']['std'][2] = 0.0
    with pytest.raises(VlaError, match=r'normalisation\.state\.std\.2: .*greater than .*, found 0\.0'):
        _load(tmp_path, content)


def test_degrees_are_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    content['robot']['units'] = 'deg'
    with pytest.raises(VlaError, match=r"robot\.units.*'rad'.*'deg'"):
        _load(tmp_path, content)


def test_tokens_must_add_up_over_the_cameras(tmp_path: Path, content: dict[str, Any]) -> None:
    content['tokens']['rows'] += 1
    with pytest.raises(VlaError, match=r'tokens\.rows'):
        _load(tmp_path, content)


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VlaError, match='is missing'):
        load_bundle(tmp_path)


def test_a_manifest_that_is_not_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('{never closed', encoding='utf-8')
    with pytest.raises(VlaError, match='is not YAML'):
        load_bundle(tmp_path)


def test_yaml_that_builds_python_objects_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text('!!python/object/apply:os.system ["true"]', encoding='utf-8')
    with pytest.raises(VlaError, match='is not YAML'):
        load_bundle(tmp_path)


def test_an_altered_file_is_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    bundle = _load(tmp_path, content)
    target = tmp_path / bundle.manifest.files['action'].path
    shutil.copy(SHIPPED / bundle.manifest.files['action'].path, target)
    assert bundle.file('action') == target.resolve()
    with target.open('r+b') as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(VlaError, match='was altered'):
        bundle.file('action')


def test_a_missing_file_is_named(tmp_path: Path, content: dict[str, Any]) -> None:
    with pytest.raises(VlaError, match=r'vision\.onnx is missing'):
        _load(tmp_path, content).file('vision')


@pytest.mark.parametrize('path', ['../secret.onnx', '/etc/passwd', 'sub/../../secret.onnx'])
def test_a_path_that_leaves_the_bundle_is_refused(tmp_path: Path, content: dict[str, Any], path: str) -> None:
    inside = tmp_path / 'bundle'
    inside.mkdir()
    (tmp_path / 'secret.onnx').write_bytes(b'')
    content['files']['vision'] = {'path': path, 'sha256': sha256(tmp_path / 'secret.onnx')}
    with pytest.raises(VlaError, match='must stay inside'):
        _load(inside, content).file('vision')


def test_rows_follow_the_cameras_in_manifest_order() -> None:
    bundle = load_bundle(SHIPPED)
    first, second = bundle.manifest.cameras
    rows = bundle.rows_of((second.name, first.name))
    expected = [*range(first.tokens, first.tokens + second.tokens), *range(first.tokens)]
    np.testing.assert_array_equal(rows, expected)


def test_a_hand_that_the_robot_does_not_have_is_refused(tmp_path: Path, content: dict[str, Any]) -> None:
    content['reasoning']['hand'] = {'joint': 'claw', 'closed': 0.0, 'open': 0.3}
    with pytest.raises(VlaError, match=r"reasoning\.hand\.joint: expected one of .*, found 'claw'"):
        _load(tmp_path, content)


def test_statistics_of_the_velocities_of_another_robot_are_refused(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    content['normalisation']['velocity'] = {'mean': [0.0] * 7, 'std': [1.0] * 7}
    with pytest.raises(VlaError, match=r'normalisation\.velocity\.mean: expected 6 values'):
        _load(tmp_path, content)
