"""Stand-ins that record, in the place of the few names of ``launch`` and ``launch_ros`` that launch files use."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vla_ros.paths import config_file

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


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put recording classes under the names of launch and launch_ros."""
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


def start_of(file: str, **given: str) -> list[Any]:
    """The actions that a launch file takes, its other arguments at their defaults."""
    found = entities(file)
    (start,) = [entity for entity in found if kind(entity) == 'OpaqueFunction']
    declared = [entity for entity in found if kind(entity) == 'DeclareLaunchArgument']
    defaults = {argument.values[0]: argument.options['default_value'] for argument in declared}
    assert set(given) <= set(defaults)
    return list(start.options['function']({**defaults, **given}))
