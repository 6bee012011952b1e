"""The graph: which nodes there are, which processes run them, with which parameters and remaps.

The one place that says so. The launch files turn what ``processes`` returns into launch actions, the command line
turns it into commands with ``Process.command``. Robots stand in ``vla_ros.robots``. Nothing here needs ROS.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vla_ros.paths import bundle_directory, config_file
from vla_ros.process import Process, Value
from vla_ros.robots import Remap, load_robot, robot_file
from vla_ros.runtime import PROVIDERS
from vla_ros.types import VlaError

COMPOSED = 'composed'
PLAYER = 'player'
RECORDER = 'recorder'
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


ROBOT = 'so101'
"""Unless another one is named; the simulated one, too. See ``vla_ros.robots``."""
NO_ROBOT = 'none'
"""In the place of a robot's name: no controller hears the plans. Bags are replayed so."""


def processes(
    *,
    simulator: bool,
    composed: bool = False,
    visualise: bool = False,
    robot: str = ROBOT,
    namespace: str = '',
    parameters_file: Path | None = None,
    bundle: str = '',
    providers: str = '',
    generation: int | None = None,
    autostart: bool | None = None,
    use_sim_time: bool = False,
    log_level: str = 'info',
    enclaves: str = '',
    respawn: bool = False,
    parameters: Mapping[str, Value] | None = None,
) -> tuple[Process, ...]:
    """The processes of a whole graph, in the order in which data flows.

    Args:
        simulator: run the simulated robot, and talk to it instead of to the robot's controllers.
        composed: one process for all nodes instead of one process a node.
        visualise: run the node that draws, too.
        robot: its name or the path of its file (see ``vla_ros.robots``), or NO_ROBOT.
        parameters_file: ROS parameter file; None is the one that comes with the package.
        bundle: path or name of a bundle; '' leaves it to the parameter file.
        providers: where the models run: 'cuda' for all nodes, or 'perception=cuda,action=tensorrt' for some; '' leaves
            it to the parameter file.
        generation: of the bundle's System 1, see ``vla_ros.action.generations``; None leaves it to the parameter file.
        autostart: whether the nodes configure and activate themselves; None leaves it to the parameter file.
        use_sim_time: nodes take the time from /clock; the simulator then publishes it.
        enclaves: SROS2 enclave that holds one of the same name for each node; '' is none.
        respawn: start a process again that ends by itself. Its arm is disabled then, unless ``start_enabled`` is set.
        parameters: more values, for all nodes.

    Raises:
        VlaError: an unknown robot, bundle or provider, a robot that cannot be simulated, a parameter file that is
            missing, or enclaves or several providers for composed nodes.
    """
    if composed and enclaves:
        raise VlaError(f"enclaves: expected '' for composed nodes, which share one, found {enclaves!r}")
    remaps = _remaps(robot, simulator)
    chosen = chosen_providers(providers)
    if composed and len(set(chosen.values())) > 1:
        raise VlaError(f'providers: expected one for all composed nodes, found {providers!r}')
    file = parameters_file or config_file(PARAMETERS_FILE)
    if not file.is_file():
        raise VlaError(f'params_file: expected a ROS parameter file, found {str(file)!r}')
    values: dict[str, Value] = {'use_sim_time': use_sim_time}
    if simulator:
        values['publish_clock'] = use_sim_time
    if bundle:
        values['bundle'] = str(bundle_directory(bundle))
    if robot != NO_ROBOT:
        values['robot'] = robot if robot_file(robot).stem == robot else str(robot_file(robot))
    if generation is not None:
        values['generation'] = generation
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
        remaps=remaps,
        arguments=names,
        log_level=log_level,
        respawn=respawn,
    )
    if composed:
        return (replace(shared, parameters=(*shared.parameters, *_provider(chosen, MODEL_NODES[0].name))),)
    return tuple(
        replace(
            shared,
            executable=name,
            nodes=(name,),
            parameters=(*shared.parameters, *_provider(chosen, name)),
            arguments=(),
            enclave=f'/{enclaves.strip("/")}/{name}' if enclaves else '',
        )
        for name in names
    )


def chosen_providers(providers: str) -> dict[str, str]:
    """By node of the model, the execution provider that 'cuda' or 'perception=cuda,action=tensorrt' asks for.

    Raises:
        VlaError: a node or a provider that there is not.
    """
    names = [spec.name for spec in MODEL_NODES]
    chosen: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in providers.split(','))):
        node, equals, provider = part.rpartition('=')
        if provider not in PROVIDERS or (equals and node not in names):
            raise VlaError(
                f"providers: expected one of {sorted(PROVIDERS)}, or 'node=provider' with a node of {names}, "
                f'found {part!r}'
            )
        chosen.update(dict.fromkeys([node] if equals else names, provider))
    return chosen


def _provider(chosen: Mapping[str, str], node: str) -> tuple[tuple[str, Value], ...]:
    return (('provider', chosen[node]),) if node in chosen else ()


def _remaps(robot: str, simulator: bool) -> tuple[Remap, ...]:
    if robot == NO_ROBOT:
        return ()
    found = load_robot(robot)
    if not simulator:
        return found.remaps
    if found.name != ROBOT:
        raise VlaError(f'robot: expected {ROBOT!r}, which is what is simulated, found {robot!r}')
    return ()


def recorder(
    bag: str, *, simulator: bool = False, robot: str = ROBOT, namespace: str = '', log_level: str = 'info'
) -> Process:
    """The process that records every topic of the graph into a new bag, with the cameras of the robot.

    Args:
        bag: path of its folder.
        simulator, robot: as in ``processes``; its drivers are heard by their own names for topics.

    Raises:
        VlaError: no such robot.
    """
    cameras = load_robot(ROBOT if robot == NO_ROBOT else robot).cameras
    return Process(
        executable=RECORDER,
        nodes=(RECORDER,),
        namespace=namespace,
        remaps=_remaps(robot, simulator),
        arguments=(bag, '--cameras', *(camera.name for camera in cameras)),
        log_level=log_level,
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
    if simulator and current.get('ROS_DISTRO') == 'humble':
        wanted['ROS_LOCALHOST_ONLY'] = '1'
    elif simulator:
        wanted['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    return {name: value for name, value in wanted.items() if name not in current}


def _free_shared_memory() -> int:
    try:
        return shutil.disk_usage('/dev/shm').free
    except OSError:
        return 0
