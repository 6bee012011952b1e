"""The walls of the house: who may know of whom. Read from the source, so that lazy imports count as well."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / 'vla_ros'
LONG, TOO_LONG = 300, 330  # lines of a file

ROS = re.compile(
    r'(rclpy|launch|launch_ros|ament_index_python|cv_bridge|std_srvs|\w+_msgs|\w+_interfaces)(\.|$)'
)
TRAINING = re.compile(r'(torch|torchvision|transformers|accelerate|peft|trl|datasets|onnxscript)(\.|$)')
LAZY_BACKEND = re.compile(r'(reasoning/transformers|bench/peer)_\w+\.py')
PEER = re.compile(r'vla_ros\.bench\.peer_\w+')


@dataclass(frozen=True)
class Import:
    """One import statement: of which module, on which line, and whether it runs when the file is imported."""

    module: str
    line: int
    at_import: bool


@dataclass(frozen=True)
class Wall:
    """``forbids`` an import in a file, whose path is relative to the package, with slashes."""

    sentence: str
    forbids: Callable[[str, Import], bool]


def room(path: str) -> str:
    """The room that a file is in: its first folder, or its own name at the top."""
    return path.split('/')[0].removesuffix('.py')


def knows(found: Import, *rooms: str) -> bool:
    """Whether the import is of one of the package's rooms."""
    return any(f'{found.module}.'.startswith(f'vla_ros.{name}.') for name in rooms)


def only_nodes_know_ros(path: str, found: Import) -> bool:
    return room(path) != 'nodes' and ROS.match(found.module) is not None


def only_training_knows_torch(path: str, found: Import) -> bool:
    if TRAINING.match(found.module) is None or room(path) == 'training':
        return False
    return found.at_import or not LAZY_BACKEND.fullmatch(path)


def simulator_knows_no_model(path: str, found: Import) -> bool:
    return room(path) == 'sim' and knows(
        found, 'perception', 'reasoning', 'action', 'training', 'evaluation', 'bench', 'nodes', 'viz', 'cli'
    )


def model_knows_no_surroundings(path: str, found: Import) -> bool:
    inside = room(path) in ('perception', 'reasoning', 'action')
    return inside and knows(found, 'nodes', 'sim', 'training', 'evaluation', 'bench', 'cli')


def nobody_imports_peers(path: str, found: Import) -> bool:
    return PEER.match(found.module) is not None


def recordings_know_nothing_of_their_use(path: str, found: Import) -> bool:
    return room(path) == 'dataset' and knows(
        found, 'perception', 'reasoning', 'action', 'nodes', 'sim', 'training', 'evaluation', 'viz', 'cli'
    )


def nothing_below_knows_nodes(path: str, found: Import) -> bool:
    return room(path) not in ('nodes', 'cli') and knows(found, 'nodes')


WALLS = (
    Wall('rclpy and message classes stay in nodes/', only_nodes_know_ros),
    Wall(
        'torch and its libraries stay in training/, or lazy in reasoning/transformers_*.py and bench/peer_*.py',
        only_training_knows_torch,
    ),
    Wall('sim/ knows nothing of the model', simulator_knows_no_model),
    Wall(
        'perception/, reasoning/ and action/ know nothing of what surrounds them', model_knows_no_surroundings
    ),
    Wall('nodes/ imports the others, never the other way round', nothing_below_knows_nodes),
    Wall(
        'dataset/ knows neither the model nor what records and learns', recordings_know_nothing_of_their_use
    ),
    Wall('peers of the bench run in processes of their own', nobody_imports_peers),
)


def imports(path: Path, package: Path) -> Iterator[Import]:
    """All imports of a file, relative ones made absolute, with those by name through importlib."""
    tree = ast.parse(path.read_text(encoding='utf-8'), str(path))
    here = ('vla_ros', *path.relative_to(package).parent.parts)
    in_functions = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for inner in ast.walk(outer)
    }
    for statement in ast.walk(tree):
        for module in imported_modules(statement, here):
            yield Import(module, getattr(statement, 'lineno', 0), id(statement) not in in_functions)


def imported_modules(statement: ast.AST, here: tuple[str, ...]) -> list[str]:
    """The modules that a statement or expression imports, in full."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        base = '.'.join(here[: len(here) - statement.level + 1]) if statement.level else ''
        module = '.'.join(part for part in (base, statement.module or '') if part)
        return [module, *(f'{module}.{alias.name}' for alias in statement.names)]
    if isinstance(statement, ast.Call) and statement.args:
        function = statement.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, 'id', '')
        argument = statement.args[0]
        if name in ('import_module', '__import__') and isinstance(argument, ast.Constant):
            return [str(argument.value)]
    return []


def breaches(package: Path, wall: Wall) -> list[str]:
    """Every import that a wall forbids, as 'file:line imports module', each statement once."""
    found: dict[tuple[str, int], str] = {}
    for path in sorted(package.rglob('*.py')):
        relative = path.relative_to(package).as_posix()
        for item in imports(path, package):
            if wall.forbids(relative, item):
                found.setdefault((relative, item.line), f'{relative}:{item.line} imports {item.module}')
    return list(found.values())


@pytest.mark.parametrize('wall', WALLS, ids=lambda wall: wall.sentence)
def test_the_wall_stands(wall: Wall) -> None:
    assert breaches(PACKAGE, wall) == []


@pytest.mark.parametrize(
    ('path', 'line', 'wall'),
    [
        ('perception/a.py', 'import rclpy', 0),
        ('evaluation/a.py', 'from sensor_msgs.msg import Image', 0),
        ('a.py', 'def f():\n    from std_srvs.srv import SetBool', 0),
        ('sim/a.py', 'import importlib\nimportlib.import_module("rclpy.node")', 0),
        ('action/a.py', 'import torch.nn', 1),
        ('evaluation/a.py', 'def f():\n    import transformers', 1),
        ('reasoning/transformers_backend.py', 'import torch', 1),
        ('reasoning/other_backend.py', 'def f():\n    import torch', 1),
        ('sim/a.py', 'from vla_ros import reasoning', 2),
        ('sim/a.py', 'from ..action.guard import Guard', 2),
        ('sim/a.py', 'from .. import training', 2),
        ('action/a.py', 'from vla_ros.sim.world import World', 3),
        (
            'perception/a.py',
            'from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import vla_ros.nodes',
            3,
        ),
        ('viz/a.py', 'import vla_ros.nodes.qos', 4),
        ('training/a.py', 'def f():\n    from ..nodes import qos', 4),
        ('dataset/a.py', 'from vla_ros.action.guard import Guard', 5),
        ('bench/a.py', 'def f():\n    from vla_ros.bench.peer_torch import prepare', 6),
        ('bench/peer_a.py', 'import torch', 1),
    ],
)
def test_given_a_planted_breach_when_checked_then_its_wall_says_where(
    tmp_path: Path, path: str, line: str, wall: int
) -> None:
    plant(tmp_path, path, line)

    found = breaches(tmp_path, WALLS[wall])

    assert len(found) == 1
    assert found[0].startswith(f'{path}:{len(line.splitlines())} imports ')


@pytest.mark.parametrize(
    ('path', 'line'),
    [
        (
            'nodes/a.py',
            'import rclpy\nfrom sensor_msgs.msg import Image\nfrom vla_ros.sim.world import World',
        ),
        ('training/a.py', 'import torch\nfrom vla_ros.sim.world import World'),
        ('reasoning/transformers_backend.py', 'def load():\n    import torch, transformers'),
        ('bench/peer_a.py', 'def prepare():\n    import torch, transformers'),
        ('cli.py', 'def demo():\n    from vla_ros.nodes import supervisor'),
        ('sim/a.py', 'from vla_ros.types import VlaError\nfrom .scene import Scene'),
        ('evaluation/a.py', 'import rosbags\nimport mcap_ros2.decoder'),
        ('training/a.py', 'from vla_ros.dataset.reader import DatasetReader'),
    ],
)
def test_given_an_honest_file_when_checked_then_no_wall_complains(
    tmp_path: Path, path: str, line: str
) -> None:
    plant(tmp_path, path, line)

    assert [found for wall in WALLS for found in breaches(tmp_path, wall)] == []


def plant(package: Path, path: str, content: str) -> None:
    """Write a file into a package that has nothing else."""
    target = package / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content + '\n')


def test_every_file_is_short_enough_to_hold_one_idea() -> None:
    lengths = {path: len(path.read_text(encoding='utf-8').splitlines()) for path in PACKAGE.rglob('*.py')}
    for path, length in lengths.items():
        if LONG < length <= TOO_LONG:
            warnings.warn(f'{path.relative_to(PACKAGE)} has {length} lines', stacklevel=1)

    assert {
        str(path.relative_to(PACKAGE)): length for path, length in lengths.items() if length > TOO_LONG
    } == {}


def test_every_folder_with_python_files_is_a_package() -> None:
    folders = {path.parent for path in PACKAGE.rglob('*.py')}

    assert [str(folder) for folder in folders if not (folder / '__init__.py').is_file()] == []


def test_given_a_robot_without_torch_when_it_imports_everything_but_training_then_nothing_is_missing() -> (
    None
):
    """What the source does not show: an import that leads to torch by way of another room or library."""
    modules = sorted(
        '.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts)
        for path in PACKAGE.rglob('*.py')
        if path.name != '__init__.py' and room(path.relative_to(PACKAGE).as_posix()) != 'training'
    )
    program = f"""
import importlib, sys
absent = ('torch', 'transformers', 'accelerate', 'peft', 'trl', 'datasets', 'onnx', 'onnxscript', 'pyarrow')
sys.modules.update(dict.fromkeys(absent))
for module in {modules!r}:
    importlib.import_module(module)
"""
    ended = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, cwd=PACKAGE.parent
    )

    assert ended.returncode == 0, ended.stderr
