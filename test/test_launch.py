"""vla.launch.py, evaluated without a ROS installation: what would run, with which parameters, remaps and arguments.

Recording stand-ins take the place of ``launch``; test_launch_service.py starts the files under the real one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from launch_stand_ins import ARGUMENTS, LAUNCH, entities, evaluate, kind, nodes, stand_in

from vla_ros.graph import COMPOSED, MODEL_NODES, NODES, processes, recorder
from vla_ros.paths import config_file
from vla_ros.process import PATIENCE
from vla_ros.types import VlaError


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)


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


def test_nodes_are_given_the_time_that_a_brake_takes_before_they_are_ended_by_force(stand_ins: None) -> None:
    for node in nodes(simulator='true'):
        waits = (node.options['sigterm_timeout'], node.options['sigkill_timeout'])
        assert waits == tuple(map(str, PATIENCE))


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


@pytest.mark.parametrize(('simulator', 'given'), [('false', []), ('true', ['robot', 'urdf'])])
def test_given_rviz_when_launched_then_rviz_comes_last_and_a_simulated_robot_has_frames(
    stand_ins: None, simulator: str, given: list[str]
) -> None:
    *others, include = evaluate(rviz='true', simulator=simulator)

    assert include.values[0].values == (str(LAUNCH / 'rviz.launch.py'),)
    assert [name for name, _ in include.options['launch_arguments']] == given
    assert [kind(action) for action in others if kind(action) == 'IncludeLaunchDescription'] == []


def test_the_launch_file_and_the_command_line_start_the_same_processes(stand_ins: None) -> None:
    launched = nodes(simulator='true')
    commands = [process.command() for process in processes(simulator=True)]

    assert [node.options['executable'] for node in launched] == [
        words[2].split('.')[-1] for words in commands
    ]
