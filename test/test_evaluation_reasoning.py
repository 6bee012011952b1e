"""Judging thoughts: what counts as right, and where on the table a place in the image is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip('mujoco')

from vla_ros.evaluation.brain import Brain
from vla_ros.evaluation.episodes import TASKS
from vla_ros.evaluation.reasoning import REASONS, judge, list_orders, on_table, reasoning_report
from vla_ros.reasoning.trace import location, read
from vla_ros.sim.cameras import FRONT_SIZE, Camera
from vla_ros.sim.world import World
from vla_ros.types import Thought, VisualTokens, VlaError

BINS = 1000
WORDINGS = {'touch': ('tap the {object}', 'lay a finger on the {object}')}


class Writer:
    """A System 2 that writes a given trace, whatever it sees."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def think(self, tokens: VisualTokens, instruction: str, *_: Any) -> tuple[Any, Thought]:
        return read(self.trace, instruction, BINS, 'front'), Thought(
            tokens.stamp, np.zeros((0, 4), np.float32)
        )


def brain(trace: str) -> Brain:
    return Brain(
        cameras=('front',),
        encode=lambda frames: VisualTokens(frames[0].stamp, np.zeros((1, 4), np.float32)),
        reasoner=Writer(trace),  # type: ignore[arg-type]
        make_planner=lambda: None,  # type: ignore[arg-type, return-value]
    )


def places(world: World) -> dict[str, tuple[float, float]]:
    """Where the front camera has each object, in 0..1."""
    camera = Camera(world.model, 'front', *FRONT_SIZE, scene=world.scene)
    found = {}
    for thing in world.scene.objects:
        pixels, _ = camera.project(world.data, np.array([thing.position]))
        found[thing.name] = tuple(((pixels[0] + 0.5) / FRONT_SIZE).tolist())
    return found


def trace_of(where: dict[str, tuple[float, float]], conclusion: str) -> str:
    seen = '; '.join(f'{name}{location(*place, BINS)}' for name, place in sorted(where.items()))
    return f'<think> i see {seen}. {conclusion}'


@pytest.fixture(scope='module')
def order():
    return list_orders(12, 900_000, WORDINGS)[0]


@pytest.fixture(scope='module')
def where(order):
    return places(World(order.scene(), np.random.default_rng([order.seed, 11])))


def go(where: dict[str, tuple[float, float]], name: str) -> str:
    at = location(*where[name], BINS)
    return f'asked: touch {name}. it is at{at}.</think><answer> go: touch {name}{at}</answer>'


def test_a_true_thought_is_right_in_everything(order, where) -> None:
    found = judge(order, brain(trace_of(where, go(where, order.wanted))), BINS)
    assert found.well_formed and found.verdict_right and found.subtask_right
    assert not found.refused and not found.missing and not found.invented
    assert len(found.errors) == len(where)
    assert (
        max(found.errors) < 2.0
    )  # one thousandth of the image is less than half a millimetre near the middle


def test_an_object_left_out_and_one_invented_are_both_named(order, where) -> None:
    other = next(name for name in where if name != order.wanted)
    seen = {name: place for name, place in where.items() if name != other} | {'grey ball': (0.5, 0.5)}
    found = judge(order, brain(trace_of(seen, go(where, order.wanted))), BINS)
    assert (found.missing, found.invented) == ((other,), ('grey ball',))


def test_the_wrong_object_is_the_wrong_subtask_and_a_refusal_is_a_false_one(order, where) -> None:
    other = next(name for name in where if name != order.wanted)
    wrong = judge(order, brain(trace_of(where, go(where, other))), BINS)
    assert wrong.verdict_right and not wrong.subtask_right
    tail = f'asked: touch {other}. it is not there.</think><answer> refuse: there is no {other}</answer>'
    refused = judge(order, brain(trace_of(where, tail)), BINS)
    assert refused.refused and not refused.verdict_right and refused.well_formed
    broken = judge(order, brain('<think> i see'), BINS)
    assert not broken.well_formed and not broken.verdict_right and not broken.refused


def test_an_impossible_order_is_right_when_refused_for_the_true_reason(order, where) -> None:
    missing = replace(order, task='no_such_object', wanted='grey ball')
    tail = 'asked: touch grey ball. it is not there.</think><answer> refuse: there is no grey ball</answer>'
    true = judge(missing, brain(trace_of(where, tail)), BINS)
    false = judge(missing, brain(trace_of(where, tail.replace('there is no grey ball', 'i am tired'))), BINS)
    obeyed = judge(missing, brain(trace_of(where, go(where, order.wanted))), BINS)
    assert true.verdict_right and true.reason_right
    assert false.verdict_right and not false.reason_right
    assert not obeyed.verdict_right
    report = reasoning_report(
        [true, false, obeyed, judge(order, brain(trace_of(where, go(where, order.wanted))), BINS)]
    )
    assert report['refusal_recall'] == pytest.approx(2 / 3, abs=1e-4)
    assert report['refusal_reason_accuracy'] == pytest.approx(1 / 3, abs=1e-4)
    assert (report['false_refusals'], report['subtask_accuracy']) == (0.0, 1.0)
    assert report['verdict_accuracy'] == 0.75
    assert report['by_task']['no_such_object']['orders'] == 3


def test_a_line_of_sight_meets_the_table_where_the_camera_sees_that_point(order) -> None:
    world = World(order.scene(), np.random.default_rng(0))
    camera = Camera(world.model, 'front', *FRONT_SIZE, scene=world.scene)
    for point in ((0.15, 0.1, 0.0), (0.3, -0.12, 0.02)):
        pixels, _ = camera.project(world.data, np.array([point]))
        x, y = ((pixels[0] + 0.5) / FRONT_SIZE).tolist()
        np.testing.assert_allclose(on_table(camera, world, (x, y), point[2]), point[:2], atol=1e-6)


def test_orders_are_shared_by_the_tasks_that_there_are_words_for() -> None:
    orders = list_orders(7, 900_000, WORDINGS)
    assert len(orders) == 7
    assert {'touch', 'no_such_object'} <= {order.task for order in orders}
    with pytest.raises(VlaError, match='expected sentences for some of'):
        list_orders(4, 900_000, {'juggle': ('juggle',)})
    with pytest.raises(VlaError, match='one a task'):
        list_orders(1, 900_000, WORDINGS)


@pytest.mark.parametrize('task', TASKS)
def test_what_must_be_refused_is_known_with_its_reasons(task: str, order) -> None:
    asked = replace(order, task=task)
    assert (task in REASONS) == getattr(asked, 'impossible', task == 'no_such_object')
    assert all(REASONS.get(task, ('any',)))
