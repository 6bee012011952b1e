"""The launch files around vla.launch.py, evaluated with the same stand-ins: demo, replay, rviz and sim."""

from __future__ import annotations

import pytest
from launch_stand_ins import LAUNCH, entities, kind, nodes, stand_in, start_of

from vla_ros.graph import NO_ROBOT, player, processes
from vla_ros.paths import config_file
from vla_ros.types import VlaError


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)


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
