"""The package as tools see it: colcon, rosdep, pip, and whoever looks for its files."""

from __future__ import annotations

import importlib.util
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import setuptools

import vla_ros
from vla_ros.graph import ALL_NODES, COMPOSED
from vla_ros.paths import bundle_directory, config_file, places, share_directory
from vla_ros.types import VlaError

ROOT = Path(__file__).resolve().parents[1]
SOURCES = (
    'launch',
    'config',
    'models',
    'resource',
    'vla_ros',
    'package.xml',
    'setup.py',
    'setup.cfg',
)


@pytest.fixture
def setup_arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What setup.py says."""
    said: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **arguments: said.update(arguments))
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / 'setup.py'))
    return said


def test_package_xml_is_valid_and_names_the_build_type() -> None:
    catkin = pytest.importorskip('catkin_pkg.package')

    package = catkin.parse_package(str(ROOT / 'package.xml'))
    warnings: list[str] = []
    package.validate(warnings)

    assert (package.name, package.package_format, warnings) == ('vla_ros', 3, [])
    assert package.get_build_type() == 'ament_python'
    assert package.licenses == ['Apache-2.0']


def test_every_message_package_that_is_imported_is_an_exec_depend() -> None:
    catkin = pytest.importorskip('catkin_pkg.package')
    depends = {depend.name for depend in catkin.parse_package(str(ROOT / 'package.xml')).exec_depends}
    imported = {
        line.split()[1].split('.')[0]
        for path in (ROOT / 'vla_ros').rglob('*.py')
        for line in map(str.strip, path.read_text(encoding='utf-8').splitlines())
        if line.startswith(('import ', 'from '))
    }
    messages = {
        name for name in imported if name == 'rclpy' or name.endswith(('_msgs', '_srvs', '_interfaces'))
    }

    assert messages - depends == set()


def test_versions_agree(setup_arguments: dict[str, Any]) -> None:
    catkin = pytest.importorskip('catkin_pkg.package')
    declared = catkin.parse_package(str(ROOT / 'package.xml')).version

    assert declared == setup_arguments['version'] == vla_ros.__version__


def test_every_node_has_an_executable_and_every_executable_has_a_main(
    setup_arguments: dict[str, Any],
) -> None:
    scripts = dict(script.split(' = ') for script in setup_arguments['entry_points']['console_scripts'])
    missing = {*(spec.name for spec in ALL_NODES), COMPOSED, 'vla_ros'} - set(scripts)
    assert missing == set()

    for target in scripts.values():
        module, function = target.split(':')
        found = importlib.util.find_spec(module)
        assert found is not None, f'{target}: there is no {module}'
        assert f'def {function}(' in Path(str(found.origin)).read_text(encoding='utf-8'), f'no {target}'


def test_the_changelog_is_one_that_a_release_makes_a_version_of(tmp_path: Path) -> None:
    catkin = pytest.importorskip('catkin_pkg.changelog')
    written = (ROOT / 'CHANGELOG.rst').read_text(encoding='utf-8')
    assert 'Forthcoming\n-----------\n' in written

    # As catkin_prepare_release does.
    released = '0.1.0 (2026-01-01)'
    (tmp_path / 'CHANGELOG.rst').write_text(
        written.replace('Forthcoming\n-----------', f'{released}\n{"-" * len(released)}'), encoding='utf-8'
    )
    changelog = catkin.get_changelog_from_path(str(tmp_path), 'vla_ros')

    (entries,) = changelog.get_content_of_version('0.1.0')
    assert len(entries.bullets) > 5


def test_colcon_knows_that_the_tests_are_those_of_pytest(setup_arguments: dict[str, Any]) -> None:
    matches = pytest.importorskip('colcon_core.task.python.test').has_test_dependency

    assert matches(setup_arguments, 'pytest')
    assert not matches({**setup_arguments, 'extras_require': {}}, 'pytest')


def test_every_pinned_requirement_is_pinned_once_a_python(setup_arguments: dict[str, Any]) -> None:
    requirements = pytest.importorskip('packaging.requirements')
    lines = (ROOT / 'constraints.txt').read_text().splitlines()
    pins = [requirements.Requirement(line) for line in lines if line and not line.startswith('#')]
    wanted = [
        requirements.Requirement(line)
        for lines in (setup_arguments['install_requires'], *setup_arguments['extras_require'].values())
        for line in lines
    ]
    for version in ('3.10', '3.11', '3.12', '3.13'):
        applying = [
            pin for pin in pins if pin.marker is None or pin.marker.evaluate({'python_version': version})
        ]
        names = [pin.name.lower().replace('_', '-') for pin in applying]
        assert sorted(set(names)) == sorted(names)
        assert {requirement.name.lower() for requirement in wanted} - set(names) == set()


@pytest.fixture(scope='module')
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A colcon workspace with a built copy of the package, whose models are cut down to their manifests."""
    pytest.importorskip('colcon_core')
    folder = tmp_path_factory.mktemp('workspace')
    source = folder / 'src' / 'vla_ros'
    source.mkdir(parents=True)
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns('__pycache__', '*.onnx', '*.safetensors')
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        elif (ROOT / name).is_file():
            shutil.copy(ROOT / name, source / name)
    sample = source / 'models' / 'sample'
    sample.mkdir(parents=True)
    (sample / 'manifest.yaml').write_text('name: sample\n')
    built = subprocess.run(
        [sys.executable, '-m', 'colcon', 'build', '--event-handlers', 'console_direct+'],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, 'AMENT_PREFIX_PATH': sys.prefix, 'PYTHONDONTWRITEBYTECODE': ''},
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / 'install' / 'vla_ros'


@pytest.mark.slow
def test_colcon_installs_executables_and_shared_files(workspace: Path) -> None:
    executables = {path.name for path in (workspace / 'lib' / 'vla_ros').iterdir()}
    shared = workspace / 'share' / 'vla_ros'

    assert {'vla_ros', COMPOSED, *(spec.name for spec in ALL_NODES)} <= executables
    assert (workspace / 'share' / 'ament_index' / 'resource_index' / 'packages' / 'vla_ros').is_file()
    assert (shared / 'package.xml').is_file()
    for folder in ('launch', 'config'):
        assert {path.name for path in (ROOT / folder).iterdir() if path.is_file()} <= {
            path.name for path in (shared / folder).iterdir()
        }
    assert (shared / 'models' / 'sample' / 'manifest.yaml').is_file()


@pytest.mark.slow
def test_an_installed_package_finds_its_own_files(workspace: Path) -> None:
    libraries = next(workspace.glob('lib/python*/site-packages'))
    program = (
        'import vla_ros.paths as p; print(p.__file__, p.share_directory(), p.bundle_directory("sample"))'
    )
    said = subprocess.run(
        [sys.executable, '-c', program],
        capture_output=True,
        text=True,
        check=True,
        cwd=workspace,
        env={**os.environ, 'PYTHONPATH': str(libraries)},
    )
    module, share, bundle = map(Path, said.stdout.split())

    assert module.is_relative_to(libraries)
    assert share == workspace / 'share' / 'vla_ros'
    assert bundle == share / 'models' / 'sample'


@pytest.mark.slow
def test_package_data_is_installed_with_the_modules(workspace: Path) -> None:
    libraries = next(workspace.glob('lib/python*/site-packages'))
    data = {
        path.relative_to(ROOT)
        for pattern in ('vla_ros/**/*.yaml', 'vla_ros/sim/assets/*')
        for path in ROOT.glob(pattern)
        if path.is_file()
    }

    assert {str(path) for path in data if not (libraries / path).is_file()} == set()


def test_in_the_source_tree_the_source_tree_is_the_share_directory() -> None:
    assert share_directory() == ROOT
    assert config_file('fastdds.xml') == ROOT / 'config' / 'fastdds.xml'


@pytest.mark.parametrize('place', ['own prefix', 'python prefix', 'ament'])
def test_given_files_in_one_place_only_when_asked_then_they_are_found_there(
    tmp_path: Path, place: str
) -> None:
    module = tmp_path / 'own prefix' / 'lib' / 'python3.x' / 'site-packages' / 'vla_ros' / 'paths.py'
    shared = tmp_path / place / 'share' / 'vla_ros'
    shared.mkdir(parents=True)
    (shared / 'package.xml').touch()

    found = share_directory(
        module=module,
        prefix=str(tmp_path / 'python prefix'),
        environment={'AMENT_PREFIX_PATH': f'/opt/ros/none{os.pathsep}{tmp_path / "ament"}'},
    )

    assert found == shared


def test_given_no_files_when_asked_then_the_error_lists_every_place(tmp_path: Path) -> None:
    module, environment = (
        tmp_path / 'a' / 'b' / 'vla_ros' / 'paths.py',
        {'AMENT_PREFIX_PATH': '/opt/ros/none'},
    )

    with pytest.raises(VlaError) as refusal:
        share_directory(module=module, prefix=str(tmp_path), environment=environment)

    for place in places(module, str(tmp_path), environment):
        assert str(place) in str(refusal.value)


def test_a_bundle_is_found_by_path_and_an_unknown_one_is_refused_with_those_there_are(tmp_path: Path) -> None:
    assert bundle_directory(str(tmp_path)) == tmp_path
    with pytest.raises(VlaError, match="found 'nosuchmodel'"):
        bundle_directory('nosuchmodel')
    with pytest.raises(VlaError, match="found ''"):
        bundle_directory('')


@pytest.mark.slow
@pytest.mark.parametrize(
    ('missing', 'code', 'says'), [('mujoco', 5, 'mujoco is not installed'), ('vla_ros.sim.scene', 2, 'ERROR')]
)
def test_given_a_robot_without_the_simulators_packages_its_tests_are_skipped_and_of_others_fail(
    missing: str, code: int, says: str
) -> None:
    program = (
        f'import sys; sys.modules[{missing!r}] = None; import pytest; sys.exit(pytest.main(sys.argv[1:]))'
    )
    ended = subprocess.run(
        [sys.executable, '-c', program, '-rs', '-p', 'no:cacheprovider', 'test/test_sim_scene.py'],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )

    assert says in ended.stdout + ended.stderr
    assert ended.returncode == code
