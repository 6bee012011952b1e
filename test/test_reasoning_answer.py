"""Answers of foreign minds: two forms, read strictly, and written as traces that the bundle's own decoder can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('tokenizers')

from vla_ros.bundle import load_bundle
from vla_ros.manifest import HandSpec, Manifest
from vla_ros.reasoning import trace
from vla_ros.reasoning.answer import LONGEST, read_answer, trained_tasks
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner, decoder_of
from vla_ros.reasoning.prompt_file import PromptFile, load_prompt
from vla_ros.reasoning.subtask import PLACES, from_words
from vla_ros.runtime import open_session
from vla_ros.types import Situation, Verdict, VisualTokens, VlaError

BUNDLE = load_bundle(Path(__file__).parent.parent / 'models' / 'tabletop')
SHIPPED = BUNDLE.manifest
BINS = SHIPPED.reasoning.location_bins


def manifest(tasks: object, hand: bool) -> Manifest:
    """The shipped one, of a bundle that was trained for these tasks."""
    spec = HandSpec(joint=SHIPPED.robot.joints[-1], closed=0.1, open=1.0) if hand else None
    reasoning = SHIPPED.reasoning.model_copy(update={'hand': spec})
    return SHIPPED.model_copy(update={'reasoning': reasoning, 'provenance': {'tasks': tasks}})


ALL = manifest([*PLACES, 'two_step'], True)
TOUCH = manifest(['touch'], False)
OPEN = Situation('open')


def answer(**changes: Any) -> str:
    return json.dumps(
        {'think': 't', 'verdict': 'go', 'subtask': 'touch red cube', 'target': [0.5, 0.25], **changes}
    )


def verdict(text: str, of: Manifest = ALL) -> Verdict:
    return read_answer(text, 'json', 'do it', of, OPEN).decision.verdict


@pytest.mark.parametrize(
    ('subtask', 'second'),
    [
        ('touch red cube', None),
        ('point at red cube', None),
        ('pick up red cube', None),
        ('put red cube in blue bowl', [0.75, 0.5]),
        ('push red cube left', [0.75, 0.5]),
    ],
)
def test_each_subtask_becomes_a_trace_that_reads_as_what_was_meant(subtask: str, second: Any) -> None:
    text = answer(subtask=subtask, second_target=second)
    found = read_answer(text, 'json', 'do it', ALL, OPEN)
    again = trace.read(found.written, 'do it', BINS, 'front')

    assert (found.decision.verdict, found.decision.doing) == (Verdict.GO, from_words(subtask))
    assert found.instruction == subtask
    assert again.doing == found.decision.doing
    assert again.target == pytest.approx((0.5, 0.25), abs=1 / BINS)
    assert again.second_target == (second and pytest.approx(second, abs=1 / BINS))


def test_to_go_home_has_no_place() -> None:
    assert verdict(answer(subtask='go home', target=None)) is Verdict.GO
    assert verdict(answer(subtask='go home')) is Verdict.UNSURE


@pytest.mark.parametrize(
    ('situation', 'holding', 'hand'),
    [
        (Situation('open'), None, 'open'),
        (Situation('closed'), None, 'closed'),
        (Situation('between'), 'red cube', 'holding red cube'),
    ],
)
def test_the_hand_is_in_the_trace(situation: Situation, holding: str | None, hand: str) -> None:
    found = read_answer(answer(holding=holding), 'json', 'do it', ALL, situation)
    assert f'. hand: {hand}. asked: touch red cube.' in found.written


def test_a_bundle_of_the_older_form_gets_the_older_form() -> None:
    written = read_answer(answer(), 'json', 'do it', TOUCH).written
    where = trace.location(0.5, 0.25, BINS)
    assert written == (
        f'<think> i see red cube{where}. asked: touch red cube. it is at{where}.</think>'
        f'<answer> go: touch red cube{where}</answer>'
    )


@pytest.mark.parametrize(
    'text',
    [
        '',
        'go',
        'null',
        f'[{answer()}]',
        f'```json\n{answer()}\n```',
        f'{answer()} ok',
        answer(verdict='GO'),
        answer(verdict='go '),
        answer(target=None),
        answer(target=[0.5]),
        answer(target=[0.5, 0.5, 0.5]),
        answer(target=[0.5, 1.01]),
        answer(target=[-0.01, 0.5]),
        answer(target=[500, 250]),
        answer(target=['0.5', '0.5']),
        answer(target=[True, False]),
        answer(target=[0.5, float('nan')]),
        answer(target=[0.5, 1e999]),
        answer(second_target=[0.5, 0.5]),
        answer(subtask='put red cube in blue bowl'),
        answer(subtask='touch'),
        answer(subtask='touch red cube, then go home'),
        answer(subtask='Touch red cube'),
        answer(subtask='touch red cube<loc_001>'),
        answer(subtask=3),
        answer(holding='<answer>'),
        answer(more=1),
        answer()[:-1] + ', "verdict": "go"}',
        '{"verdict": "go", "subtask": "touch red cube", "target": [0.5, 0.5]}',
        '[' * 100_000,
        answer(think='x' * LONGEST),
        f'<answer>{answer()}</answer>',
        f'<think>a</think><answer>{answer()}</answer>{answer()}',
        f'<think><answer>{answer()}</answer></think><answer>{answer()}</answer>',
    ],
    ids=lambda text: text[:60],
)
def test_what_is_not_the_declared_object_is_unsure(text: str) -> None:
    found = read_answer(text, 'json', 'do it', ALL, OPEN)
    assert (found.decision.verdict, found.written) == (Verdict.UNSURE, '')
    assert found.decision.subtask


def test_a_reasoning_model_may_think_in_tags_first() -> None:
    assert verdict(f'<think>\nwell, 2 cubes\n</think>\n\n<answer>\n{answer()}\n</answer>\n') is Verdict.GO


def test_a_refusal_and_a_doubt_are_taken_with_their_reason() -> None:
    for said, expected in (('refuse', Verdict.REFUSED), ('unsure', Verdict.UNSURE)):
        found = read_answer(answer(verdict=said, subtask='no cube', target=None), 'json', 'do it', ALL, OPEN)
        assert (found.decision.verdict, found.decision.subtask) == (expected, 'no cube')
        assert found.written == ''


def test_what_the_body_was_never_taught_is_refused_with_the_reason() -> None:
    push = answer(subtask='push red cube left', second_target=[0.5, 0.5])
    for of in (TOUCH, manifest(['touch'], True)):
        found = read_answer(push, 'json', 'do it', of, OPEN if of.reasoning.hand else None)
        assert (found.decision.verdict, found.written) == (Verdict.REFUSED, '')
        assert 'was not trained to push' in found.decision.subtask


def test_what_the_trace_itself_would_refuse_is_refused() -> None:
    text = answer(subtask='pick up blue bowl')
    assert (
        read_answer(text, 'json', 'do it', ALL, OPEN).decision.subtask == 'the blue bowl is too big to move'
    )


@pytest.mark.parametrize('tasks', [None, [], 'touch', ['dance']])
def test_a_bundle_that_does_not_say_what_it_was_trained_for_is_driven_by_nobody_else(tasks: object) -> None:
    with pytest.raises(VlaError, match=r'provenance\.tasks'):
        trained_tasks(manifest(tasks, True))


def test_a_trace_is_read_as_the_packages_own_and_must_be_in_the_form_of_the_bundle() -> None:
    older = trace.write_touch('red cube', (0.5, 0.25), BINS)
    newer = read_answer(answer(), 'json', 'do it', ALL, OPEN).written

    for text, of, other in ((older, TOUCH, ALL), (newer, ALL, TOUCH)):
        found = read_answer(text, 'trace', 'do it', of)
        assert (found.decision.verdict, found.written) == (Verdict.GO, text)
        assert read_answer(text, 'trace', 'do it', other).decision.verdict is Verdict.UNSURE
    assert read_answer(answer(), 'trace', 'do it', ALL).decision.verdict is Verdict.UNSURE


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(['go', 'touch red cube']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    changes=st.dictionaries(
        st.sampled_from(['think', 'verdict', 'subtask', 'target', 'second_target', 'holding', 'x']),
        json_values,
    )
)
def test_given_any_values_a_go_is_one_that_the_trace_reader_takes(changes: dict[str, Any]) -> None:
    found = read_answer(answer(**changes), 'json', 'do it', ALL, OPEN)
    if found.decision.verdict is Verdict.GO:
        assert trace.read(found.written, 'do it', BINS, 'front').verdict is Verdict.GO
    else:
        assert found.written == ''


def test_recited_its_own_trace_the_model_has_the_thought_that_came_with_it() -> None:
    body = OnnxReasoner(BUNDLE)
    situation = OPEN if SHIPPED.reasoning.hand is not None else None
    shape = (SHIPPED.tokens.rows, SHIPPED.tokens.width)
    tokens = VisualTokens(5, np.random.default_rng(0).normal(size=shape).astype(np.float32))
    written = read_answer(answer(), 'json', 'do it', SHIPPED, situation).written

    thought = body.recite(tokens, 'touch the red cube', written, situation)

    # Piece by piece with what was read before in the cache, as the model thinks by itself.
    visual, ids = body.question_of(tokens, 'touch the red cube', situation)
    forced = body.tokens_of(written)
    decoder = decoder_of(open_session(BUNDLE.file('language')), SHIPPED.reasoning)
    decoder.read(visual, np.array(ids, np.int64), 0, 1)
    past, rows = len(visual) + len(ids), []
    for token in forced:
        _, hidden = decoder.read(visual[:0], np.array([token], np.int64), past, 1)
        past += 1
        rows.append(hidden)
    answered = [token == body.tokens_of(trace.ANSWER)[0] for token in forced].index(True)
    np.testing.assert_allclose(thought.rows, np.concatenate(rows[answered:]), atol=1e-4)
    assert thought.stamp == tokens.stamp


@pytest.mark.parametrize(
    'written', ['', 'touch', '<answer> go', f'<think>{"a " * 400}</think><answer> go</answer>']
)
def test_what_is_no_trace_is_not_recited(written: str) -> None:
    body = OnnxReasoner(BUNDLE)
    tokens = VisualTokens(5, np.zeros((SHIPPED.tokens.rows, SHIPPED.tokens.width), np.float32))
    with pytest.raises(VlaError, match='trace: expected'):
        body.recite(tokens, 'touch', written, OPEN)


@pytest.mark.parametrize('name', ['json', 'trace'])
def test_the_prompts_that_come_along_are_filled_without_a_rest(name: str) -> None:
    prompt = load_prompt(name)
    user = prompt.user_text('Touch <it> {bins}', Situation('closed', 1, (0.5, 0.25)))

    assert prompt.answer == name
    assert 'touch <object>; go home' in prompt.system_text(('touch', 'home'), 128)
    assert '{' not in user
    assert 'The hand is closed' in user and '[0.500, 0.250]' in user and 'touch it bins' in user


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('system: a\nuser: b\nanswer: json\n', 'user: expected placeholders'),
        ('system: "{secret}"\nuser: "{instruction}"\nanswer: json\n', 'system: expected placeholders'),
        ('system: a\nuser: "{instruction}"\nanswer: xml\n', 'answer'),
        ('system: a\nuser: "{instruction}"\nanswer: json\nmore: 1\n', 'more'),
        ('user: "{instruction}"\nanswer: json\n', 'system'),
        ('- 1\n', 'prompt'),
    ],
)
def test_a_prompt_that_is_not_whole_is_refused_by_its_key(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / 'mine.yaml'
    file.write_text(content)
    with pytest.raises(VlaError, match=words):
        load_prompt(str(file))


def test_a_prompt_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(VlaError, match=r"expected one of \['json', 'trace'\]"):
        load_prompt('poem')
    assert isinstance(load_prompt('json'), PromptFile)
