"""The SROS2 policy: the file is what the table says, and the table gives nobody more than is needed."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import setuptools

from vla_ros.bundle import load_bundle
from vla_ros.graph import MODEL_NODES, NODES, VISUALISE
from vla_ros.interfaces import COMMANDS, LIFECYCLE_SERVICES, PARAMETER_SERVICES, SWITCHES, WORDS
from vla_ros.paths import bundle_directory, config_file
from vla_ros.security_policy import CAMERAS, ROOT, policy, rights

FILES = {'so101': 'security/policy.xml', None: 'security/simulator_policy.xml'}
EVERY = pytest.mark.parametrize('robot', FILES, ids=lambda robot: robot or 'simulator')
PEOPLE = {'operator', 'maintainer', 'observer'}


def who(robot: str | None, kind: str, name: str) -> set[str]:
    """The enclaves, without their root, that have a right."""
    allowed = {
        path.removeprefix(f'{ROOT}/'): getattr(interface, kind)
        for path, (_, interface) in rights(robot=robot).items()
    }
    return {enclave for enclave, names in allowed.items() if name in names}


def commands(robot: str | None) -> str:
    """What the controller's topic is called for a robot."""
    return COMMANDS if robot is None else f'joint_trajectory_controller/{COMMANDS}'


@EVERY
def test_the_file_is_what_the_generator_gives(robot: str | None) -> None:
    assert config_file(FILES[robot]).read_text(encoding='utf-8') == policy(robot=robot)


def test_the_command_prints_the_file() -> None:
    for options, name in (([], 'policy.xml'), (['--simulator'], 'simulator_policy.xml')):
        said = subprocess.run(
            [sys.executable, '-m', 'vla_ros.security_policy', *options],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[1],
        )
        assert said.stdout == config_file(f'security/{name}').read_text(encoding='utf-8')


CHILDREN = {
    'policy': {'enclaves'},
    'enclaves': {'enclave'},
    'enclave': {'profiles'},
    'profiles': {'profile'},
    'profile': {'topics', 'services', 'actions'},
    'topics': {'topic'},
    'services': {'service'},
    'topic': set(),
    'service': set(),
}
ATTRIBUTES = {
    'policy': [{'version'}],
    'enclave': [{'path'}],
    'profile': [{'ns', 'node'}],
    'topics': [{'publish'}, {'subscribe'}],
    'services': [{'reply'}, {'request'}],
}


@EVERY
def test_the_file_keeps_to_the_schema_of_sros2(robot: str | None) -> None:
    """Version 0.2.0 of its policy.xsd, as far as it is used here."""
    root = ElementTree.parse(config_file(FILES[robot])).getroot()

    assert (root.tag, root.get('version')) == ('policy', '0.2.0')
    for element in root.iter():
        assert {child.tag for child in element} <= CHILDREN[element.tag]
        assert bool(len(element)) == bool(CHILDREN[element.tag]), 'no list may be empty'
        assert set(element.attrib) in ATTRIBUTES.get(element.tag, [set()])
        if element.tag in ('topics', 'services'):
            assert set(element.attrib.values()) == {'ALLOW'}
        if element.tag in ('topic', 'service'):
            assert element.text
            assert element.text.strip() == element.text


@EVERY
def test_everybody_has_an_enclave_and_nobody_else(robot: str | None) -> None:
    nodes = {spec.name for spec in (NODES if robot is None else MODEL_NODES)}
    assert set(rights(robot=robot)) == {f'{ROOT}/{name}' for name in nodes | PEOPLE | {VISUALISE.name}}


@EVERY
def test_only_the_action_node_may_command_the_controller(robot: str | None) -> None:
    assert who(robot, 'publishes', commands(robot)) == {'action'}
    for _, interface in rights(robot=robot).values():
        assert {name for name in interface.publishes if 'trajectory' in name} <= {commands(robot)}
        assert not {name for name in interface.calls if 'controller' in name}


@EVERY
def test_only_the_operator_may_instruct_and_flip_the_switches(robot: str | None) -> None:
    assert who(robot, 'publishes', WORDS) == {'operator'}
    for switch in SWITCHES:
        assert who(robot, 'calls', switch) == {'operator'}
        assert who(robot, 'serves', switch) == {'action'}


@EVERY
def test_only_the_maintainer_may_change_parameters_and_lifecycle_of_the_model_nodes(
    robot: str | None,
) -> None:
    for node in MODEL_NODES:
        for service in (*PARAMETER_SERVICES, *LIFECYCLE_SERVICES):
            assert who(robot, 'calls', f'{node.name}/{service}') == {'maintainer'}
            assert who(robot, 'serves', f'{node.name}/{service}') == {node.name}


@EVERY
def test_an_observer_listens_and_does_nothing_else(robot: str | None) -> None:
    _, observer = rights(robot=robot)[f'{ROOT}/observer']
    assert observer.calls == ()
    assert set(observer.publishes) == {'/rosout', '/parameter_events'}


@EVERY
def test_nobody_hears_the_node_that_draws_but_the_observer_and_it_calls_nobody(robot: str | None) -> None:
    _, drawing = rights(robot=robot)[f'{ROOT}/{VISUALISE.name}']
    said = [name for name in drawing.publishes if name.startswith(VISUALISE.name)]
    assert drawing.calls == ()
    for name in said:
        assert who(robot, 'subscribes', name) <= {'observer', 'maintainer'}


@EVERY
def test_no_words_come_to_the_action_node(robot: str | None) -> None:
    _, action = rights(robot=robot)[f'{ROOT}/action']
    assert {name for name in action.subscribes if not name.endswith('/alive')} - {'/clock'} == {
        'perception/tokens',
        'reasoning/thought',
        'joint_states',
    }


@EVERY
def test_with_a_policy_server_the_action_node_hears_pictures_and_decisions_and_nobody_else_hears_more(
    robot: str | None,
) -> None:
    """The words of a decision go to the server alone; the person's own topic stays closed to it."""
    usual, with_server = rights(robot=robot), rights(robot=robot, policy_server=True)
    name = f'{ROOT}/action'
    before, after = set(usual[name][1].subscribes), set(with_server[name][1].subscribes)
    assert before - after == {'perception/tokens'}
    assert after - before == {'reasoning/decision', *(f'perception/{camera}/image' for camera in CAMERAS)}
    assert WORDS not in after
    for path in usual:
        if path != name:
            assert usual[path] == with_server[path]


@EVERY
def test_what_a_thought_is_made_of_has_one_source_each(robot: str | None) -> None:
    assert who(robot, 'publishes', 'reasoning/thought') == {'reasoning'}
    assert who(robot, 'publishes', 'perception/tokens') == {'perception'}
    for name in ('perception', 'reasoning', 'action'):
        assert who(robot, 'publishes', f'{name}/alive') == {name}


def test_on_a_robot_nobody_here_may_play_its_sensors_or_its_clock() -> None:
    for name in ('/clock', 'joint_states', 'camera/front/image_raw', 'camera/wrist/camera_info'):
        assert who('so101', 'publishes', name) == set()
        assert who(None, 'publishes', name) == {'simulator'}


@EVERY
def test_only_nodes_of_the_command_line_are_matched_by_a_pattern(robot: str | None) -> None:
    for path, (_, interface) in rights(robot=robot).items():
        names = (*interface.publishes, *interface.subscribes, *interface.serves, *interface.calls)
        patterns = {name for name in names if set(name) & set('*?[]')}
        wanted = {'_ros2cli_*/get_type_description'} if path.split('/')[-1] in PEOPLE else set()
        assert patterns == wanted


def test_the_cameras_are_those_of_the_bundle_that_ships() -> None:
    manifest = load_bundle(bundle_directory('tabletop')).manifest
    assert tuple(camera.name for camera in manifest.cameras) == CAMERAS


def test_a_namespace_moves_the_nodes_and_leaves_absolute_names() -> None:
    root = ElementTree.fromstring(policy(namespace='left', cameras=('front',)).encode())
    assert {profile.get('ns') for profile in root.iter('profile')} == {'/left'}
    texts = {topic.text for topic in root.iter('topic')}
    assert {'/rosout', '/diagnostics', 'joint_states'} <= texts
    assert not {text for text in texts if text and 'wrist' in text}


def test_the_package_installs_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **arguments: said.update(arguments))
    monkeypatch.chdir(Path(__file__).parents[1])
    runpy.run_path('setup.py')

    installed = dict(said['data_files'])['share/vla_ros/config/security']
    assert {f'config/{file}' for file in FILES.values()} == set(installed)
