"""What System 2 is told beside picture and words: what the hand feels, and how far the order had come."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vla_ros.action import flow
from vla_ros.action.flow import FlowPolicy
from vla_ros.bundle import Bundle, load_bundle
from vla_ros.manifest import HandSpec, StatisticsSpec
from vla_ros.reasoning import onnx_reasoner
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.reasoning.progress import Progress, hand_word
from vla_ros.types import Decision, JointSample, Situation, Subtask, Thought, Verdict, VisualTokens, VlaError

HAND = HandSpec(joint='gripper', closed=0.05, open=0.35)
SHIPPED = load_bundle(Path(__file__).parent.parent / 'models' / 'tabletop')
MANIFEST = SHIPPED.manifest
TOKENS = VisualTokens(1, np.zeros((MANIFEST.tokens.rows, MANIFEST.tokens.width), np.float32))


@given(st.floats(-3, 3))
def test_the_hand_is_closed_below_open_above_and_between_otherwise(position: float) -> None:
    expected = 'closed' if position < 0.05 else 'open' if position > 0.35 else 'between'
    assert hand_word(HAND, position) == expected


def test_a_hand_that_opens_downwards_is_refused() -> None:
    with pytest.raises(ValueError, match='expected closed to be less than open'):
        HandSpec(joint='gripper', closed=0.5, open=0.1)


def go(kind: str, done: int = 0) -> Decision:
    return Decision(Verdict.GO, '', '', '', (0.1, 0.2), 'front', Subtask(kind, 'red cube'), (0.3, 0.4), done)


@pytest.mark.parametrize(
    ('decisions', 'expected'),
    [
        ([], Situation('open')),
        ([go('push')], Situation('open', 0, (0.3, 0.4))),
        ([go('put')], Situation('open', 0, None)),
        ([go('push'), go('touch', 1)], Situation('open', 1, None)),
        ([go('push'), Decision(Verdict.UNSURE, '', '', '')], Situation('open', 0, (0.3, 0.4))),
        ([go('touch', 1), Decision(Verdict.REFUSED, '', '', '')], Situation('open', 1, None)),
    ],
)
def test_what_was_done_and_where_a_push_goes_to_is_remembered(
    decisions: list[Decision], expected: Situation
) -> None:
    progress = Progress()
    for decision in decisions:
        progress.note(decision)
    assert progress.situation(HAND, 0.5) == expected


class Silent:
    """A model that says nothing and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name=name) for name in ('visual', 'ids', 'cache')]

    def run(self, _: None, inputs: dict[str, Any]) -> tuple[Any, ...]:
        self.given.append(inputs)
        return np.zeros((1, 9), np.float32), np.ones((1, MANIFEST.thought.width), np.float32), inputs['cache']


class Still:
    """A policy's graph that never moves; its state has as many numbers as a test wants."""

    state = 0

    def __init__(self, _: Any) -> None:
        horizon, joints = MANIFEST.chunk.horizon, len(MANIFEST.robot.joints)
        tokens, thought = MANIFEST.tokens, MANIFEST.thought
        shapes = {
            **dict.fromkeys(('noise', 'prefix'), (1, horizon, joints)),
            'tokens': (1, tokens.rows, tokens.width),
            'thought': (1, thought.rows, thought.width),
            'state': (1, self.state),
            'clean': (1, horizon),
        }
        self.inputs = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}

    def __call__(self) -> list[Any]:
        return [np.zeros_like(self.inputs['noise'])]


def changed(part: str, **values: Any) -> Bundle:
    """The shipped bundle with another manifest."""
    spec = getattr(MANIFEST, part).model_copy(update=values)
    return Bundle(SHIPPED.folder, MANIFEST.model_copy(update={part: spec}))


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Silent:
    model = Silent()
    for room in (onnx_reasoner, flow):
        monkeypatch.setattr(room, 'open_session', lambda *_, **__: model)
    return model


def test_a_model_that_wants_to_know_of_the_hand_is_told_and_another_is_not(silent: Silent) -> None:
    situation = Situation('between', 1, (0.5, 0.5))
    told, untold = (OnnxReasoner(changed('reasoning', hand=hand)) for hand in (HAND, None))
    lengths = []
    for reasoner, given_situation in ((untold, None), (untold, situation), (told, situation)):
        silent.given.clear()
        reasoner.think(TOKENS, 'touch it', None, given_situation)
        lengths.append(len(silent.given[0]['ids']))
    assert lengths[0] == lengths[1] < lengths[2]
    with pytest.raises(VlaError, match='wants to know of the hand'):
        told.think(TOKENS, 'touch it')


def test_a_policy_with_statistics_of_velocities_is_told_them_behind_the_positions(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    joints = len(MANIFEST.robot.joints)
    velocity = StatisticsSpec(mean=(1.0,) * joints, std=(2.0,) * joints)
    thought = Thought(1, np.ones((1, MANIFEST.thought.width), np.float32))
    state = MANIFEST.normalisation.state
    sample = JointSample(1, np.array(state.mean), np.full(joints, 5.0))
    noise = np.zeros((MANIFEST.chunk.horizon, joints), np.float32)
    runs: list[Still] = []
    monkeypatch.setattr(flow, 'FixedRun', lambda session: runs.append(Still(session)) or runs[-1])

    for count, told in ((joints, None), (2 * joints, velocity)):
        monkeypatch.setattr(Still, 'state', count)
        FlowPolicy(changed('normalisation', velocity=told)).act(TOKENS, thought, sample, noise)

    np.testing.assert_allclose(runs[0].inputs['state'], np.zeros((1, joints)), atol=1e-6)
    np.testing.assert_allclose(runs[1].inputs['state'], [[0.0] * joints + [2.0] * joints], atol=1e-6)
