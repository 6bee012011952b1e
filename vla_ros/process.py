"""An operating system process of the graph, and the command line that starts it without a launch system."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vla_ros.robots import Remap

PATIENCE = (12.0, 3.0)
"""Seconds after SIGINT until SIGTERM, and after SIGTERM until SIGKILL. Nodes brake the arm first."""

Value = bool | int | float | str | Sequence[bool] | Sequence[int] | Sequence[float] | Sequence[str]


@dataclass(frozen=True)
class Process:
    """One operating system process of the graph.

    Attributes:
        executable: name of the console script, and of the module in ``vla_ros.nodes``.
        nodes: names of the nodes that run in it.
        namespace: of all its nodes; '' is the root.
        parameter_files: ROS parameter files, later ones win.
        parameters: values that win over all files.
        remaps: (from, to) names.
        arguments: of the executable itself.
        log_level: 'debug', 'info', 'warn', 'error' or 'fatal'.
        enclave: of SROS2, whose keys and rights the process has; '' is none.
        respawn: whether whoever starts it starts it again when it ends by itself.
    """

    executable: str
    nodes: tuple[str, ...]
    namespace: str = ''
    parameter_files: tuple[Path, ...] = ()
    parameters: tuple[tuple[str, Value], ...] = ()
    remaps: tuple[Remap, ...] = ()
    arguments: tuple[str, ...] = ()
    log_level: str = 'info'
    enclave: str = ''
    respawn: bool = False

    def command(self, *, python: str = sys.executable) -> list[str]:
        """The command line that starts this process without a launch system."""
        return command(
            self.executable,
            python=python,
            arguments=self.arguments,
            parameter_files=self.parameter_files,
            parameters=dict(self.parameters),
            remaps=self.remaps,
            namespace=self.namespace,
            log_level=self.log_level,
            enclave=self.enclave,
        )


def command(
    executable: str,
    *,
    python: str = sys.executable,
    arguments: Sequence[str] = (),
    parameter_files: Sequence[Path] = (),
    parameters: Mapping[str, Value] | None = None,
    remaps: Sequence[Remap] = (),
    namespace: str = '',
    log_level: str = '',
    enclave: str = '',
) -> list[str]:
    """The command line that runs a module of ``vla_ros.nodes`` with the given ROS arguments."""
    ros: list[str] = []
    for file in parameter_files:
        ros += ['--params-file', str(file)]
    for name, value in (parameters or {}).items():
        ros += ['-p', f'{name}:={yaml_value(value)}']
    for source, target in remaps:
        ros += ['-r', f'{source}:={target}']
    if namespace.strip('/'):
        ros += ['-r', f'__ns:=/{namespace.strip("/")}']
    if log_level:
        ros += ['--log-level', log_level]
    if enclave:
        ros += ['--enclave', enclave]
    return [python, '-m', f'vla_ros.nodes.{executable}', *arguments, *(['--ros-args', *ros] if ros else [])]


def yaml_value(value: Value) -> str:
    """A parameter value in the YAML that ``-p name:=value`` is read as; floats stay floats, strings stay strings."""
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, float):
        if not math.isfinite(value):
            return '.nan' if math.isnan(value) else ('.inf' if value > 0 else '-.inf')
        digits = repr(value)
        return digits if '.' in digits else digits.replace('e', '.0e')
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        quoted = json.dumps(value, ensure_ascii=False)
        return ''.join(c if c.isprintable() else f'\\U{ord(c):08x}' for c in quoted)
    return f'[{", ".join(yaml_value(item) for item in value)}]'
