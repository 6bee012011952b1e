"""docs/parameters.md says what the code says, and what the shipped parameter file sets exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

from vla_ros.action.guard import GuardSettings
from vla_ros.action.refusal import GuardReason
from vla_ros.action.settings import GUARD_JUMP
from vla_ros.graph import ALL_NODES
from vla_ros.nodes.parameter_page import allowed, file_values, node_settings, page
from vla_ros.nodes.parameters import Setting

PAGE = Path(__file__).resolve().parents[1] / 'docs' / 'parameters.md'
SETTINGS = [(node, setting) for node, settings in node_settings().items() for setting in settings]


def test_the_page_in_the_repository_is_what_the_code_gives() -> None:
    assert PAGE.read_text(encoding='utf-8') == page(), (
        'run python -m vla_ros.nodes.parameter_page docs/parameters.md'
    )


def test_every_parameter_of_the_shipped_file_exists_and_has_an_allowed_value() -> None:
    known = {
        node: {setting.name: setting for setting in settings} for node, settings in node_settings().items()
    }
    said = file_values()

    assert set(said) == {node.name for node in ALL_NODES}
    for node, values in said.items():
        assert set(values) - set(known[node]) == set()
        for name, value in values.items():
            setting = known[node][name]
            assert type(value) is type(setting.default), f'{node}: {name}'
            assert setting.problem(value) is None
            if not isinstance(value, list) and setting.minimum is not None and setting.maximum is not None:
                assert setting.minimum <= value <= setting.maximum


@pytest.mark.parametrize(('node', 'setting'), SETTINGS, ids=lambda part: getattr(part, 'name', part))
def test_a_unit_stands_in_its_own_field_and_in_what_ros_describes(node: str, setting: Setting) -> None:
    assert not re.search(r'\bin (s|rad|Hz|m)\b', setting.description)
    assert setting.description.endswith('.')
    assert setting.descriptor().description == (
        f'{setting.description} [{setting.unit}]' if setting.unit else setting.description
    )


@pytest.mark.parametrize(
    ('setting', 'words'),
    [
        (Setting('a', 1.0, 'A.', 0.05, 60.0), '0.05 to 60'),
        (Setting('a', 1, 'A.', 0, 2**31), '0 to 2^31'),
        (Setting('a', 1, 'A.', 1, 1_500_000), '1 to 1500000'),
        (Setting('a', 'x', 'A.', choices=('x', 'y')), '`x`, `y`'),
        (Setting('a', False, 'A.'), ''),
    ],
)
def test_ranges_and_choices_are_shown_in_short(setting: Setting, words: str) -> None:
    assert allowed(setting) == words


@pytest.mark.parametrize('reason', GuardReason, ids=lambda reason: reason.value)
def test_every_refusal_is_found_by_its_value_and_explained_in_sentences(reason: GuardReason) -> None:
    assert GuardReason(reason.value) is reason
    assert reason.name.lower() == reason.value
    for text in (reason.meaning, reason.remedy):
        assert text[0].isupper() and text.endswith('.')


def test_numbers_in_the_explanations_are_those_of_the_guard() -> None:
    assert f'{GuardSettings.max_duration:g} s' in GuardReason.TOO_LONG.meaning
    assert f'{GUARD_JUMP:g} rad' in GuardReason.START_JUMP.meaning
    assert f'{GuardSettings.position_margin:g} rad' in GuardReason.POSITION_LIMIT.meaning
