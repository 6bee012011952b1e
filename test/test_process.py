"""A process of the graph as a command: what ROS reads of it is what was meant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.process import Process, command, yaml_value

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
