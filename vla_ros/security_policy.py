"""The SROS2 policy: who may say, hear, serve and call what, and nothing else.

``python -m vla_ros.security_policy`` prints what ``config/security/policy.xml`` holds, ``--simulator`` what
``simulator_policy.xml`` beside it holds, and other arguments make one for another robot or namespace. Each node has an
enclave of its own, and so has each kind of person: an operator gives instructions and flips the switches, a maintainer
changes parameters and lifecycle, an observer only listens.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from vla_ros.graph import ROBOT
from vla_ros.interfaces import (
    COMMANDS,
    MAINTAINER,
    NODE_NAMES,
    OBSERVER,
    OPERATOR,
    TYPE_SERVICE,
    Interface,
    interfaces,
)
from vla_ros.robots import Remap, load_robot

VERSION = '0.2.0'
ROOT = '/vla_ros'
CAMERAS = ('front', 'wrist')
# Nodes of the ros2 command line have a number in their name, and all serve this, or they cannot be.
COMMAND_LINE = Interface(serves=(f'_ros2cli_*/{TYPE_SERVICE}',))
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!-- Made of vla_ros/interfaces.py by python -m vla_ros.security_policy; see docs/safety.md -->
"""


def rights(
    *, robot: str | None = ROBOT, cameras: Sequence[str] = CAMERAS, policy_server: bool = False
) -> dict[str, tuple[str, Interface]]:
    """By enclave: the node's name and its interface after the robot's remaps; None is the simulated robot."""
    remaps = () if robot is None else load_robot(robot).remaps
    found = {}
    for name, interface in interfaces(cameras, simulator=robot is None, policy_server=policy_server).items():
        allowed = _remapped(interface, remaps)
        if name == OBSERVER:  # started without the robot's remaps, it must still come up
            allowed |= Interface(subscribes=(COMMANDS,))
        if name in (OPERATOR, MAINTAINER, OBSERVER):
            allowed |= COMMAND_LINE
        found[f'{ROOT}/{name}'] = NODE_NAMES.get(name, name), allowed
    return found


def policy(
    *,
    robot: str | None = ROBOT,
    namespace: str = '/',
    cameras: Sequence[str] = CAMERAS,
    policy_server: bool = False,
) -> str:
    """The policy as XML of the sros2 schema."""
    root = ElementTree.Element('policy', version=VERSION)
    enclaves = ElementTree.SubElement(root, 'enclaves')
    for path, (node, interface) in rights(robot=robot, cameras=cameras, policy_server=policy_server).items():
        enclave = ElementTree.SubElement(enclaves, 'enclave', path=path)
        profiles = ElementTree.SubElement(enclave, 'profiles')
        profile = ElementTree.SubElement(profiles, 'profile', ns=f'/{namespace.strip("/")}', node=node)
        _allow(profile, 'services', 'reply', interface.serves)
        _allow(profile, 'services', 'request', interface.calls)
        _allow(profile, 'topics', 'publish', interface.publishes)
        _allow(profile, 'topics', 'subscribe', interface.subscribes)
    ElementTree.indent(root)
    return HEAD + ElementTree.tostring(root, encoding='unicode') + '\n'


def _allow(profile: ElementTree.Element, kind: str, what: str, names: Iterable[str]) -> None:
    wanted = sorted(set(names))
    if not wanted:
        return
    group = ElementTree.SubElement(profile, kind, {what: 'ALLOW'})
    for name in wanted:
        ElementTree.SubElement(group, kind.removesuffix('s')).text = name


def _remapped(interface: Interface, remaps: Sequence[Remap]) -> Interface:
    table = dict(remaps)

    def renamed(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(table.get(name, name) for name in names)

    return Interface(
        renamed(interface.publishes),
        renamed(interface.subscribes),
        renamed(interface.serves),
        renamed(interface.calls),
    )


def main() -> int:
    """Print a policy."""
    parser = argparse.ArgumentParser(prog='python -m vla_ros.security_policy', description='Print a policy.')
    parser.add_argument('--robot', default=ROBOT, help='by name or file, whose controllers are told')
    parser.add_argument('--simulator', action='store_true', help='the simulated robot instead')
    parser.add_argument('--namespace', default='/', help='of all nodes')
    parser.add_argument('--cameras', nargs='+', default=CAMERAS, help="as the bundle's manifest names them")
    parser.add_argument(
        '--policy-server', action='store_true', help='the action node asks one (its parameter backend)'
    )
    options = parser.parse_args()
    robot = None if options.simulator else options.robot
    made = policy(
        robot=robot,
        namespace=options.namespace,
        cameras=options.cameras,
        policy_server=options.policy_server,
    )
    print(made, end='')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
