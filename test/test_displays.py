"""rviz and Foxglove as they come configured, against the running graph: stock displays, and topics that are there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')

from displays import (
    FOXGLOVE_PANELS,
    STOCK_DISPLAYS,
    STOCK_OTHERS,
    classes,
    foxglove_wants,
    panels,
    problems,
    rviz_displays,
    rviz_wants,
)
from node_graph import Graph
from rclpy.qos import QoSCompatibility, qos_check_compatible
from std_msgs.msg import String
from test_docs_names import is_one_of, shown_values
from whole_graph import start_everybody

from vla_ros.interfaces import DRAWN
from vla_ros.nodes import qos
from vla_ros.nodes.recorder import channels
from vla_ros.paths import config_file

RVIZ = config_file('vla.rviz').read_text(encoding='utf-8')
FOXGLOVE = config_file('vla.foxglove.json').read_text(encoding='utf-8')


def test_everything_in_rviz_is_stock() -> None:
    assert set(classes(yaml.safe_load(RVIZ))) <= {*STOCK_DISPLAYS, *STOCK_OTHERS}


def test_every_display_and_every_panel_hears_a_running_graph(graph: Graph, tmp_path: Path) -> None:
    start_everybody(graph, tmp_path)
    graph.say(String(data=''), 'instruction', qos.LATCHED)  # a person is there, too

    for wanted in (rviz_wants(RVIZ), foxglove_wants(FOXGLOVE)):
        assert len(wanted) > 8
        assert problems(graph.tester, wanted) == []


WRONG = [
    ('visualise/path', 'visualise/paht', 'visualise/paht: nobody publishes it'),
    (
        'visualise/path',
        'reasoning/trace',
        'reasoning/trace: expected .*MarkerArray.* found std_msgs/msg/String',
    ),
    ('Best Effort', 'Reliable', 'camera/front/image_raw: ERROR: .*[Rr]eliab'),
    ('Volatile', 'Transient Local', 'visualise/path: ERROR: .*olatile'),
    ('/reasoning/trace.data', '/reasoning/trace.text', "/reasoning/trace: .*String has no field 'text'"),
]


def test_given_a_display_that_would_stay_empty_then_it_is_noticed(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_everybody(graph, tmp_path)
    graph.say(String(data=''), 'instruction', qos.LATCHED)
    assert problems(graph.tester, rviz_wants(RVIZ)) == []
    monkeypatch.setattr('node_graph.PATIENCE', 0.5)  # who is not there by now will not come

    for right, wrong, sentence in WRONG:
        wanted = [*rviz_wants(RVIZ.replace(right, wrong)), *foxglove_wants(FOXGLOVE.replace(right, wrong))]
        found = problems(graph.tester, wanted)
        assert any(re.match(sentence, problem) for problem in found), found


def test_the_layout_of_foxglove_is_whole() -> None:
    layout = json.loads(FOXGLOVE)

    assert set(layout) == {'configById', 'globalVariables', 'userNodes', 'playbackConfig', 'layout'}
    assert sorted(panels(layout['layout'])) == sorted(layout['configById'])
    assert {name.split('!')[0] for name in layout['configById']} <= FOXGLOVE_PANELS
    keys = re.findall(r'key=="(.*?)"', FOXGLOVE.replace('\\"', '"'))
    assert len(keys) > 2
    assert [key for key in keys if not is_one_of(key, shown_values())] == []


def test_both_show_everything_that_is_drawn() -> None:
    in_rviz = {want.topic for want in rviz_wants(RVIZ)}
    in_foxglove = {want.topic for want in foxglove_wants(FOXGLOVE)}

    assert set(DRAWN) <= in_rviz
    assert {f'/{topic}' for topic in DRAWN} <= in_foxglove
    assert {display['Class'].split('/')[1] for display in rviz_displays(RVIZ)} >= {
        'RobotModel',
        'TF',
        'Image',
    }


def test_the_topics_of_rviz_are_relative_so_that_it_runs_in_a_namespace() -> None:
    assert [want.topic for want in rviz_wants(RVIZ) if want.topic.startswith('/')] == []


def test_a_bag_of_the_recorder_has_all_that_foxglove_shows() -> None:
    recorded = {f'/{channel.topic.lstrip("/")}' for channel in channels(('front', 'wrist'))}
    assert {want.topic for want in foxglove_wants(FOXGLOVE)} <= recorded


def test_every_display_of_rviz_hears_a_bag_of_the_recorder_that_is_played_as_it_was_recorded() -> None:
    recorded = {channel.topic: channel for channel in channels(('front', 'wrist'))}
    for want in rviz_wants(RVIZ):
        assert want.profile is not None
        assert recorded[want.topic].type_name in want.types
        played = recorded[want.topic].profile()
        assert qos_check_compatible(played, want.profile)[0] != QoSCompatibility.ERROR, want.topic
