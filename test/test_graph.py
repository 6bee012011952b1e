"""The graph as data: processes, commands, environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vla_ros import graph
from vla_ros.graph import (
    ALL_NODES,
    COMPOSED,
    MODEL_NODES,
    NODES,
    VISUALISE,
    environment,
    processes,
    recorder,
)
from vla_ros.paths import config_file
from vla_ros.process import Process, command, yaml_value
from vla_ros.robots import load_robot, robot_file, robot_names
from vla_ros.types import VlaError

# A node that tells what reached it, in the place of one of ours.
LISTENING_NODE = """
import json, rclpy
rclpy.init()
node = rclpy.create_node('perception', automatically_declare_parameters_from_overrides=True)
values = {name: value.value for name, value in node._parameters.items()}
values = {name: list(v) if hasattr(v, 'typecode') else v for name, v in values.items()}
topic = node.resolve_topic_name('joint_trajectory')
print(json.dumps({'name': node.get_fully_qualified_name(), 'topic': topic, 'values': values}))
"""


def of(name: str, found: tuple[Process, ...]) -> Process:
    return next(process for process in found if process.executable == name)


def test_given_a_robot_when_asked_then_each_model_node_is_a_process_and_motion_goes_to_its_controller() -> (
    None
):
    found = processes(simulator=False)

    assert [process.executable for process in found] == ['perception', 'reasoning', 'action']
    assert all(process.nodes == (process.executable,) for process in found)
    assert of('action', found).remaps == (
        ('joint_trajectory', 'joint_trajectory_controller/joint_trajectory'),
    )


def test_given_the_simulator_when_asked_then_it_runs_too_and_motion_goes_to_it() -> None:
    found = processes(simulator=True)

    assert [process.executable for process in found] == [spec.name for spec in NODES]
    assert all(process.remaps == () for process in found)


@pytest.mark.parametrize('simulator', [False, True])
def test_given_composed_when_asked_then_one_process_is_told_which_nodes_to_run(simulator: bool) -> None:
    (found,) = processes(simulator=simulator, composed=True)

    specs = NODES if simulator else MODEL_NODES
    assert found.executable == COMPOSED
    assert found.nodes == found.arguments == tuple(spec.name for spec in specs)


@pytest.mark.parametrize('simulator', [False, True])
def test_given_somebody_who_looks_when_asked_then_the_node_that_draws_runs_last(simulator: bool) -> None:
    found = processes(simulator=simulator, visualise=True)
    (shared,) = processes(simulator=simulator, visualise=True, composed=True)

    specs = NODES if simulator else MODEL_NODES
    assert [process.executable for process in found] == [*(spec.name for spec in specs), VISUALISE.name]
    assert found[-1].remaps == found[-2].remaps
    assert shared.arguments[-1] == VISUALISE.name


def test_what_is_not_asked_for_is_left_to_the_parameter_file() -> None:
    for process in processes(simulator=False):
        assert dict(process.parameters) == {'use_sim_time': False, 'robot': 'so101'}
        assert process.parameter_files == (config_file('vla.params.yaml'),)


def test_what_is_asked_for_reaches_every_process(tmp_path: Path) -> None:
    file = tmp_path / 'my.yaml'
    file.touch()
    bundle = tmp_path / 'my bundle'
    bundle.mkdir()

    found = processes(
        simulator=True,
        namespace='left_arm',
        parameters_file=file,
        bundle=str(bundle),
        autostart=False,
        use_sim_time=True,
        log_level='debug',
        parameters={'provider': 'cuda'},
    )

    for process in found:
        assert (process.namespace, process.log_level) == ('left_arm', 'debug')
        assert process.parameter_files == (file,)
        assert dict(process.parameters) == {
            'use_sim_time': True,
            'publish_clock': True,
            'robot': 'so101',
            'bundle': str(bundle),
            'autostart': False,
            'provider': 'cuda',
        }


@pytest.mark.parametrize(
    ('wrong', 'sentence'),
    [
        ({'robot': 'r2d2'}, r"robot: expected one of \['franka_panda', .* found 'r2d2'"),
        ({'robot': 'franka_panda', 'simulator': True}, "robot: expected 'so101', which is what is simulated"),
        ({'providers': 'gpu'}, "providers: expected one of .* found 'gpu'"),
        ({'providers': 'cuda,simulator=cpu'}, "with a node of .* found 'simulator=cpu'"),
        (
            {'composed': True, 'providers': 'cpu,action=cuda'},
            "expected one for all composed nodes, found 'cpu,",
        ),
        ({'bundle': 'nosuchmodel'}, "bundle: expected .* found 'nosuchmodel'"),
        ({'parameters_file': Path('/no/such.yaml')}, "params_file: expected .* found '/no/such.yaml'"),
        (
            {'composed': True, 'enclaves': '/vla_ros'},
            "enclaves: expected '' for composed .* found '/vla_ros'",
        ),
    ],
)
def test_what_does_not_exist_is_refused_in_one_sentence(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(VlaError, match=sentence):
        processes(**{'simulator': False, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize('robot', robot_names())
def test_given_a_robot_by_name_or_file_when_asked_then_nodes_are_told_and_its_topics_are_used(
    robot: str, tmp_path: Path
) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_text(robot_file(robot).read_text().replace(f'name: {robot}', 'name: mine', 1))

    for asked, told in ((robot, robot), (str(file), str(file))):
        for process in processes(simulator=False, robot=asked):
            assert process.remaps == load_robot(robot).remaps
            assert dict(process.parameters)['robot'] == told


def test_without_a_robot_nothing_is_remapped_and_the_nodes_go_by_their_bundle() -> None:
    for process in processes(simulator=False, robot=graph.NO_ROBOT):
        assert process.remaps == ()
        assert 'robot' not in dict(process.parameters)


@pytest.mark.parametrize(
    ('providers', 'expected'),
    [
        ('', {}),
        ('cuda', {'perception': 'cuda', 'reasoning': 'cuda', 'action': 'cuda'}),
        ('perception=cuda, action=tensorrt', {'perception': 'cuda', 'action': 'tensorrt'}),
        ('cpu,reasoning=cuda', {'perception': 'cpu', 'reasoning': 'cuda', 'action': 'cpu'}),
    ],
)
def test_providers_are_for_all_nodes_of_the_model_or_for_those_that_are_named(
    providers: str, expected: dict[str, str]
) -> None:
    found = processes(simulator=True, providers=providers)

    assert {
        p.executable: dict(p.parameters)['provider'] for p in found if 'provider' in dict(p.parameters)
    } == (expected)


def test_given_composed_nodes_when_a_provider_is_asked_for_then_all_have_it() -> None:
    (found,) = processes(simulator=True, composed=True, providers='cuda')

    assert dict(found.parameters)['provider'] == 'cuda'


@pytest.mark.parametrize('respawn', [False, True])
def test_who_starts_it_is_told_whether_to_start_it_again(respawn: bool) -> None:
    assert {process.respawn for process in processes(simulator=True, respawn=respawn)} == {respawn}


def test_a_recording_hears_the_robot_by_the_names_of_its_topics() -> None:
    found = recorder('/bags/new', robot='viperx_300', namespace='vx300s')

    assert found.command(python='python3')[1:] == [
        *('-m', 'vla_ros.nodes.recorder', '/bags/new', '--cameras', 'front', 'wrist', '--ros-args'),
        *('-r', 'joint_trajectory:=arm_controller/joint_trajectory', '-r', '__ns:=/vx300s'),
        *('--log-level', 'info'),
    ]
    assert recorder('/bags/new', simulator=True).remaps == ()


@pytest.mark.parametrize('root', ['/vla_ros', 'vla_ros/'])
def test_given_enclaves_when_asked_then_each_process_has_the_one_of_its_node(root: str) -> None:
    for process in processes(simulator=True, enclaves=root):
        assert process.enclave == f'/vla_ros/{process.executable}'
        words = process.command()
        assert words[words.index('--enclave') + 1] == process.enclave
    assert all('--enclave' not in process.command() for process in processes(simulator=True))


def test_a_command_without_wishes_has_no_ros_arguments() -> None:
    assert command('action', python='python3') == ['python3', '-m', 'vla_ros.nodes.action']


def test_a_command_puts_its_own_arguments_before_those_of_ros() -> None:
    found = command(
        'composed',
        python='/usr/bin/python3',
        arguments=['perception', 'action'],
        parameter_files=[Path('a.yaml')],
        parameters={'autostart': False},
        remaps=[('joint_states', '/arm/joint_states')],
        namespace='/arm/',
        log_level='warn',
    )

    ros = '--params-file a.yaml -p autostart:=false -r joint_states:=/arm/joint_states -r __ns:=/arm --log-level warn'
    expected = ['/usr/bin/python3', '-m', 'vla_ros.nodes.composed', 'perception', 'action', '--ros-args']
    assert found == expected + ros.split()


def test_given_a_command_when_ros_reads_it_then_names_types_and_values_arrive(
    ros_domain: int, tmp_path: Path
) -> None:
    pytest.importorskip('rclpy')
    file = tmp_path / 'file.yaml'
    file.write_text('/**/perception: {ros__parameters: {bundle: from file, rate: 5.0}}\n')
    values = {
        'rate': 1e-7,
        'whole': 2.0,
        'count': 3,
        'on': True,
        'text': '12: "ä" #\\',
        'number_like': '7',
        'names': ['a', 'yes'],
        'nested.key': [1.0, 2.5],
    }
    process = Process(
        'perception',
        ('perception',),
        namespace='left',
        parameter_files=(file,),
        parameters=tuple(values.items()),
        remaps=(('joint_trajectory', 'controller/joint_trajectory'),),
    )
    ros_arguments = process.command()[3:]

    program = [sys.executable, '-c', LISTENING_NODE, *ros_arguments]
    said = json.loads(
        subprocess.run(program, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    )

    assert said['name'] == '/left/perception'
    assert said['topic'] == '/left/controller/joint_trajectory'
    heard = {name: said['values'][name] for name in (*values, 'bundle')}
    assert heard == {**values, 'bundle': 'from file'}
    assert {name: type(value) for name, value in heard.items()} == {
        name: type(value) for name, value in {**values, 'bundle': ''}.items()
    }


@given(
    st.floats(allow_nan=False)
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec='utf-8'))
)
def test_a_value_in_yaml_is_read_back_as_the_same_value_of_the_same_type(
    value: float | bool | int | str,
) -> None:
    read = yaml.safe_load(yaml_value(value))

    assert (type(read), read) == (type(value), value)


def test_every_node_of_the_shipped_parameter_file_exists() -> None:
    content = yaml.safe_load(config_file('vla.params.yaml').read_text())

    assert set(content) == {f'/**/{spec.name}' for spec in ALL_NODES}
    assert all(set(values) == {'ros__parameters'} for values in content.values())


def test_given_room_in_shared_memory_when_asked_then_fast_dds_reads_our_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph, '_free_shared_memory', lambda: graph.SHARED_MEMORY_NEEDED)

    profile = str(config_file('fastdds.xml'))
    assert environment({}) == {
        'FASTRTPS_DEFAULT_PROFILES_FILE': profile,
        'FASTDDS_DEFAULT_PROFILES_FILE': profile,
    }


def test_given_little_shared_memory_when_asked_then_fast_dds_keeps_its_small_segments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(graph, '_free_shared_memory', lambda: graph.SHARED_MEMORY_NEEDED - 1)

    assert environment({}) == {}


@pytest.mark.parametrize(
    'name', ['FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS']
)
def test_what_a_person_has_set_is_left_alone(name: str) -> None:
    assert environment({name: 'mine'}) == {}
    assert environment({name: 'mine', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}, simulator=True) == {}


def test_a_simulated_robot_stays_off_the_network() -> None:
    assert environment({}, simulator=True)['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert 'ROS_AUTOMATIC_DISCOVERY_RANGE' not in environment({})


def test_on_humble_a_simulated_robot_stays_off_the_network_by_the_variable_that_is_known_there() -> None:
    found = environment({'ROS_DISTRO': 'humble'}, simulator=True)

    assert found['ROS_LOCALHOST_ONLY'] == '1' and 'ROS_AUTOMATIC_DISCOVERY_RANGE' not in found
    assert 'ROS_LOCALHOST_ONLY' not in environment({'ROS_DISTRO': 'jazzy'}, simulator=True)


def test_fast_dds_understands_the_profile(ros_domain: int) -> None:
    pytest.importorskip('rclpy')
    program = "import rclpy; rclpy.init(); rclpy.create_node('probe'); print('up')"
    variables = {'FASTRTPS_DEFAULT_PROFILES_FILE': str(config_file('fastdds.xml'))}

    started = run_with(program, variables)
    broken = run_with(program, {'FASTRTPS_DEFAULT_PROFILES_FILE': __file__})

    assert started.stdout == 'up\n'
    assert 'XMLPARSER' in broken.stdout  # so the silence above means something


def run_with(program: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program with standard error in its standard output."""
    return subprocess.run(
        [sys.executable, '-c', program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **variables},
    )
