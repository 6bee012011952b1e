"""What all nodes share: the order of their steps, what happens when one fails, and that callbacks cannot kill them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip('rclpy')

from lifecycle_msgs.srv import ChangeState, GetState
from node_graph import Graph, eventually, refusals
from std_msgs.msg import String

from vla_ros.nodes import qos
from vla_ros.nodes.lifecycle import VlaNode
from vla_ros.nodes.parameters import Setting
from vla_ros.types import VlaError

SETTINGS = (
    Setting('rate', 2.0, 'How often.', 0.5, 10.0, live=True),
    Setting('count', 3, 'How many.', 1, 5, live=True),
    Setting('places', [0.1], 'Where.', 0.0, 1.0, live=True),
    Setting('mode', 'slow', 'How.', choices=('slow', 'fast'), live=True),
    Setting('file', 'a', 'What from.'),
)


class Parrot(VlaNode):
    """Repeats what it hears, and notes its steps; fails where it is told to."""

    def __init__(self, **options: Any) -> None:
        self.steps: list[str] = []
        self.fails: dict[str, Exception] = {}
        super().__init__('parrot', SETTINGS, **options)

    def _note(self, step: str) -> None:
        self.steps.append(step)
        if step in self.fails:
            raise self.fails[step]

    def set_up(self) -> None:
        self.words = self.speak(String, 'said', qos.TRACE)
        self.listen(String, 'heard', self._repeat, qos.TRACE, 'bad_word')
        self._note('set_up')

    def start(self) -> None:
        self._note('start')

    def wind_down(self) -> None:
        self.words.publish(String(data='goodbye'))
        self._note('wind_down')

    def tear_down(self) -> None:
        self._note('tear_down')

    def _repeat(self, message: String) -> None:
        if message.data == 'curse':
            raise VlaError('no such word')
        if message.data == 'bug':
            raise ZeroDivisionError('one by nothing')
        self.words.publish(message)


def change(graph: Graph, label: str) -> bool:
    request = ChangeState.Request()
    request.transition.label = label
    return bool(graph.call(ChangeState, 'parrot/change_state', request).success)


def state(graph: Graph) -> str:
    return str(graph.call(GetState, 'parrot/get_state', GetState.Request()).current_state.label)


def test_it_starts_by_itself_and_goes_round_the_whole_lifecycle(graph: Graph) -> None:
    node = graph.active(Parrot)
    assert state(graph) == 'active'
    for label, after in (
        ('deactivate', 'inactive'),
        ('cleanup', 'unconfigured'),
        ('configure', 'inactive'),
        ('activate', 'active'),
        ('shutdown', 'finalized'),
    ):
        assert change(graph, label)
        assert state(graph) == after
    assert node.steps == [
        'set_up',
        'start',
        'wind_down',
        'tear_down',
        'set_up',
        'start',
        'wind_down',
        'tear_down',
    ]


def test_without_autostart_it_waits_to_be_told(graph: Graph) -> None:
    node = graph.add(Parrot, autostart=False)
    graph.diagnostics.wait()
    assert state(graph) == 'unconfigured'
    assert node.steps == []


@pytest.mark.parametrize('error', [VlaError('the file is missing'), RuntimeError('bad alloc')])
def test_a_node_that_cannot_be_set_up_says_why_and_can_try_again(graph: Graph, error: Exception) -> None:
    node = graph.add(Parrot, autostart=False)
    node.fails['set_up'] = error
    assert not change(graph, 'configure')
    assert state(graph) == 'unconfigured'
    report = node.health.report()
    assert (report.level, str(error) in report.summary) == (2, True)
    assert node.steps == ['set_up', 'tear_down']
    node.fails.clear()
    assert change(graph, 'configure')
    assert node.health.report().level == 0


def test_a_node_that_cannot_start_stays_inactive_and_silent(graph: Graph) -> None:
    node = graph.add(Parrot, autostart=False)
    node.fails['start'] = VlaError('no camera')
    assert change(graph, 'configure')
    assert not change(graph, 'activate')
    assert state(graph) == 'inactive'
    assert not node.is_active
    assert 'no camera' in node.health.report().summary


def test_a_step_that_fails_on_the_way_out_does_not_keep_the_node_from_ending(graph: Graph) -> None:
    node = graph.active(Parrot)
    node.fails.update(wind_down=RuntimeError('stuck'), tear_down=RuntimeError('stuck'))
    assert change(graph, 'deactivate')
    assert change(graph, 'cleanup')
    assert refusals(node) == {'internal_error': 2}


def test_while_it_winds_down_it_can_still_speak(graph: Graph) -> None:
    said = graph.ear(String, 'said', qos.TRACE)
    node = graph.active(Parrot)
    assert eventually(lambda: node.words.get_subscription_count() == 1)
    assert change(graph, 'deactivate')
    assert said.wait().data == 'goodbye'


def test_bad_words_and_bugs_are_counted_and_the_next_word_is_heard(graph: Graph) -> None:
    said = graph.ear(String, 'said', qos.TRACE)
    node = graph.active(Parrot)
    assert eventually(lambda: node.words.get_subscription_count() == 1)
    for word in ('curse', 'bug', 'curse', 'hello'):
        graph.say(String(data=word), 'heard', qos.TRACE)
    assert said.wait().data == 'hello'
    assert refusals(node) == {'bad_word': 2, 'internal_error': 1}
    graph.diagnostics.wait(
        lambda m: any(v.key == 'refused bad_word' and v.value == '2' for v in m.status[0].values)
    )


@pytest.mark.parametrize('state_before', ['unconfigured', 'inactive', 'active'])
def test_it_shuts_down_in_every_state(graph: Graph, state_before: str) -> None:
    node = graph.add(Parrot, autostart=False)
    for label in {'unconfigured': [], 'inactive': ['configure'], 'active': ['configure', 'activate']}[
        state_before
    ]:
        assert change(graph, label)
    assert node.shut_down().wait(60)
    assert state(graph) == 'finalized'
    assert node.steps[-1] == 'tear_down'
    assert ('wind_down' in node.steps) == (state_before == 'active')


@pytest.mark.parametrize(
    ('name', 'value', 'accepted'),
    [
        ('rate', 10.0, True),
        ('rate', 10.1, False),
        ('rate', float('nan'), False),
        ('count', 5, True),
        ('count', 6, False),
        ('places', [0.0, 1.0], True),
        ('places', [0.5, 1.5], False),
        ('places', [float('nan')], False),
        ('mode', 'fast', True),
        ('mode', 'sideways', False),
        ('file', 'b', False),
        ('rate', 'often', False),
    ],
)
def test_a_parameter_takes_what_its_table_says_and_nothing_else(graph: Graph, name, value, accepted) -> None:
    from rclpy.parameter import Parameter

    node = graph.add(Parrot, autostart=False)
    before = node.setting(name)
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert result.successful is accepted, result.reason
    after = node.setting(name)
    assert (list(after) == list(before) if name == 'places' else after == before) is not accepted


@pytest.mark.parametrize(
    ('name', 'value'), [('rate', 99.0), ('rate', 'often'), ('mode', 'sideways'), ('rate', 2)]
)
def test_a_parameter_that_cannot_be_stops_the_node_from_being_made_with_its_name(graph, name, value) -> None:
    with pytest.raises(VlaError, match=f"parameter '{name}': expected"):
        graph.add(Parrot, **{name: value})
