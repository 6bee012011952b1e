"""README.md and docs/: links lead somewhere, and the commands and files that they name are there."""

from __future__ import annotations

import ast
import importlib.util
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import setuptools
import typer
import yaml
from doc_pages import FENCE, PAGES, ROOT, blocks, commands, slug, spans, text

from vla_ros.cli import app
from vla_ros.evaluation.story import make_story
from vla_ros.paths import config_file
from vla_ros.sim.scene import sample_scene

PASSED_ON = {'train': [], 'export': ['bundle']}  # to the app of training, which needs torch
SHARED = {path.stem for path in (ROOT / 'vla_ros').glob('*.py')} - {'cli'}  # by all rooms
Command = tuple[str, list[str]]


def of_the_package(program: str) -> list[Command]:
    """The pages' commands of a program, each with the page and without the program's own name."""
    found = []
    for page in PAGES:
        for words in commands(page.read_text(encoding='utf-8')):
            if words[:3] == ['ros2', 'run', 'vla_ros'] and words[3:4] == ['vla_ros']:
                words = words[3:]
            if ' '.join(words).startswith(program + ' '):
                found.append((page.name, words[len(program.split()) :]))
            elif program == 'vla_ros' and words[0] == '.venv/bin/vla_ros':
                found.append((page.name, words[1:]))
    return [(page, words) for page, words in found if words]


def named(command: Command) -> str:
    return f'{command[0]}: {" ".join(command[1])}'


ALL = of_the_package('vla_ros')
OURS = [command for command in ALL if command[1][0] not in PASSED_ON]
TRAINING = [command for command in ALL if command[1][0] in PASSED_ON]


def problem(words: list[str], root: Any) -> str:
    """What is wrong with a command line, or ''."""
    here, rest = root, list(words)
    while rest:
        word = rest.pop(0)
        name, _, value = word.partition('=')
        if word.startswith('--'):
            options = {option: parameter for parameter in here.params for option in parameter.opts}
            if name not in {*options, '--help'}:
                return f'{name} is not among {sorted(options)}'
            if not value and name in options and not options[name].is_flag:
                rest.pop(0)
        elif hasattr(here, 'commands'):
            if word not in here.commands:
                return f'{word} is not among {sorted(here.commands)}'
            here = here.commands[word]
        elif all(parameter.param_type_name != 'argument' for parameter in here.params):
            return f'{word} is one word too many'
    return ''


def training_stages() -> dict[str, set[str]]:
    """The commands of training's app and their options, read from the source: to import it takes torch, and long."""
    folder = ROOT / 'vla_ros' / 'training'
    trees = [
        ast.parse((folder / name).read_text(encoding='utf-8')) for name in ('cli.py', 'language_commands.py')
    ]
    functions = [one for tree in trees for one in tree.body if isinstance(one, ast.FunctionDef)]
    return {
        {'everything': 'all'}.get(function.name, function.name): {
            f'--{argument.arg.replace("_", "-")}' for argument in function.args.args
        }
        for function in functions
    }


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    content = FENCE.sub('', page.read_text(encoding='utf-8'))
    for target in re.findall(r'\]\(([^)\s]+)\)', content):
        if re.match(r'[a-z]+:', target):
            continue
        file, _, anchor = target.partition('#')
        path = page.parent / file if file else page
        assert path.exists(), f'{target} of {page.name}'
        if anchor:
            headings = re.findall(r'^#+ (.*)$', FENCE.sub('', path.read_text(encoding='utf-8')), re.MULTILINE)
            assert anchor in map(slug, headings), f'{target} of {page.name}'


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_a_page_is_short(page: Path) -> None:
    assert len(page.read_text(encoding='utf-8').splitlines()) < 300


def test_the_pages_name_enough_commands_that_the_next_tests_mean_something() -> None:
    assert len(OURS) > 20
    assert TRAINING
    assert len(of_the_package('ros2 launch vla_ros')) > 2


@pytest.mark.parametrize('command', OURS, ids=named)
def test_every_command_exists_with_its_options(command: Command) -> None:
    assert problem(command[1], typer.main.get_command(app)) == ''


@pytest.mark.parametrize('command', TRAINING, ids=named)
def test_every_training_command_exists_with_its_options(command: Command) -> None:
    stage, *rest = [*PASSED_ON[command[1][0]], *command[1][1:]]
    stages = training_stages()

    assert stage in {*stages, '--help'}
    assert {word for word in rest if word.startswith('--')} <= stages.get(stage, set())


@pytest.mark.parametrize(
    'words', ['inspekt', 'say hello --loud', 'run now', 'eval success --tasks touch', 'status --seconds=3 9']
)
def test_given_a_wrong_command_then_it_is_noticed(words: str) -> None:
    assert problem(words.split(), typer.main.get_command(app)) != ''


def launch_arguments(file: str = 'vla.launch.py') -> set[str]:
    """What a launch file declares."""
    tree = ast.parse((ROOT / 'launch' / file).read_text(encoding='utf-8'))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {
        ast.literal_eval(call.args[0])
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == 'DeclareLaunchArgument'
    }


def test_every_launch_file_and_argument_exists() -> None:
    for page, (file, *rest) in of_the_package('ros2 launch vla_ros'):
        assert (ROOT / 'launch' / file).is_file(), f'{page}: {file}'
        known = launch_arguments() | launch_arguments(file)
        for word in rest:
            assert word == '--show-args' or word.split(':=')[0] in known, f'{page}: {word}'
    listed = re.search(r'^Arguments: (.*?);', text('robot.md'), re.MULTILINE | re.DOTALL)
    assert listed is not None
    assert set(spans(listed[1])) == launch_arguments()


def test_every_executable_module_and_make_target_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **arguments: said.update(arguments))
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / 'setup.py'))
    executables = {script.split(' = ')[0] for script in said['entry_points']['console_scripts']}
    targets = re.findall(r'^(\w+):', (ROOT / 'Makefile').read_text(encoding='utf-8'), re.MULTILINE)

    assert {words[0] for _, words in of_the_package('ros2 run vla_ros')} <= executables
    assert {words[0] for _, words in of_the_package('make')} <= set(targets)
    for _, (module, *_rest) in of_the_package('python -m'):
        assert importlib.util.find_spec(module) is not None, module


def test_the_controller_in_the_page_is_the_one_of_the_example() -> None:
    example = yaml.safe_load(config_file('so101_controllers.yaml').read_text(encoding='utf-8'))
    (block,) = blocks(text('robot.md'), 'yaml')

    for node, entry in yaml.safe_load(block).items():
        for name, value in entry['ros__parameters'].items():
            assert example[node]['ros__parameters'][name] == value, name


def test_the_table_that_the_page_describes_is_the_one_that_stands_there() -> None:
    page = ' '.join((ROOT / 'README.md').read_text(encoding='utf-8').split())
    (told,) = re.findall(r'stand a (green \w+), a (blue), an (orange) and a (red \w+)\.', page)
    names = {thing.name for thing in sample_scene(make_story().seed).objects}

    assert names == {told[0], f'{told[1]} cylinder', f'{told[2]} cylinder', told[3]}
    for page_name, words in of_the_package('vla_ros'):
        if words[0] == 'say' and page_name == 'README.md' and '--enable' in words:
            assert any(name in words[1] for name in names), words


def test_every_sentence_that_the_environment_script_fails_with_is_explained() -> None:
    script = (ROOT / 'scripts' / 'environment.sh').read_text(encoding='utf-8')
    sentences = re.findall(r'\bfail (["\'].*)', script)
    page = text('troubleshooting.md')

    assert len(sentences) == len(re.findall(r'\bfail ["\']', script)) > 8
    for sentence in sentences:
        pieces = re.split(r'\$\([^)]*\)|\$\w+|["\'}]', sentence)
        words = next(piece for piece in pieces if len(piece.strip()) > 7)
        assert re.split(r'[;(]', words)[0].strip() in page, sentence


def test_the_arrows_between_the_rooms_are_the_imports() -> None:
    drawn = set()
    (diagram,) = [block for block in blocks(text('architecture.md'), 'mermaid') if 'subgraph' in block]
    for line in diagram.splitlines():
        if '-->' in line:
            source, targets = re.sub(r'\[[^\]]*\]', '', line).split('-->')
            drawn |= {(source.strip(), target.strip()) for target in targets.split('&')}
    imported = set()
    for path in (ROOT / 'vla_ros').rglob('*.py'):
        room = path.relative_to(ROOT / 'vla_ros').parts[0].removesuffix('.py')
        found = set(
            re.findall(r'^\s*(?:from|import) vla_ros\.(\w+)', path.read_text(encoding='utf-8'), re.MULTILINE)
        )
        imported |= {(room, other) for other in found - SHARED - {room} if room not in SHARED}

    assert drawn == imported
