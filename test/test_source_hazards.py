"""What the source must not contain: ways to run what was only meant to be read. Read from the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path for folder in ('vla_ros', 'launch', 'scripts') for path in (ROOT / folder).rglob('*.py')
)
UNPICKLERS = {'pickle', 'cPickle', 'dill', 'cloudpickle', 'joblib', 'shelve', 'marshal'}
CALLS = {
    'eval', 'exec', 'compile', 'os.system', 'os.popen', 'torch.load', 'yaml.unsafe_load', 'yaml.full_load',
    'pandas.read_pickle',
}  # fmt: skip
SWITCHES = {'allow_pickle', 'trust_remote_code', 'shell'}
STRICT_YAML = 'vla_ros/strict_yaml.py'  # has a loader of its own, made of the safe one


def hazards(text: str, path: str = '') -> Iterator[str]:
    """Each hazard of a source, as 'line: what'."""
    for node in ast.walk(ast.parse(text)):
        line = getattr(node, 'lineno', 0)
        if isinstance(node, ast.Import):
            found = {alias.name.split('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found = {(node.module or '').split('.')[0]}
        else:
            found = set()
        yield from (f'{line}: import {name}' for name in found & UNPICKLERS)
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name in CALLS or (name == 'yaml.load' and path != STRICT_YAML):
                yield f'{line}: {name}'
            for keyword in node.keywords:
                off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
                if keyword.arg in SWITCHES and not off:
                    yield f'{line}: {keyword.arg}'


@pytest.mark.parametrize('path', SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_unpickled_evaluated_or_handed_to_a_shell(path: Path) -> None:
    relative = path.relative_to(ROOT).as_posix()
    assert list(hazards(path.read_text(encoding='utf-8'), relative)) == []


@pytest.mark.parametrize(
    'line',
    [
        'import pickle',
        'from joblib import load',
        'torch.load(path)',
        'yaml.load(text, yaml.Loader)',
        'np.load(path, allow_pickle=True)',
        'AutoModel.from_pretrained(x, trust_remote_code=trust)',
        'subprocess.run(words, shell=True)',
        'eval(text)',
    ],
)
def test_given_a_planted_hazard_it_is_found(line: str) -> None:
    assert len(list(hazards(f'def f():\n    {line}\n'))) == 1


@pytest.mark.parametrize('line', ['model.eval()', 'np.load(path)', 'yaml.safe_load(text)', 're.compile(x)'])
def test_given_honest_source_nothing_is_found(line: str) -> None:
    assert list(hazards(line)) == []
