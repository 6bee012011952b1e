"""The safety page: every function, test, file and parameter it names exists, and its numbers are those of the code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from vla_ros.action.guard import GuardSettings
from vla_ros.action.settings import planner_settings
from vla_ros.bundle import LARGEST_MANIFEST, load_bundle
from vla_ros.interfaces import interfaces
from vla_ros.manifest import LARGEST_FILE
from vla_ros.paths import bundle_directory, config_file

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / 'docs' / 'safety.md').read_text(encoding='utf-8')
QUOTED = sorted(set(re.findall(r'`([^`\n]+)`', PAGE)))
TESTS = [name for name in QUOTED if '::' in name]
CODE = [name for name in QUOTED if re.fullmatch(r'vla_ros/\S+\.py: \S+', name)]
FILES = [name for name in QUOTED if re.fullmatch(r'(vla_ros|config|test|docs)/\S+\.(py|xml|yaml|md)', name)]


def definitions(path: Path) -> set[str]:
    """Functions and classes of a file; methods with their class."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    found = set()
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, kinds):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f'{node.name}.{inner.name}' for inner in node.body if isinstance(inner, kinds)}
    return found


def test_the_page_names_code_and_tests() -> None:
    assert len(TESTS) > 40
    assert len(CODE) > 25


@pytest.mark.parametrize('name', TESTS)
def test_every_test_exists(name: str) -> None:
    file, _, function = name.partition('::')
    assert function in definitions(ROOT / 'test' / file)


@pytest.mark.parametrize('name', CODE)
def test_every_function_exists(name: str) -> None:
    file, _, function = name.partition(': ')
    assert function in definitions(ROOT / file)


@pytest.mark.parametrize('name', FILES)
def test_every_file_exists(name: str) -> None:
    assert (ROOT / name).is_file()


def test_every_row_of_a_threat_names_what_holds_it() -> None:
    threats = PAGE.split('## Threats')[1].split('## Faults, and hours')[0]
    rows = [
        line for line in threats.splitlines() if line.startswith('| ') and not line.startswith('| threat')
    ]
    assert len(rows) > 25
    for row in rows:
        threat, met, held = (cell.strip() for cell in row.strip('|').split(' | '))
        assert threat
        assert met
        assert '::test_' in held, row


def test_every_topic_of_the_first_table_is_one_of_the_interface() -> None:
    known = set()
    for interface in interfaces(('front',), simulator=True).values():
        known |= {*interface.publishes, *interface.subscribes, *interface.serves, *interface.calls}
    table = PAGE.split('## What can move the arm')[1].split('##')[0]
    names = re.findall(r'`([a-z_]+/[a-z_/<>]+|/clock|joint_states|instruction|joint_trajectory)`', table)
    assert len(names) > 8
    for name in names:
        if name.startswith(('joint_trajectory_controller/', '<node>/')):
            continue
        assert name.replace('<name>', 'front') in known, name


def test_the_numbers_are_those_of_the_code() -> None:
    manifest = load_bundle(bundle_directory('tabletop')).manifest
    parameters = yaml.safe_load(config_file('vla.params.yaml').read_text())['/**/action']['ros__parameters']
    guard = planner_settings(parameters, manifest).guard
    assert GuardSettings().max_duration == guard.max_duration == 5.0
    assert '`GuardSettings.max_duration` (5 s)' in PAGE
    assert f'`max_token_age` ({guard.max_observation_age:g} s)' in PAGE
    assert f'`max_thought_age` ({guard.max_thought_age:g} s)' in PAGE
    large = {'.safetensors': 32 * 2**30, '.data': 32 * 2**30}
    assert {'.onnx': 2 * 2**30, **large, '.json': 64 * 2**20} == LARGEST_FILE
    assert '2 GiB (.onnx), 32 GiB (.safetensors, .data), 64 MiB (.json)' in PAGE
    assert LARGEST_MANIFEST == 250_000
    assert 'manifest 250 kB' in PAGE
