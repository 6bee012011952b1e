"""What config/vla.rviz and config/vla.foxglove.json listen to, and what of it a running graph does not say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import yaml
from node_graph import eventually
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    LivelinessPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)

MARKERS, IMAGE, STRING = 'visualization_msgs/msg/MarkerArray', 'sensor_msgs/msg/Image', 'std_msgs/msg/String'
STATUS = 'diagnostic_msgs/msg/DiagnosticArray'

# The displays of rviz_default_plugins that Humble, Jazzy and later have, with the type that they listen to, from
# https://github.com/ros2/rviz/blob/jazzy/rviz_default_plugins/plugins_description.xml; '' if they listen to no topic
# that one can name. RobotModel's is in displays/robot_model/robot_model_display.cpp there.
STOCK_DISPLAYS = {
    f'rviz_default_plugins/{name}': kind
    for name, kind in {
        'Axes': '',
        'Camera': IMAGE,
        'Grid': '',
        'Image': IMAGE,
        'Marker': 'visualization_msgs/msg/Marker',
        'MarkerArray': MARKERS,
        'Path': 'nav_msgs/msg/Path',
        'PointStamped': 'geometry_msgs/msg/PointStamped',
        'Pose': 'geometry_msgs/msg/PoseStamped',
        'PoseArray': 'geometry_msgs/msg/PoseArray',
        'RobotModel': STRING,
        'TF': '',
    }.items()
}
STOCK_OTHERS = {
    *(
        f'rviz_default_plugins/{tool}'
        for tool in ('Interact', 'MoveCamera', 'Select', 'FocusCamera', 'Measure')
    ),
    *(f'rviz_default_plugins/{view}' for view in ('Orbit', 'XYOrbit', 'TopDownOrtho', 'FPS')),
    # https://github.com/ros2/rviz/blob/jazzy/rviz_common/src/rviz_common/panel_factory.cpp
    *(f'rviz_common/{panel}' for panel in ('Displays', 'Views', 'Time', 'Selection', 'Tool Properties')),
}

# Foxglove's panels that are used here, by the names that exported layouts give them.
FOXGLOVE_PANELS = {'3D', 'Image', 'RawMessages', 'DiagnosticSummary', 'StateTransitions', 'Plot'}
DURABILITY = {'Volatile': DurabilityPolicy.VOLATILE, 'Transient Local': DurabilityPolicy.TRANSIENT_LOCAL}
RELIABILITY = {'Reliable': ReliabilityPolicy.RELIABLE, 'Best Effort': ReliabilityPolicy.BEST_EFFORT}


@dataclass(frozen=True)
class Wanted:
    """A topic that somebody wants to hear.

    Any of some types (none: any), with a QoS (none: whatever is offered) and, for a plot, a field that messages must
    have.
    """

    topic: str
    types: tuple[str, ...] = ()
    profile: QoSProfile | None = None
    field: str = ''


def rviz_displays(content: str) -> list[dict[str, Any]]:
    """All displays of a .rviz file."""
    found: list[dict[str, Any]] = yaml.safe_load(content)['Visualization Manager']['Displays']
    return found


def rviz_wants(content: str) -> list[Wanted]:
    """What the displays of a .rviz file listen to."""
    found = []
    for display in rviz_displays(content):
        topic = display.get('Topic', display.get('Description Topic'))
        if topic is not None:
            profile = QoSProfile(
                depth=topic['Depth'],
                durability=DURABILITY[topic['Durability Policy']],
                reliability=RELIABILITY[topic['Reliability Policy']],
                liveliness=LivelinessPolicy.AUTOMATIC,  # what DDS makes of rviz's system default
            )
            found.append(Wanted(topic['Value'], (STOCK_DISPLAYS[display['Class']],), profile))
    return found


def classes(content: Any) -> Iterator[str]:
    """Every class that a .rviz file names, however deep."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key == 'Class' and value:
                yield value
            else:
                yield from classes(value)
    elif isinstance(content, list):
        for item in content:
            yield from classes(item)


def foxglove_wants(content: str) -> list[Wanted]:
    """What the panels of a layout listen to; foxglove_bridge takes the QoS of the publishers."""
    found = []
    for name, panel in json.loads(content)['configById'].items():
        kind = name.split('!')[0]
        found += [Wanted(topic, (MARKERS,)) for topic in panel.get('topics', ())]
        if kind == 'Image':
            found.append(Wanted(panel['imageMode']['imageTopic'], (IMAGE,)))
        if kind == 'DiagnosticSummary':
            found.append(Wanted(panel['topicToRender'], (STATUS,)))
        for path in [panel.get('topicPath', ''), *(path['value'] for path in panel.get('paths', ()))]:
            if path:
                topic, field = re.fullmatch(r'(/[\w/]+)\.(\w+).*', path).groups()  # type: ignore[union-attr]
                found.append(Wanted(topic, field=field))
    return found


def panels(layout: Any) -> list[str]:
    """The panels in the tiles of a layout, in order."""
    if isinstance(layout, str):
        return [layout]
    return [*panels(layout['first']), *panels(layout['second'])]


def problems(asker: Node, wanted: Iterable[Wanted]) -> list[str]:
    """A sentence for each topic that nobody says, or says as another type or with a QoS that does not fit."""
    found = []
    for want in wanted:
        said = partial(asker.get_publishers_info_by_topic, asker.resolve_topic_name(want.topic))
        if not eventually(said):
            found.append(f'{want.topic}: nobody publishes it')
        for publisher in said():
            if want.types and publisher.topic_type not in want.types:
                found.append(f'{want.topic}: expected {want.types}, found {publisher.topic_type}')
            if want.profile is not None:
                answer, why = qos_check_compatible(publisher.qos_profile, want.profile)
                if answer != QoSCompatibility.OK:
                    found.append(f'{want.topic}: {why}')
            if want.field and want.field not in fields(publisher.topic_type):
                found.append(f'{want.topic}: {publisher.topic_type} has no field {want.field!r}')
    return found


def fields(kind: str) -> set[str]:
    """The fields of a message type."""
    package, _, name = kind.split('/')
    return set(getattr(import_module(f'{package}.msg'), name).get_fields_and_field_types())
