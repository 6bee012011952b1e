"""The linters of ament, as ``colcon test`` runs them on a robot; skipped where they are not installed.

ament_copyright is not among them: it wants the whole header of the licence in each file, which Apache-2.0 does not ask
for. LICENSE and package.xml say what holds.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ('vla_ros', 'launch', 'scripts', 'test', 'setup.py')
XML = sorted(
    path
    for pattern in ('package.xml', 'config/**/*.xml', 'vla_ros/**/*.xml', 'config/**/*.urdf')
    for path in ROOT.glob(pattern)
)
# Google's sections, as its guide has them; whatever ament itself does not ask for; arguments that explain themselves;
# first lines that begin with a name (arXiv) or show a call.
PEP257 = ('--convention', 'google', '--add-ignore')
NOT_ASKED = ('D100', 'D101', 'D102', 'D103', 'D104', 'D105', 'D106', 'D107', 'D402', 'D403', 'D417')


def places(folder: Path = ROOT) -> list[str]:
    return [str(folder / name) for name in SOURCES]


def said_by(linter: str, *arguments: str) -> tuple[int, str]:
    """Exit code and words of a linter in a process of its own: flake8 forks, which this one's threads do not bear."""
    pytest.importorskip(f'{linter}.main')
    run = subprocess.run(
        [sys.executable, '-c', f'import sys; from {linter}.main import main; sys.exit(main())', *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout + run.stderr


def flake8(*paths: str) -> tuple[int, str]:
    config = str(ROOT / 'test' / 'ament_flake8.ini')
    return said_by('ament_flake8', '--config', config, '--exclude', '.venv', '--', *paths)


def pep257(*paths: str) -> tuple[int, str]:
    return said_by('ament_pep257', *PEP257, *NOT_ASKED, '--', *paths)


@pytest.mark.linter
@pytest.mark.slow
@pytest.mark.parametrize('linter', [flake8, pep257])
def test_the_linters_find_nothing(linter: Callable[..., tuple[int, str]]) -> None:
    code, said = linter(*places())

    assert code == 0, said
    assert 'No problems found' in said


@pytest.mark.linter
@pytest.mark.parametrize(
    ('line', 'fault'), [('import os, sys', 'E401'), ('say = "hello"', 'Q000'), ('list = 3', 'A001')]
)
def test_given_a_planted_fault_then_flake8_finds_it(tmp_path: Path, line: str, fault: str) -> None:
    (tmp_path / 'planted.py').write_text(f'"""A module."""\n\n{line}\n')

    code, said = flake8(str(tmp_path))

    assert code == 1
    assert fault in said


@pytest.mark.linter
def test_given_a_planted_docstring_then_pep257_finds_it(tmp_path: Path) -> None:
    (tmp_path / 'planted.py').write_text('"""A module that has no period"""\n')

    code, said = pep257(str(tmp_path))

    assert (code, 'D4' in said) == (1, True)


@pytest.mark.linter
@pytest.mark.parametrize('path', XML, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_xml_file_is_well_formed(path: Path) -> None:
    ElementTree.parse(path)


@pytest.mark.linter
def test_xmllint_finds_nothing() -> None:
    linter = pytest.importorskip('ament_xmllint.main')
    if shutil.which('xmllint') is None:
        pytest.skip('xmllint is not installed')

    assert linter.main([str(path) for path in XML if path.suffix == '.xml']) == 0


def test_the_licence_is_the_one_that_is_declared() -> None:
    licence = ' '.join((ROOT / 'LICENSE').read_text(encoding='utf-8').split())

    assert licence.startswith('Apache License Version 2.0, January 2004')
    assert 'END OF TERMS AND CONDITIONS' in licence
