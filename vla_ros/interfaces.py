"""Who says, hears, serves and calls what: the one table of the graph's topics and services, by who does it.

Names that begin with a slash are the same in every namespace; all others are relative to that of the nodes, before
remaps. ``vla_ros.security_policy`` makes rights of it, and a test holds it to what the running nodes really open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vla_ros.graph import ALL_NODES, MODEL_NODES, NODES, VISUALISE

PARAMETER_SERVICES = (
    'describe_parameters',
    'get_parameter_types',
    'get_parameters',
    'list_parameters',
    'set_parameters',
    'set_parameters_atomically',
)
LIFECYCLE_SERVICES = (
    'change_state',
    'get_available_states',
    'get_available_transitions',
    'get_state',
    'get_transition_graph',
)
TYPE_SERVICE = 'get_type_description'
SWITCHES = ('action/enable', 'action/stop', 'action/reset')
COMMANDS = 'joint_trajectory'
WORDS = 'instruction'
DRAWN = tuple(f'visualise/{what}' for what in ('robot', 'ghost', 'path', 'target', 'trace', 'workspace'))

OPERATOR, MAINTAINER, OBSERVER = 'operator', 'maintainer', 'observer'
NODE_NAMES = {OPERATOR: 'person', MAINTAINER: 'maintainer', OBSERVER: 'recorder'}
"""What the nodes of people are called; the others are called as they are here."""


@dataclass(frozen=True)
class Interface:
    """Topics and services of one node."""

    publishes: tuple[str, ...] = ()
    subscribes: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()

    def __or__(self, other: Interface) -> Interface:
        """Both together."""
        return Interface(
            self.publishes + other.publishes,
            self.subscribes + other.subscribes,
            self.serves + other.serves,
            self.calls + other.calls,
        )


def node_interface(name: str) -> Interface:
    """What rclpy opens for every node."""
    return Interface(
        publishes=('/rosout', '/parameter_events'),
        serves=tuple(f'{name}/{service}' for service in (*PARAMETER_SERVICES, TYPE_SERVICE)),
    )


def vla_node_interface(name: str, peers: Sequence[str]) -> Interface:
    """What every node of the package has besides: lifecycle, diagnostics and the bond."""
    return node_interface(name) | Interface(
        publishes=('/diagnostics', f'{name}/alive', f'{name}/transition_event'),
        subscribes=tuple(f'{peer}/alive' for peer in peers),
        serves=tuple(f'{name}/{service}' for service in LIFECYCLE_SERVICES),
    )


def interfaces(
    cameras: Sequence[str], *, simulator: bool, policy_server: bool = False
) -> dict[str, Interface]:
    """Everybody's interface by name, with everything that a parameter can switch on but ``backend``.

    Args:
        cameras: names of the manifest's cameras; System 2 may look at any of them.
        simulator: the simulated robot is there, and says the time.
        policy_server: the action node asks a policy on a server, by its parameter ``backend``.
    """
    each = {
        'perception': vla_node_interface('perception', ('reasoning', 'action'))
        | Interface(
            publishes=('perception/tokens', *(f'perception/{camera}/image' for camera in cameras)),
            subscribes=tuple(
                f'camera/{camera}/{topic}'
                for camera in cameras
                for topic in ('image_raw', 'image_raw/compressed', 'camera_info')
            ),
        ),
        'reasoning': vla_node_interface('reasoning', ('perception', 'action'))
        | Interface(
            publishes=tuple(
                f'reasoning/{topic}' for topic in ('trace', 'decision', 'thought', 'image', 'markers')
            ),
            subscribes=(
                WORDS,
                'perception/tokens',
                'joint_states',  # of the hand, if the bundle's System 2 wants to know
                *(f'perception/{camera}/image' for camera in cameras),
            ),
        ),
        # No words come in here, neither the instruction nor the chain of thought, unless a server is to be told them.
        'action': vla_node_interface('action', ('perception', 'reasoning'))
        | Interface(
            publishes=(COMMANDS, 'action/dry_run', 'action/limits'),
            subscribes=('reasoning/thought', 'joint_states', *_seen_by_action(cameras, policy_server)),
            serves=SWITCHES,
        ),
        # It is heard by viewers alone.
        VISUALISE.name: vla_node_interface(VISUALISE.name, ())
        | Interface(
            publishes=DRAWN,
            subscribes=(
                COMMANDS,
                'action/dry_run',
                'action/limits',
                'joint_states',
                'reasoning/decision',
                'robot_description',
                *(f'camera/{camera}/camera_info' for camera in cameras),
            ),
        ),
        OPERATOR: _operator(simulator),
        MAINTAINER: _maintainer([spec.name for spec in (*(NODES if simulator else MODEL_NODES), VISUALISE)]),
        OBSERVER: node_interface(NODE_NAMES[OBSERVER]) | Interface(subscribes=_recorded(cameras)),
    }
    if simulator:
        each = {'simulator': _simulator(cameras), **each}
        for spec in ALL_NODES:
            each[spec.name] |= Interface(subscribes=('/clock',))
    return each


def _seen_by_action(cameras: Sequence[str], policy_server: bool) -> tuple[str, ...]:
    """Tokens; or pictures, and the decisions whose words go to the server."""
    if not policy_server:
        return ('perception/tokens',)
    return (*(f'perception/{camera}/image' for camera in cameras), 'reasoning/decision')


def _simulator(cameras: Sequence[str]) -> Interface:
    return vla_node_interface('simulator', ()) | Interface(
        publishes=(
            '/clock',
            'joint_states',
            'robot_description',
            'simulator/score',
            *(f'camera/{camera}/{topic}' for camera in cameras for topic in ('image_raw', 'camera_info')),
        ),
        subscribes=(COMMANDS,),
        serves=('simulator/reset',),
    )


def _operator(simulator: bool) -> Interface:
    """``vla_ros.nodes.client``, which listens for a simulator's score wherever it is."""
    person = node_interface(NODE_NAMES[OPERATOR]) | Interface(
        publishes=(WORDS,),
        subscribes=(
            '/diagnostics',
            'perception/tokens',
            'reasoning/decision',
            'reasoning/trace',
            'simulator/score',
        ),
        calls=SWITCHES,
    )
    if simulator:
        services = (f'simulator/{service}' for service in PARAMETER_SERVICES)
        person |= Interface(calls=('simulator/reset', *services))
    return person


def _maintainer(nodes: Sequence[str]) -> Interface:
    """Who changes parameters and states of the lifecycle: not who lets the arm move."""
    services = (*PARAMETER_SERVICES, *LIFECYCLE_SERVICES, TYPE_SERVICE)
    return node_interface(NODE_NAMES[MAINTAINER]) | Interface(
        subscribes=(
            '/diagnostics',
            '/parameter_events',
            '/rosout',
            *(f'{node}/transition_event' for node in nodes),
        ),
        calls=tuple(f'{node}/{service}' for node in nodes for service in services),
    )


def _recorded(cameras: Sequence[str]) -> tuple[str, ...]:
    """As ``vla_ros.nodes.recorder`` has it."""
    return (
        '/clock',
        '/diagnostics',
        'action/dry_run',
        'action/limits',
        COMMANDS,
        'joint_states',
        WORDS,
        'perception/tokens',
        'robot_description',
        *(f'reasoning/{topic}' for topic in ('decision', 'image', 'markers', 'thought', 'trace')),
        'simulator/score',
        *DRAWN,
        *(f'camera/{camera}/{topic}' for camera in cameras for topic in ('camera_info', 'image_raw')),
        *(f'perception/{camera}/image' for camera in cameras),
    )
