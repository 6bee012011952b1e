"""The graph as data: processes, commands, environment."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vla_ros import graph
from vla_ros.graph import (
    ALL_NODES,
    COMPOSED,
    MODEL_NODES,
    NODES,
    VISUALISE,
    processes,
    recorder,
)
from vla_ros.paths import config_file
from vla_ros.process import Process
from vla_ros.robots import load_robot, robot_file, robot_names
from vla_ros.types import VlaError


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


def test_every_node_of_the_shipped_parameter_file_exists() -> None:
    content = yaml.safe_load(config_file('vla.params.yaml').read_text())

    assert set(content) == {f'/**/{spec.name}' for spec in ALL_NODES}
    assert all(set(values) == {'ros__parameters'} for values in content.values())
