"""Which sections the bench has. Each imports what it measures when it is its turn: some need ROS, some a simulator."""

from __future__ import annotations

from vla_ros.bench.report import Sections
from vla_ros.bench.section import Request, Section


def _action(request: Request) -> Section:
    from vla_ros.bench.action import action_section

    return action_section(request)


def _reasoning(request: Request) -> Section:
    from vla_ros.bench.reasoning import reasoning_section

    return reasoning_section(request)


def _perception(request: Request) -> Section:
    from vla_ros.bench.perception import perception_section
    from vla_ros.nodes.bringup import require_ros
    from vla_ros.types import VlaError

    section = perception_section(request)
    try:
        require_ros()
    except VlaError as error:
        section.missing.append(f'messages: {error}')
        return section
    from vla_ros.nodes.message_bench import message_section

    section.figures |= message_section(request).figures
    return section


def _graph(request: Request) -> Section:
    from vla_ros.nodes.bringup import require_ros

    require_ros()
    from vla_ros.nodes.graph_bench import graph_section

    return graph_section(request)


def _startup(request: Request) -> Section:
    from vla_ros.bench.startup import startup_section

    return startup_section(request)


def _growth(request: Request) -> Section:
    from vla_ros.bench.growth import growth_section

    return growth_section(request)


SECTIONS: Sections = {
    'action': _action,
    'reasoning': _reasoning,
    'perception': _perception,
    'graph': _graph,
    'startup': _startup,
    'growth': _growth,
}
