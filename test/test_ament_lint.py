"""The linters of ament, as ``colcon test`` runs them on a robot; skipped where they are not installed.

ament_copyright is not among them: it wants the whole header of the licence in each file, which Apache-2.0 does not ask
for. LICENSE and package.xml say what holds.
"""

from __future__ import annotations

import shutil
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


@pytest.mark.linter
@pytest.mark.slow
def test_flake8_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    linter = pytest.importorskip('ament_flake8.main')

    code, errors = linter.main_with_errors(
        ['--config', str(ROOT / 'test' / 'ament_flake8.ini'), '--exclude', '.venv', '--', *places()]
    )

    assert (code, errors) == (0, [])
    assert 'No problems found' in capsys.readouterr().out


@pytest.mark.linter
@pytest.mark.slow
def test_pep257_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    linter = pytest.importorskip('ament_pep257.main')

    code = linter.main([*PEP257, *NOT_ASKED, '--', *places()])

    said = capsys.readouterr()
    assert code == 0, said.err
    assert 'No problems found' in said.out


@pytest.mark.linter
@pytest.mark.parametrize(
    ('line', 'code'), [('import os', 'F401'), ('say = "hello"', 'Q000'), ('list = 3', 'A001')]
)
def test_given_a_planted_fault_then_flake8_finds_it(tmp_path: Path, line: str, code: str) -> None:
    linter = pytest.importorskip('ament_flake8.main')
    (tmp_path / 'planted.py').write_text(f'"""A module."""\n\n{line}\n')

    _, errors = linter.main_with_errors(
        ['--config', str(ROOT / 'test' / 'ament_flake8.ini'), '--', str(tmp_path)]
    )

    assert [code in error for error in errors] == [True]


@pytest.mark.linter
def test_given_a_planted_docstring_then_pep257_finds_it(tmp_path: Path) -> None:
    linter = pytest.importorskip('ament_pep257.main')
    (tmp_path / 'planted.py').write_text('"""A module that has no period"""\n')

    assert linter.main([*PEP257, *NOT_ASKED, '--', str(tmp_path)]) == 1


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
