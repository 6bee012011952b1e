"""Motion is decided by numbers: no word, whoever wrote it, reaches planner and guard."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable
from typing import Any

import pytest
from test_walls import PACKAGE, imports

from vla_ros.action.guard import Guard, GuardSettings
from vla_ros.action.planner import Planner, PlannerSettings, Policy
from vla_ros.action.remote.policy import RemotePolicy
from vla_ros.types import Decision, JointTrajectory

ROADS = (
    Guard.check,
    Guard.check_chunk,
    Guard.check_brake,
    Guard.check_path,
    Planner.chunk,
    Planner.next_plan,
    Planner.hindrance,
    Planner.braking_plan,
    Planner.is_moving,
    Policy.act,
)
"""Every way by which something comes in while the arm moves."""
SETTINGS = (PlannerSettings, GuardSettings)  # what a person set, not what somebody said
NAMES = {(JointTrajectory, 'joint_names')}  # compared with the bundle's, nothing else


def words_in(annotation: Any, where: tuple[Any, str]) -> set[tuple[Any, str]]:
    """Where a type has text in it, looked for in fields of dataclasses and arguments of generics."""
    if annotation is str or annotation is Any:
        return {where}
    if annotation in SETTINGS:
        return set()
    if dataclasses.is_dataclass(annotation):
        hints = typing.get_type_hints(annotation)
        fields = [(hints[field.name], (annotation, field.name)) for field in dataclasses.fields(annotation)]
        return set().union(*(words_in(hint, place) for hint, place in fields))
    if str(annotation).startswith('numpy.'):
        return set()
    return set().union(*(words_in(part, where) for part in typing.get_args(annotation)))


def inputs(function: Callable[..., Any]) -> dict[str, Any]:
    """The types of what a function is given."""
    hints = typing.get_type_hints(function)
    hints.pop('return', None)
    return hints


@pytest.mark.parametrize('road', ROADS, ids=lambda road: road.__qualname__)
def test_no_text_comes_in(road: Callable[..., Any]) -> None:
    given = inputs(road)
    assert len(given) == len(inspect.signature(road).parameters) - 1, 'every parameter but self has its type'

    assert set().union(*(words_in(hint, (road, name)) for name, hint in given.items())) <= NAMES


def test_every_public_road_into_the_guard_is_looked_at() -> None:
    public = {name for name in vars(Guard) if not name.startswith('_')}
    assert {f'Guard.{name}' for name in public} <= {road.__qualname__ for road in ROADS}


def test_a_decision_would_be_found() -> None:
    assert (Decision, 'instruction') in words_in(Decision, ('', ''))
    assert words_in(dict[str, int] | None, ('', 'x')) == {('', 'x')}


def test_given_a_policy_on_a_server_its_words_have_a_road_of_their_own_beside_planner_and_guard() -> None:
    """``hear_words`` has one caller, and ``act`` is given and gives no text, as any policy."""
    assert inputs(RemotePolicy.act) == inputs(Policy.act)
    assert words_in(typing.get_type_hints(RemotePolicy.act)['return'], ('', '')) == set()
    callers = [path.name for path in PACKAGE.rglob('*.py') if '.hear_words(' in path.read_text('utf-8')]
    assert callers == ['policy_backend.py']


SPOKEN_TO = (
    PACKAGE / 'action' / 'remote' / 'policy.py',
    PACKAGE / 'action' / 'words_file.py',
)
"""A policy that is told its words reads them itself; what it gives are joint targets, as on a server."""


@pytest.mark.parametrize(
    'path',
    [
        *sorted((PACKAGE / 'action').rglob('*.py')),
        PACKAGE / 'nodes' / 'action.py',
        PACKAGE / 'nodes' / 'policy_backend.py',
    ],
    ids=lambda path: f'{path.parent.name}/{path.name}',
)
def test_what_moves_the_arm_knows_nothing_of_reasoning_and_of_messages_with_text(path: Any) -> None:
    found = {item.module for item in imports(path, PACKAGE)}
    words = ('vla_ros.reasoning', 'std_msgs', *(() if path in SPOKEN_TO else ('tokenizers',)))

    assert not {name for name in found if name.startswith(words)}
    assert 'vla_ros.types.Decision' not in found
