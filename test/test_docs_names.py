"""README.md and docs/: every parameter, topic, service, refusal and diagnostic that they name exists in the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from doc_pages import PAGES, ROOT, indented, spans, text

pytest.importorskip('rclpy')

from vla_ros.action.refusal import GuardReason
from vla_ros.graph import ALL_NODES
from vla_ros.nodes.parameter_page import node_settings
from vla_ros.paths import config_file
from vla_ros.robots import robot_names

NODE_NAMES = {node.name for node in ALL_NODES}
# Of ROS, of the controller on other distributions, and of drivers.
FOREIGN = {
    'use_sim_time',
    'open_loop_control',
    'camera_info',
    'diagnostic_aggregator',
    'diagnostic_updater',
    'franka_gripper',
    'image_raw',
    'joint_state_broadcaster',
    'joint_trajectory_controller',
    'launch_ros',
    'pixel_format',
    'robot_state_publisher',
    'vla_ros',
}
SOURCES = {
    path.stem: ast.parse(path.read_text(encoding='utf-8'))
    for path in (
        *(ROOT / 'vla_ros' / 'nodes').glob('*.py'),
        ROOT / 'vla_ros' / 'action' / 'motion.py',
        ROOT / 'vla_ros' / 'perception' / 'intake.py',
    )
}
TOPIC = re.compile(
    r'(?<![\w./-])/?((?:camera|perception|reasoning|action|simulator|visualise)/[\w<>()/]*\w>?)'
)
LAST_WORD = re.compile(r'(?<![\w/])/(diagnostics|clock|joint_states|instruction)\b')


def calls(*names: str) -> Iterator[ast.Call]:
    """All calls of methods with these names in the nodes."""
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in names
            ):
                yield node


def patterns(expression: ast.AST, variables: dict[str, list[str]]) -> list[str]:
    """What a string expression may be, as regular expressions; what is filled in may be anything but a slash."""
    if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        return [re.escape(expression.value)]
    if isinstance(expression, ast.IfExp):
        return patterns(expression.body, variables) + patterns(expression.orelse, variables)
    if isinstance(expression, ast.Name):
        return variables.get(expression.id, [])
    if isinstance(expression, ast.JoinedStr):
        found = ['']
        for part in expression.values:
            inner = part.value if isinstance(part, ast.FormattedValue) else part
            ends = patterns(inner, variables) or ['[^/]+']
            found = [start + end for start in found for end in ends]
        return found
    return []


def assigned() -> dict[str, list[str]]:
    """Strings with something to fill in that are put into variables first."""
    found: dict[str, list[str]] = {}
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.JoinedStr):
                for target in node.targets:
                    found.setdefault(ast.unparse(target), []).extend(patterns(node.value, {}))
    return found


def known_topics() -> set[str]:
    """Names of topics and services as regular expressions."""
    opened = ('speak', 'listen', 'create_publisher', 'create_subscription', 'create_service')
    variables = assigned()
    return {p for call in calls(*opened) if len(call.args) > 1 for p in patterns(call.args[1], variables)}


def counted_reasons() -> set[str]:
    """Every word under which something is counted as refused, but for what the simulated controller says."""
    found = {reason.value for reason in GuardReason}
    for call in calls('refuse'):
        found |= set(patterns(call.args[0], {})) if call.args else set()
    for call in calls('listen'):
        found |= set(patterns(call.args[-1], {}))
    return {reason for reason in found if re.fullmatch('[a-z_]+', reason)}


def shown_values() -> set[str]:
    """The keys of /diagnostics as regular expressions."""

    def of(methods: str, *endings: str) -> set[str]:
        found = {p for call in calls(*methods.split()) if call.args for p in patterns(call.args[0], {})}
        return {f'{p}{re.escape(ending)}' for p in found for ending in endings}

    (stamps,) = [
        n for n in ast.walk(SOURCES['motion']) if isinstance(n, ast.FunctionDef) and n.name == 'stamps'
    ]
    ages = [
        ast.literal_eval(key) for n in ast.walk(stamps) if isinstance(n, ast.Dict) for key in n.keys if key
    ]
    return {
        'lifecycle',
        'summary',
        *of('note', ''),
        *of('note_age', ' age [s]'),
        *(rf'{age} age \[s\]' for age in ages),
        *of('tick', ' rate [Hz]'),
        *of('latency since since_stamp since_sent', ' p50 [ms]', ' p99 [ms]', ' count'),
    }


def is_one_of(name: str, known: set[str]) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in known)


def yaml_keys(content: Any) -> set[str]:
    """Every key of a YAML file, however deep."""
    if isinstance(content, list):
        return {key for item in content for key in yaml_keys(item)}
    if not isinstance(content, dict):
        return set()
    return {str(key) for key in content} | {key for value in content.values() for key in yaml_keys(value)}


def known_words() -> set[str]:
    """Everything with underscores that a page may name in a code span."""
    launch = (ROOT / 'launch' / 'vla.launch.py').read_text(encoding='utf-8')
    files = ('so101_controllers.yaml', 'joint_limits.yaml')
    return {
        *FOREIGN,
        *(setting.name for settings in node_settings().values() for setting in settings),
        *re.findall(r"DeclareLaunchArgument\(\s*'(\w+)'", launch),
        *robot_names(),
        *(
            key
            for name in files
            for key in yaml_keys(yaml.safe_load(config_file(name).read_text(encoding='utf-8')))
        ),
        *counted_reasons(),
        *known_topics(),
    }


@pytest.mark.parametrize('page', ['robot.md', 'troubleshooting.md', 'architecture.md'])
def test_every_parameter_that_is_named_exists(page: str) -> None:
    known = known_words()
    named = [
        span.split(':')[0] for span in spans(text(page)) if re.fullmatch(r'[a-z]+(_[a-z]+)+(: .*)?', span)
    ]

    assert len(named) > 5
    assert [name for name in named if name not in known] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_every_parameter_that_is_set_in_a_command_is_live(page: Any) -> None:
    content = page.read_text(encoding='utf-8')
    for line in (*indented(content), *spans(content)):
        for node, name in re.findall(r'ros2 param set /(\w+) (\w+)', line):
            assert [setting.live for setting in node_settings()[node] if setting.name == name] == [True], line
        for node in re.findall(r'ros2 lifecycle set /(\w+)', line):
            assert node in NODE_NAMES


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_every_topic_and_service_that_is_named_exists(page: Any) -> None:
    known, content = known_topics(), page.read_text(encoding='utf-8')
    named = {re.sub(r'[<(]name[>)]', 'x', name) for name in TOPIC.findall(content)}

    named = {name for name in named if not re.fullmatch('camera/[^/]+', name)}  # namespaces of drivers

    assert sorted(name for name in named if not is_one_of(name, known)) == []
    for name in LAST_WORD.findall(content):
        assert is_one_of(name, known) or is_one_of(f'/{name}', known)


def test_every_service_that_is_called_has_the_type_that_is_given() -> None:
    types = {ast.literal_eval(c.args[1]): ast.unparse(c.args[0]) for c in calls('create_service')}
    called = {
        (name, kind)
        for page in PAGES
        for name, kind in re.findall(
            r'ros2 service call /(\S+) std_srvs/srv/(\w+)', page.read_text(encoding='utf-8')
        )
    }

    assert len(called) > 2
    for name, kind in called:
        assert types[name] == kind


@pytest.mark.parametrize('page', ['robot.md', 'troubleshooting.md', 'parameters.md'])
def test_every_value_of_diagnostics_that_is_named_exists(page: str) -> None:
    shown, reasons = shown_values(), counted_reasons()
    for span in spans(text(page)):
        if re.search(r' \[(s|ms|Hz)\]$', span) or span.startswith('peer '):
            assert is_one_of(span, shown), span
        if re.fullmatch(r'refused [a-z_]+', span):
            assert span.removeprefix('refused ') in reasons, span


def test_every_reason_to_refuse_is_in_troubleshooting() -> None:
    named = {span.removeprefix('refused ') for span in spans(text('troubleshooting.md'))}

    assert counted_reasons() - named == set()


def test_values_without_a_unit_that_troubleshooting_names_exist() -> None:
    shown = shown_values()
    for name in ('stopped', 'enabled', 'dry run', 'execution providers', 'real-time factor', 'last brake'):
        assert is_one_of(name, shown), name
    for name in re.findall(r'`((?:frames|sets) dropped [a-z ]+)`', text('troubleshooting.md')):
        assert is_one_of(name, shown), name
