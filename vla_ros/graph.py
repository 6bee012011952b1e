"""The graph: which nodes there are, which processes run them, with which parameters and remaps.

The one place that says so. The launch files turn what ``processes`` returns into launch actions, the command line
turns it into commands with ``Process.command``. Nothing here needs ROS.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vla_ros.paths import bundle_directory, config_file
from vla_ros.types import VlaError

Value = bool | int | float | str | Sequence[bool] | Sequence[int] | Sequence[float] | Sequence[str]
Remap = tuple[str, str]

COMPOSED = 'composed'
PLAYER = 'player'
PARAMETERS_FILE = 'vla.params.yaml'
FAST_DDS_PROFILE = 'fastdds.xml'
SHARED_MEMORY_NEEDED = 256 * 2**20  # bytes: eight processes with the segment of the profile


@dataclass(frozen=True)
class NodeSpec:
    """A node. Its name is also that of its executable and of its module in ``vla_ros.nodes``."""

    name: str
    description: str

    @property
    def module(self) -> str:
        return f'vla_ros.nodes.{self.name}'


SIMULATOR = NodeSpec('simulator', 'the simulated robot: joint states and cameras out, joint trajectories in')
PERCEPTION = NodeSpec('perception', 'camera images to visual tokens')
REASONING = NodeSpec(
    'reasoning', 'words and visual tokens to a chain of thought, a decision and thought vectors'
)
ACTION = NodeSpec('action', 'visual tokens, thought vectors and joint states to joint trajectories')

VISUALISE = NodeSpec('visualise', 'plans, limits and decisions to markers for rviz and Foxglove')

# In the order in which data flows. Stop them in the reverse order, so that what moves the arm ends first.
NODES = (SIMULATOR, PERCEPTION, REASONING, ACTION)
MODEL_NODES = (PERCEPTION, REASONING, ACTION)
ALL_NODES = (*NODES, VISUALISE)  # that one only where somebody looks


@dataclass(frozen=True)
class Robot:
    """A robot that a launch file can be asked for; ``remaps`` lead to the topics of its drivers and controllers."""

    name: str
    remaps: tuple[Remap, ...]


ROBOTS = {
    'so101': Robot('so101', remaps=(('joint_trajectory', 'joint_trajectory_controller/joint_trajectory'),)),
    'none': Robot('none', remaps=()),  # no controller hears the plans: bags are replayed so
}


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


def processes(
    *,
    simulator: bool,
    composed: bool = False,
    visualise: bool = False,
    robot: str = 'so101',
    namespace: str = '',
    parameters_file: Path | None = None,
    bundle: str = '',
    autostart: bool | None = None,
    use_sim_time: bool = False,
    log_level: str = 'info',
    enclaves: str = '',
    parameters: Mapping[str, Value] | None = None,
) -> tuple[Process, ...]:
    """The processes of a whole graph, in the order in which data flows.

    Args:
        simulator: run the simulated robot, and talk to it instead of to the robot's controllers.
        composed: one process for all nodes instead of one process a node.
        visualise: run the node that draws, too.
        robot: a key of ROBOTS.
        parameters_file: ROS parameter file; None is the one that comes with the package.
        bundle: path or name of a bundle; '' leaves it to the parameter file.
        autostart: whether the nodes configure and activate themselves; None leaves it to the parameter file.
        use_sim_time: nodes take the time from /clock; the simulator then publishes it.
        enclaves: SROS2 enclave that holds one of the same name for each node; '' is none.
        parameters: more values, for all nodes.

    Raises:
        VlaError: an unknown robot or bundle, a parameter file that is missing, or enclaves for composed nodes.
    """
    if composed and enclaves:
        raise VlaError(f"enclaves: expected '' for composed nodes, which share one, found {enclaves!r}")
    if robot not in ROBOTS:
        raise VlaError(f'robot: expected one of {sorted(ROBOTS)}, found {robot!r}')
    file = parameters_file or config_file(PARAMETERS_FILE)
    if not file.is_file():
        raise VlaError(f'params_file: expected a ROS parameter file, found {str(file)!r}')
    values: dict[str, Value] = {'use_sim_time': use_sim_time}
    if simulator:
        values['publish_clock'] = use_sim_time
    if bundle:
        values['bundle'] = str(bundle_directory(bundle))
    if autostart is not None:
        values['autostart'] = autostart
    values.update(parameters or {})
    specs = (*(NODES if simulator else MODEL_NODES), *((VISUALISE,) if visualise else ()))
    names = tuple(spec.name for spec in specs)
    shared = Process(
        executable=COMPOSED,
        nodes=names,
        namespace=namespace,
        parameter_files=(file,),
        parameters=tuple(values.items()),
        remaps=() if simulator else ROBOTS[robot].remaps,
        arguments=names,
        log_level=log_level,
    )
    if composed:
        return (shared,)
    return tuple(
        replace(
            shared,
            executable=name,
            nodes=(name,),
            arguments=(),
            enclave=f'/{enclaves.strip("/")}/{name}' if enclaves else '',
        )
        for name in names
    )


def player(
    bag: str, *, bundle: str = '', namespace: str = '', rate: float = 1.0, log_level: str = 'info'
) -> Process:
    """The process that plays a recorded bag to the nodes of the graph, with its clock; it ends with the bag.

    Args:
        bag: path of the bag.
        bundle: path or name of the model that hears it; '' is the one that comes with the package.
        rate: seconds of the bag a second.

    Raises:
        VlaError: no such bundle.
    """
    model = ('--bundle', str(bundle_directory(bundle))) if bundle else ()
    space = ('--namespace', namespace) if namespace.strip('/') else ()
    return Process(
        executable=PLAYER,
        nodes=(PLAYER,),
        arguments=(bag, *model, *space, '--rate', f'{rate:g}'),
        log_level=log_level,
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


def environment(current: Mapping[str, str], *, simulator: bool = False) -> dict[str, str]:
    """Environment variables to add for the processes of the graph; what a person has set is left alone.

    The Fast DDS profile that camera images need, if /dev/shm has room for its segments; without it Fast DDS uses its
    own small ones. A simulated robot is kept from the network, where a real one might listen to the same topics.
    """
    wanted = {}
    named = ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'FASTDDS_BUILTIN_TRANSPORTS')
    if not any(name in current for name in named) and _free_shared_memory() >= SHARED_MEMORY_NEEDED:
        # Fast DDS 2 (Jazzy) reads the first of these, Fast DDS 3 the second.
        wanted = dict.fromkeys(named[:2], str(config_file(FAST_DDS_PROFILE)))
    if simulator:
        wanted['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    return {name: value for name, value in wanted.items() if name not in current}


def _free_shared_memory() -> int:
    try:
        return shutil.disk_usage('/dev/shm').free
    except OSError:
        return 0
