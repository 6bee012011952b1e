"""A manifest that is no plain page of YAML is refused in one sentence, and in no time."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vla_ros.bundle import LARGEST_MANIFEST, MANIFEST, load_bundle, write_manifest
from vla_ros.types import VlaError

SHIPPED = Path(__file__).parent.parent / 'models' / 'tabletop'

BOMB = '\n'.join(
    ['provenance:', '  a0: &a0 [lol, lol]', *(f'  a{i}: &a{i} [*a{i - 1}, *a{i - 1}]' for i in range(1, 40))]
)


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        (BOMB, r'expected no aliases, found \*a0'),
        ('a: &a [*a]', r'expected no aliases, found \*a'),
        ('[' * 50_000, 'nested too deeply'),
        ('{a: ' * 50_000, 'nested too deeply'),
        ('- ' * 50_000, 'nested too deeply'),
        ('? ' * 50_000, 'nested too deeply'),
        ('name: one\nname: two', "expected each key once, found 'name' twice"),
        ('!!python/object/apply:os.system ["true"]', 'is not YAML'),
        ('!!python/name:os.system', 'is not YAML'),
        ('a: !!int ""', 'is not YAML'),
        ('a: !!timestamp x', 'is not YAML'),
        ('a: 2024-99-99', 'is not YAML'),
        ('a: !!bool perhaps', 'is not YAML'),
        ('\x00', 'is not YAML'),
        ('- a\n- b', 'manifest: .*dictionary'),
        ('', 'manifest: .*dictionary'),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_given_yaml_that_is_not_a_plain_page_then_it_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / MANIFEST).write_text(text, encoding='utf-8')
    with pytest.raises(VlaError, match=says) as error:
        load_bundle(tmp_path)
    assert len(str(error.value).splitlines()) == 1


def test_given_bytes_that_are_no_text_then_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(b'\xff\xfe\xff')
    with pytest.raises(VlaError, match='is not YAML'):
        load_bundle(tmp_path)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text(alphabet='ab:&*!<>[]{}-,"\'\n 0.~|?%@`', max_size=80)))
def test_given_any_manifest_then_the_only_error_is_a_sentence(tmp_path: Path, text: bytes | str) -> None:
    (tmp_path / MANIFEST).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(VlaError) as error:
        load_bundle(tmp_path)
    assert len(str(error.value).splitlines()) == 1


def test_given_a_manifest_that_is_too_large_then_it_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / MANIFEST).write_text('#' * (LARGEST_MANIFEST + 1))
    monkeypatch.setattr(yaml, 'load', lambda *_: pytest.fail('was parsed'))
    with pytest.raises(VlaError, match=f'expected at most {LARGEST_MANIFEST} bytes, found more'):
        load_bundle(tmp_path)


def test_what_is_written_is_read_even_when_values_are_shared(tmp_path: Path) -> None:
    shared = [1.0, 2.0]
    manifest = load_bundle(SHIPPED).manifest.model_copy(update={'metrics': {'a': shared, 'b': shared}})
    write_manifest(tmp_path, manifest)
    assert load_bundle(tmp_path).manifest == manifest
