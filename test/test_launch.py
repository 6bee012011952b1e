"""The launch files, evaluated: what would run, with which parameters, remaps and arguments.

Recording stand-ins take the place of the few names of ``launch`` and ``launch_ros`` that are used, so that this runs
without a ROS installation; where there is one, the real thing is evaluated as well.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vla_ros.graph import COMPOSED, MODEL_NODES, NO_ROBOT, NODES, player, processes, recorder
from vla_ros.paths import config_file
from vla_ros.types import VlaError

LAUNCH = Path(__file__).resolve().parents[1] / 'launch'
ARGUMENTS = {
    'robot': 'so101',
    'namespace': '',
    'use_sim_time': 'false',
    'params_file': str(config_file('vla.params.yaml')),
    'model': '',
    'providers': '',
    'generation': '',
    'autostart': '',
    'composed': 'false',
    'simulator': 'false',
    'respawn': 'false',
    'log_level': 'info',
    'enclaves': '',
    'rviz': 'false',
    'record': '',
}


class Recorded:
    """Keeps what it was made with."""

    def __init__(self, *values: Any, **options: Any) -> None:
        self.values = values
        self.options = options


class LaunchConfiguration(Recorded):
    def perform(self, context: dict[str, str]) -> str:
        return context[self.values[0]]


RECORDED = {
    'launch': ['LaunchContext', 'LaunchDescription'],
    'launch.actions': [
        'DeclareLaunchArgument',
        'IncludeLaunchDescription',
        'OpaqueFunction',
        'SetEnvironmentVariable',
        'Shutdown',
    ],
    'launch.launch_description_sources': ['PythonLaunchDescriptionSource'],
    'launch.substitutions': [],
    'launch_ros': [],
    'launch_ros.actions': ['LifecycleNode', 'Node'],
    'launch_ros.parameter_descriptions': ['ParameterValue'],
}


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording classes under the names of launch and launch_ros."""
    for module_name, names in RECORDED.items():
        module = ModuleType(module_name)
        for name in names:
            setattr(module, name, type(name, (Recorded,), {}))
        monkeypatch.setitem(sys.modules, module_name, module)
    sys.modules['launch.substitutions'].LaunchConfiguration = LaunchConfiguration  # type: ignore[attr-defined]
    for name in (*os.environ,):
        if name.startswith(('FASTRTPS_', 'FASTDDS_', 'ROS_AUTOMATIC_')):
            monkeypatch.delenv(name)


def load(file: str) -> Any:
    """The module that a launch file is."""
    spec = importlib.util.spec_from_file_location('launch_file', LAUNCH / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def entities(file: str) -> list[Any]:
    (found,) = load(file).generate_launch_description().values
    return list(found)


def kind(entity: Any) -> str:
    return type(entity).__name__


def evaluate(**given: str) -> list[Any]:
    """The actions that vla.launch.py takes, given some of its arguments."""
    (start,) = [entity for entity in entities('vla.launch.py') if kind(entity) == 'OpaqueFunction']
    return list(start.options['function']({**ARGUMENTS, **given}))


def nodes(**given: str) -> list[Any]:
    return [action for action in evaluate(**given) if kind(action) in ('Node', 'LifecycleNode')]


def test_the_arguments_and_their_defaults_are_the_documented_ones(stand_ins: None) -> None:
    declared = [entity for entity in entities('vla.launch.py') if kind(entity) == 'DeclareLaunchArgument']

    assert {argument.values[0]: argument.options['default_value'] for argument in declared} == ARGUMENTS
    for argument in declared:
        assert argument.options['description'].endswith('.')
        choices = argument.options.get('choices')
        assert choices is None or argument.options['default_value'] in choices


def test_given_no_arguments_when_launched_then_the_model_runs_in_one_lifecycle_node_a_process(
    stand_ins: None,
) -> None:
    found = nodes()

    assert [kind(node) for node in found] == ['LifecycleNode'] * 3
    for node, spec in zip(found, MODEL_NODES, strict=True):
        assert node.options['package'] == 'vla_ros'
        assert node.options['executable'] == node.options['name'] == spec.name
        assert node.options['namespace'] == ''
        assert node.options['parameters'] == [
            ARGUMENTS['params_file'],
            {'use_sim_time': False, 'robot': 'so101'},
        ]
        assert node.options['remappings'] == [
            ('joint_trajectory', 'joint_trajectory_controller/joint_trajectory')
        ]
        assert node.options['arguments'] == []
        assert node.options['ros_arguments'] == ['--log-level', 'info']


def test_given_all_arguments_when_launched_then_they_win_over_the_parameter_file(
    stand_ins: None, tmp_path: Path
) -> None:
    file = tmp_path / 'mine.yaml'
    file.touch()

    found = nodes(
        namespace='left',
        use_sim_time='true',
        params_file=str(file),
        model=str(tmp_path),
        autostart='false',
        log_level='debug',
    )

    for node in found:
        assert node.options['namespace'] == 'left'
        given = {
            'use_sim_time': True,
            'bundle': str(tmp_path),
            'robot': 'so101',
            'autostart': False,
        }
        assert node.options['parameters'] == [str(file), given]
        assert node.options['ros_arguments'] == ['--log-level', 'debug']


def test_given_enclaves_when_launched_then_each_node_has_its_own(stand_ins: None) -> None:
    for node in nodes(enclaves='/vla_ros'):
        given = ['--log-level', 'info', '--enclave', f'/vla_ros/{node.options["name"]}']
        assert node.options['ros_arguments'] == given


def test_given_autostart_true_when_launched_then_the_nodes_are_told_so(stand_ins: None) -> None:
    for node in nodes(autostart='true'):
        assert node.options['parameters'][-1] == {'use_sim_time': False, 'robot': 'so101', 'autostart': True}


def test_given_the_simulator_when_launched_then_it_runs_and_nothing_is_remapped(stand_ins: None) -> None:
    found = nodes(simulator='true')

    assert [node.options['executable'] for node in found] == [spec.name for spec in NODES]
    assert all(node.options['remappings'] == [] for node in found)


@pytest.mark.parametrize('simulator', ['false', 'true'])
def test_given_composed_when_launched_then_one_nameless_process_runs_all_nodes(
    stand_ins: None, simulator: str
) -> None:
    (found,) = nodes(composed='true', simulator=simulator)

    specs = NODES if simulator == 'true' else MODEL_NODES
    assert kind(found) == 'Node'
    assert found.options['executable'] == COMPOSED
    assert found.options['arguments'] == [spec.name for spec in specs]
    assert 'name' not in found.options


@pytest.mark.parametrize('respawn', ['false', 'true'])
def test_given_respawn_when_launched_then_each_process_is_started_again(
    stand_ins: None, respawn: str
) -> None:
    for node in nodes(respawn=respawn):
        assert node.options['respawn'] is (respawn == 'true')
        assert node.options['respawn_delay'] > 0


def test_given_a_robot_and_providers_when_launched_then_each_node_is_told(stand_ins: None) -> None:
    found = nodes(robot='franka_panda', providers='cpu,action=cuda')

    for node in found:
        provider = 'cuda' if node.options['name'] == 'action' else 'cpu'
        assert node.options['parameters'][-1] == {
            'use_sim_time': False,
            'robot': 'franka_panda',
            'provider': provider,
        }
        assert node.options['remappings'] == [('joint_trajectory', 'panda_arm_controller/joint_trajectory')]


def test_given_a_generation_when_launched_then_each_node_is_told(stand_ins: None) -> None:
    for node in nodes(generation='1'):
        assert node.options['parameters'][-1]['generation'] == 1


def test_given_a_bag_to_record_when_launched_then_the_recorder_starts_first(stand_ins: None) -> None:
    first, *others = nodes(record='/bags/new', namespace='left')

    expected = recorder('/bags/new', namespace='left')
    assert first.options['executable'] == 'recorder'
    assert kind(first) == 'Node' and 'name' not in first.options
    assert first.options['arguments'] == list(expected.arguments)
    assert first.options['remappings'] == list(expected.remaps)
    assert (first.options['namespace'], first.options['parameters']) == ('left', [])
    assert [node.options['executable'] for node in others] == [spec.name for spec in MODEL_NODES]


def test_given_rviz_when_launched_then_its_launch_file_is_included_or_the_lack_of_it_is_said(
    stand_ins: None,
) -> None:
    def included() -> list[Any]:
        return [a for a in evaluate(rviz='true') if kind(a) == 'IncludeLaunchDescription']

    assert not [a for a in evaluate() if kind(a) == 'IncludeLaunchDescription']
    if (LAUNCH / 'rviz.launch.py').is_file():
        (include,) = included()
        assert include.values[0].values == (str(LAUNCH / 'rviz.launch.py'),)
    else:
        with pytest.raises(VlaError, match="rviz: expected 'false'"):
            included()


def test_fast_dds_is_pointed_at_the_profile_before_any_node_starts(
    stand_ins: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('vla_ros.graph._free_shared_memory', lambda: 2**34)
    actions = evaluate()

    kinds = [kind(action) for action in actions]
    assert kinds == ['SetEnvironmentVariable'] * 2 + ['LifecycleNode'] * 3
    assert {action.values[0]: action.values[1] for action in actions[:2]} == {
        'FASTRTPS_DEFAULT_PROFILES_FILE': str(config_file('fastdds.xml')),
        'FASTDDS_DEFAULT_PROFILES_FILE': str(config_file('fastdds.xml')),
    }


def test_only_a_simulated_robot_is_kept_off_the_network(stand_ins: None) -> None:
    def variables(**given: str) -> dict[str, str]:
        found = [action for action in evaluate(**given) if kind(action) == 'SetEnvironmentVariable']
        return {action.values[0]: action.values[1] for action in found}

    assert variables(simulator='true')['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert 'ROS_AUTOMATIC_DISCOVERY_RANGE' not in variables(simulator='false')


def test_the_demo_is_the_same_launch_file_with_the_simulator(stand_ins: None) -> None:
    (include,) = entities('demo.launch.py')

    assert include.values[0].values == (str(LAUNCH / 'vla.launch.py'),)
    assert include.options['launch_arguments'] == [('simulator', 'true')]


def test_a_replay_is_the_same_launch_file_on_the_clock_of_the_bag_without_a_controller(
    stand_ins: None,
) -> None:
    found = entities('replay.launch.py')
    (include,) = [entity for entity in found if kind(entity) == 'IncludeLaunchDescription']
    given = dict(include.options['launch_arguments'])

    assert include.values[0].values == (str(LAUNCH / 'vla.launch.py'),)
    assert given == {'use_sim_time': 'true', 'robot': NO_ROBOT}
    for node in nodes(**given):
        assert node.options['remappings'] == []
        assert node.options['parameters'][-1]['use_sim_time'] is True


def test_a_replay_is_kept_off_the_network_and_plays_the_bag_that_was_named(stand_ins: None) -> None:
    found = entities('replay.launch.py')
    (start,) = [entity for entity in found if kind(entity) == 'OpaqueFunction']
    arguments = {
        'bag': '/bags/kitchen',
        'rate': '0.5',
        'model': '',
        'namespace': 'left',
        'log_level': 'info',
    }

    (node,) = start.options['function'](arguments)

    variables = {e.values[0]: e.values[1] for e in found if kind(e) == 'SetEnvironmentVariable'}
    assert variables['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert node.options['executable'] == 'player'
    assert node.options['arguments'] == list(player('/bags/kitchen', namespace='left', rate=0.5).arguments)
    assert kind(node.options['on_exit'][0]) == 'Shutdown'


def start_of(file: str, **given: str) -> list[Any]:
    """The actions that a launch file takes, its other arguments at their defaults."""
    found = entities(file)
    (start,) = [entity for entity in found if kind(entity) == 'OpaqueFunction']
    declared = [entity for entity in found if kind(entity) == 'DeclareLaunchArgument']
    defaults = {argument.values[0]: argument.options['default_value'] for argument in declared}
    assert set(given) <= set(defaults)
    return list(start.options['function']({**defaults, **given}))


def test_rviz_comes_with_the_node_that_draws_and_hears_what_the_nodes_of_the_robot_say(
    stand_ins: None,
) -> None:
    drawing, rviz = start_of('rviz.launch.py', namespace='left', use_sim_time='true')

    (process,) = [p for p in processes(simulator=False, visualise=True) if p.executable == 'visualise']
    assert (kind(drawing), drawing.options['executable']) == ('LifecycleNode', 'visualise')
    assert drawing.options['remappings'] == list(process.remaps)
    assert rviz.options['package'] == rviz.options['executable'] == 'rviz2'
    assert rviz.options['arguments'] == ['-d', str(config_file('vla.rviz'))]
    for node in (drawing, rviz):
        assert node.options['namespace'] == 'left'
        assert node.options['parameters'][-1]['use_sim_time'] is True


@pytest.mark.parametrize('file', ['so101.urdf', str(config_file('robots/so101.urdf'))])
def test_given_a_description_when_launched_then_somebody_says_where_the_links_are(
    stand_ins: None, file: str
) -> None:
    *_, publisher = start_of('rviz.launch.py', urdf=file)

    assert publisher.options['package'] == publisher.options['executable'] == 'robot_state_publisher'
    description = publisher.options['parameters'][0]['robot_description']
    assert description.values == (config_file('robots/so101.urdf').read_text(),)
    assert description.options == {'value_type': str}  # not YAML, whatever it looks like


def test_given_no_such_description_when_launched_then_it_says_what_was_expected(stand_ins: None) -> None:
    with pytest.raises(VlaError, match=r"urdf: expected a file or .* found '/no/such.urdf'"):
        start_of('rviz.launch.py', urdf='/no/such.urdf')


@pytest.mark.parametrize(('simulator', 'given'), [('false', []), ('true', ['robot', 'urdf'])])
def test_given_rviz_when_launched_then_rviz_comes_last_and_a_simulated_robot_has_frames(
    stand_ins: None, simulator: str, given: list[str]
) -> None:
    *others, include = evaluate(rviz='true', simulator=simulator)

    assert include.values[0].values == (str(LAUNCH / 'rviz.launch.py'),)
    assert [name for name, _ in include.options['launch_arguments']] == given
    assert [kind(action) for action in others if kind(action) == 'IncludeLaunchDescription'] == []


def test_a_simulated_robot_alone_is_its_driver_its_controller_and_its_frames_off_the_network(
    stand_ins: None,
) -> None:
    *variables, robot, frames = start_of('sim.launch.py', use_sim_time='true')

    assert 'ROS_AUTOMATIC_DISCOVERY_RANGE' in {action.values[0] for action in variables}
    assert (kind(robot), robot.options['executable']) == ('LifecycleNode', 'simulator')
    assert robot.options['parameters'][-1] == {
        'robot': 'so101',
        'use_sim_time': True,
        'publish_clock': True,
    }
    assert frames.options['package'] == 'robot_state_publisher'
    assert kind(start_of('sim.launch.py', state_publisher='false')[-1]) == 'LifecycleNode'


def test_the_launch_file_and_the_command_line_start_the_same_processes(stand_ins: None) -> None:
    launched = nodes(simulator='true')
    commands = [process.command() for process in processes(simulator=True)]

    assert [node.options['executable'] for node in launched] == [
        words[2].split('.')[-1] for words in commands
    ]


@pytest.mark.parametrize(
    'file',
    ['vla.launch.py', 'demo.launch.py', 'replay.launch.py', 'rviz.launch.py', 'sim.launch.py'],
)
def test_real_launch_accepts_the_file(file: str) -> None:
    pytest.importorskip('launch_ros')
    from launch import LaunchService

    LaunchService().include_launch_description(load(file).generate_launch_description())


@pytest.mark.parametrize(
    ('given', 'nodes', 'others'),
    [
        ({}, MODEL_NODES, 0),
        ({'robot': 'viperx_300', 'namespace': 'vx300s', 'providers': 'cpu,action=cuda'}, MODEL_NODES, 0),
        ({'simulator': 'true', 'respawn': 'true', 'record': '/tmp/no_bag'}, NODES, 1),
        ({'composed': 'true', 'use_sim_time': 'true', 'autostart': 'false'}, (), 1),
    ],
)
def test_real_launch_takes_the_arguments(given: dict[str, str], nodes: Any, others: int) -> None:
    pytest.importorskip('launch_ros')
    from launch import LaunchContext
    from launch.actions import DeclareLaunchArgument, OpaqueFunction
    from launch_ros.actions import LifecycleNode, Node

    context = LaunchContext()
    context.launch_configurations.update(given)
    actions = []
    for entity in load('vla.launch.py').generate_launch_description().entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity.execute(context)  # takes the default where nothing is given, and refuses what is no choice
        elif isinstance(entity, OpaqueFunction):
            actions = entity.execute(context) or []

    found = [action for action in actions if isinstance(action, Node)]
    assert len([node for node in found if isinstance(node, LifecycleNode)]) == len(nodes)
    assert len(found) == len(nodes) + others
    for node in found:
        assert node.node_executable is not None
