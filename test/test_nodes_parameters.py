"""Every parameter has type, default, range, unit and description; each is declared as its table says; live ones act."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('mujoco')

from node_graph import Graph, eventually, refusals, write_bundle
from rclpy.parameter import Parameter
from std_msgs.msg import String
from test_nodes_perception import CAMERAS, MeanEncoder, show
from test_nodes_reasoning import Bench, ScriptedReasoner

from vla_ros.graph import NODES
from vla_ros.nodes import qos
from vla_ros.nodes.action import ActionNode
from vla_ros.nodes.parameter_page import incomplete, node_settings
from vla_ros.nodes.parameters import Setting
from vla_ros.nodes.perception import PerceptionNode
from vla_ros.nodes.reasoning import ReasoningNode
from vla_ros.nodes.simulator import SimulatorNode
from vla_ros.types import NANOSECONDS

NODES_FOLDER = Path(__file__).resolve().parents[1] / 'vla_ros' / 'nodes'
ALL = [(node, setting) for node, settings in node_settings().items() for setting in settings]
RCLPY = {'use_sim_time', 'start_type_description_service'}
"""Declared by rclpy for every node."""
MAKERS: dict[str, Callable[..., Any]] = {
    'simulator': SimulatorNode,
    'perception': lambda **o: PerceptionNode(MeanEncoder, **o),
    'reasoning': lambda **o: ReasoningNode(lambda *_, **__: ScriptedReasoner(), **o),
    'action': ActionNode,
}
SOUND = Setting('rate', 2.0, 'How often.', 0.5, 10.0, unit='1/s')


@pytest.mark.parametrize(('node', 'setting'), ALL, ids=lambda part: getattr(part, 'name', part))
def test_every_parameter_of_a_node_is_complete(node: str, setting: Setting) -> None:
    assert incomplete(setting) == []


def test_every_table_of_parameters_in_the_package_is_complete() -> None:
    """Those of nodes that stand on no page, too."""
    tables = {
        path.stem: import_module(f'vla_ros.nodes.{path.stem}')
        for path in NODES_FOLDER.glob('*.py')
        if any(line.startswith(('SETTINGS', 'MODEL_SETTINGS')) for line in path.read_text().splitlines())
    }

    assert {'simulator_settings', 'perception', 'reasoning', 'action_settings', 'model'} <= set(tables)
    for name, module in tables.items():
        for setting in module.SETTINGS if hasattr(module, 'SETTINGS') else module.MODEL_SETTINGS:
            assert incomplete(setting) == [], f'{name}: {setting.name}'


@pytest.mark.parametrize(
    ('spoiled', 'says'),
    [
        ({'unit': ''}, 'unit'),
        ({'minimum': None}, 'range'),
        ({'maximum': None}, 'range'),
        ({'minimum': None, 'maximum': None}, 'range'),
        ({'minimum': 10.0, 'maximum': 0.5}, 'range'),
        ({'maximum': float('inf')}, 'range'),
        ({'default': 11.0}, 'default'),
        ({'default': [2.0, 11.0]}, 'default'),
        ({'default': [2.0], 'unit': ''}, 'unit'),
        ({'default': []}, 'default'),
        ({'default': 2}, 'range'),  # a whole number, and half of one as its bound
        ({'description': ''}, 'description'),
        ({'description': 'How often'}, 'description'),
        ({'description': 'in Hz.'}, 'description'),
        ({'default': True}, 'range'),
        ({'default': 'text', 'minimum': None, 'maximum': None}, 'unit'),
        ({'name': 'Rate 1'}, 'name'),
    ],
)
def test_the_check_is_not_fooled(spoiled: dict[str, Any], says: str) -> None:
    assert incomplete(SOUND) == []
    found = incomplete(dataclasses.replace(SOUND, **spoiled))
    assert any(sentence.startswith(says) for sentence in found), found


def test_a_default_that_is_no_choice_is_found() -> None:
    assert incomplete(Setting('mode', 'slow', 'How.', choices=('slow', 'fast'))) == []
    assert incomplete(Setting('mode', 'quick', 'How.', choices=('slow', 'fast')))


@pytest.mark.parametrize('name', [spec.name for spec in NODES])
def test_a_node_declares_what_its_table_says_and_nothing_else(graph: Graph, bundle: str, name: str) -> None:
    node = graph.add(MAKERS[name], autostart=False)
    table = {setting.name: setting for setting in node_settings()[name]}

    assert {*node._parameters} - RCLPY == set(table)
    for setting in table.values():
        described = node.describe_parameter(setting.name)
        assert described.read_only is not setting.live
        assert described.description.startswith(setting.description)
        if isinstance(setting.default, (int, float)) and not isinstance(setting.default, bool):
            assert described.description.endswith(f'[{setting.unit}]')
            (bounds,) = (*described.floating_point_range, *described.integer_range)
            assert (bounds.from_value, bounds.to_value) == (setting.minimum, setting.maximum)


def set_to(node: Any, **values: Any) -> None:
    for result in node.set_parameters([Parameter(name, value=value) for name, value in values.items()]):
        assert result.successful, result.reason


@pytest.mark.parametrize('name', ['perception', 'reasoning'])
def test_what_is_not_live_refuses_to_change(graph: Graph, name: str) -> None:
    node = graph.add(MAKERS[name], autostart=False)
    for setting in node_settings()[name]:
        if not setting.live:
            (result,) = node.set_parameters([Parameter(setting.name, value=setting.default)])
            assert not result.successful and 'read-only' in result.reason


class Eyes:
    """A perception node, and pictures for it, 10 ms apart and 5 s old at first: less than a minute in all."""

    def __init__(self, graph: Graph, bundle: str, **parameters: Any) -> None:
        settings = {'bundle': bundle, 'rate': 200.0, 'min_contrast': 0.0, 'max_frame_age': 60.0, **parameters}
        self.graph, self.node = graph, graph.active(MAKERS['perception'], **settings)
        self.stamp = graph.now() - 5 * NANOSECONDS

    @property
    def encoded(self) -> int:
        return int(self.node.health.report().values.get('encode count', 0))

    def show(self, gap: float = 0.0) -> None:
        """A picture of each camera, stamped so many seconds from each other; one may get lost."""
        self.stamp += NANOSECONDS // 100
        for camera, offset in zip(CAMERAS, (0.0, gap), strict=True):
            show(self.graph, camera, (1, 2, 3), self.stamp + round(offset * NANOSECONDS))

    def show_until(self, happened: Callable[[], bool], gap: float = 0.0) -> None:
        """Pictures until something has happened."""

        def tried() -> bool:
            if not happened():
                self.show(gap)
            return happened()

        assert eventually(tried), refusals(self.node)

    def refuses(self, reason: str) -> Callable[[], bool]:
        return lambda: refusals(self.node).get(reason, 0) > 0


def max_frame_age(graph: Graph, bundle: str) -> None:
    eyes = Eyes(graph, bundle)
    eyes.show_until(lambda: eyes.encoded > 0)
    assert not eyes.refuses('stale_frame')()
    set_to(eyes.node, max_frame_age=0.1)
    eyes.show_until(eyes.refuses('stale_frame'))


def min_contrast(graph: Graph, bundle: str) -> None:
    eyes = Eyes(graph, bundle)
    eyes.show_until(lambda: eyes.encoded > 0)
    assert not eyes.refuses('bad_image')()
    set_to(eyes.node, min_contrast=100.0)
    eyes.show_until(eyes.refuses('bad_image'))


def slop(graph: Graph, bundle: str) -> None:
    eyes = Eyes(graph, bundle, slop=0.01)
    eyes.show_until(lambda: eyes.node._intake.unmatched > 5, gap=0.005 + 0.1)
    assert eyes.encoded == 0
    set_to(eyes.node, slop=0.5)
    eyes.show_until(lambda: eyes.encoded > 0, gap=0.105)


def rate(graph: Graph, bundle: str) -> None:
    eyes = Eyes(graph, bundle, rate=0.1)
    eyes.show_until(lambda: eyes.encoded > 0)
    before = eyes.stamp
    for _ in range(5):
        eyes.show()
    assert eyes.encoded == 1
    set_to(eyes.node, rate=200.0)
    eyes.show_until(lambda: eyes.encoded > 1)
    assert eyes.stamp - before < 10 * NANOSECONDS, 'the rate of before would have let it pass, too'


PERCEPTION = {probe.__name__: probe for probe in (max_frame_age, min_contrast, slop, rate)}


def test_the_live_parameters_of_perception_are_those_that_are_tried() -> None:
    assert {setting.name for setting in node_settings()['perception'] if setting.live} == set(PERCEPTION)


@pytest.mark.parametrize('name', PERCEPTION)
def test_a_live_parameter_of_perception_acts_at_once(graph: Graph, bundle: str, name: str) -> None:
    PERCEPTION[name](graph, bundle)


def thought_rate(graph: Graph, bundle: str) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner(), rate=0.05, max_token_age=60.0)
    begin = graph.now()
    bench.tell('wave')
    bench.see(begin)
    assert eventually(lambda: len(bench.reasoner.asked) == 1)
    set_to(bench.node, rate=50.0)
    bench.see(begin + NANOSECONDS // 4)  # at the rate of before, the next is due after 20 s
    assert eventually(lambda: len(bench.reasoner.asked) == 2)


def max_token_age(graph: Graph, bundle: str) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner(), max_token_age=60.0)
    bench.tell('wave')
    bench.see(graph.now() - 10 * NANOSECONDS)
    assert eventually(lambda: len(bench.reasoner.asked) == 1)
    set_to(bench.node, max_token_age=1.0)
    bench.see(graph.now() - 5 * NANOSECONDS)
    assert eventually(lambda: refusals(bench.node).get('stale_tokens', 0) > 0)


def max_instruction_length(graph: Graph, bundle: str) -> None:
    bench = Bench(graph, bundle, ScriptedReasoner())
    set_to(bench.node, max_instruction_length=3)
    graph.say(String(data='wave'), 'instruction', qos.LATCHED)
    assert eventually(lambda: refusals(bench.node) == {'long_instruction': 1})


REASONING = {
    'rate': thought_rate,
    'max_token_age': max_token_age,
    'max_instruction_length': max_instruction_length,
}


def test_the_live_parameters_of_reasoning_are_those_that_are_tried() -> None:
    assert {setting.name for setting in node_settings()['reasoning'] if setting.live} == set(REASONING)


@pytest.mark.parametrize('name', REASONING)
def test_a_live_parameter_of_reasoning_acts_at_once(graph: Graph, bundle: str, name: str) -> None:
    REASONING[name](graph, bundle)


def test_a_bundle_for_another_arm_keeps_the_action_node_from_being_configured(
    graph: Graph, tmp_path: Path
) -> None:
    bundle = write_bundle(tmp_path / 'tiny')
    node = graph.add(ActionNode, autostart=False, bundle=str(bundle), robot='franka_panda')

    assert node.trigger_configure().name == 'FAILURE'
    assert "bundle 'tiny' is made for another arm" in node.health.report().summary


def test_without_a_robot_that_is_known_limits_must_be_named(graph: Graph, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / 'tiny')
    node = graph.add(ActionNode, autostart=False, bundle=str(bundle))

    assert node.trigger_configure().name == 'FAILURE'
    assert "parameter 'limits_file': expected a file" in node.health.report().summary
