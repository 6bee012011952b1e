"""Writing with a draft: the same tokens and thoughts, to the bit, whatever the draft says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vla_ros.manifest import Precision, ReasoningSpec
from vla_ros.reasoning.draft import continuation, through_places
from vla_ros.reasoning.greedy import GreedyWriter
from vla_ros.reasoning.onnx_reasoner import decoder_of
from vla_ros.types import FloatArray, VlaError

torch = pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('onnx')

from transformers import (  # noqa: E402
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    SiglipVisionConfig,
)

from vla_ros.runtime import open_session  # noqa: E402
from vla_ros.training.export import export_language  # noqa: E402

WORDS, END, LONGEST, IMAGE_TOKENS, CHANNELS = 24, 7, 12, 4, 8
PLACES = range(8, WORDS, 2)
CONTEXT = IMAGE_TOKENS + 6 + LONGEST
SPEC = ReasoningSpec(
    cameras=('front',),
    layers=2,
    heads=2,
    head_width=16,
    max_new_tokens=LONGEST,
    context=CONTEXT,
    location_bins=16,
    location_camera='front',
)

tokens = st.integers(0, WORDS - 1)
questions = st.lists(tokens, min_size=1, max_size=6)
drafts = st.lists(tokens, max_size=3 * LONGEST)
sights = st.integers(0, 3)


def llava() -> Any:
    """A LLaVA model that writes words of its own taste: large weights, so that they are not all the same."""
    torch.manual_seed(3)
    text = LlamaConfig(
        vocab_size=WORDS,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.4,
    )
    eyes = SiglipVisionConfig(
        hidden_size=CHANNELS,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        image_size=4,
        patch_size=2,
    )
    config = LlavaConfig(
        vision_config=eyes,
        text_config=text,
        image_token_index=1,
        image_seq_length=IMAGE_TOKENS,
        vision_feature_select_strategy='full',
        vision_feature_layer=-1,
    )
    return LlavaForConditionalGeneration(config).eval()


@pytest.fixture(scope='module', params=get_args(Precision))
def graph(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp('graph') / 'language.onnx'
    export_language(llava(), path, request.param)
    return path


@pytest.fixture(scope='module')
def writer(graph: Path) -> GreedyWriter:
    """One that has written before, and so knows questions of before."""
    return GreedyWriter(decoder_of(open_session(graph), SPEC), END, LONGEST, PLACES)


def seen(which: int) -> FloatArray:
    """One of a few pictures; the first two differ in their last row only."""
    rows = np.random.default_rng(which // 2).normal(size=(IMAGE_TOKENS, CHANNELS)).astype(np.float32)
    rows[-1] += which % 2
    return rows


def whole(blocks: Any) -> tuple[list[int], FloatArray]:
    parts = list(blocks)
    return [token for new, _ in parts for token in new], np.concatenate([hidden for _, hidden in parts])


def plainly(graph: Path, which: int, question: list[int]) -> tuple[list[int], FloatArray]:
    """What a fresh decoder writes without a draft."""
    fresh = GreedyWriter(decoder_of(open_session(graph), SPEC), END, LONGEST)
    return whole(fresh.write(seen(which), question))


@given(which=sights, question=questions, draft=drafts)
@settings(max_examples=60, deadline=None)
def test_given_any_draft_the_tokens_and_hidden_states_are_those_without(
    graph: Path, writer: GreedyWriter, which: int, question: list[int], draft: list[int]
) -> None:
    expected = plainly(graph, which, question)

    found = whole(writer.write(seen(which), question, draft))

    assert found[0] == expected[0]
    assert found[1].tobytes() == expected[1].tobytes()


@given(which=sights, question=questions, cut=st.integers(0, LONGEST), flaw=st.none() | tokens, at=tokens)
@settings(max_examples=60, deadline=None)
def test_given_a_draft_that_is_nearly_right_the_tokens_are_those_without(
    graph: Path,
    writer: GreedyWriter,
    which: int,
    question: list[int],
    cut: int,
    flaw: int | None,
    at: int,
) -> None:
    expected = plainly(graph, which, question)
    draft = [*expected[0][:cut], *([] if flaw is None else [flaw]), *expected[0][cut + at % 2 :]]

    assert whole(writer.write(seen(which), question, draft))[0] == expected[0]


@pytest.fixture(scope='module')
def long(graph: Path) -> list[int]:
    """A question with a long answer, about the first picture."""
    return next([word, 9] for word in range(WORDS) if len(plainly(graph, 0, [word, 9])[0]) >= LONGEST - 2)


def test_a_draft_that_is_right_again_needs_one_pass(writer: GreedyWriter, long: list[int]) -> None:
    expected, _ = whole(writer.write(seen(0), long))
    passes = []
    for _ in range(2):  # the first time it is not yet known how far a draft is to be trusted
        before = writer.passes
        assert whole(writer.write(seen(0), long, expected))[0] == expected
        passes.append(writer.passes - before)
    assert passes[1] == 1
    assert passes[0] < len(expected)


def test_a_wrong_draft_costs_at_most_one_pass_a_token(writer: GreedyWriter, long: list[int]) -> None:
    expected, _ = whole(writer.write(seen(0), long))
    before = writer.passes
    wrong = [(token + 1) % WORDS for token in expected]

    assert whole(writer.write(seen(0), long, wrong))[0] == expected
    assert writer.passes - before <= len(expected) + 1


def test_what_is_the_same_in_two_questions_is_read_once(graph: Path) -> None:
    decoder = decoder_of(open_session(graph), SPEC)
    read: list[tuple[int, int, int]] = []
    plain = decoder.read

    def counted(visual: FloatArray, ids: Any, past: int, answers: int) -> Any:
        read.append((len(visual), len(ids) - answers + 1, past))
        return plain(visual, ids, past, answers)

    decoder.read = counted  # type: ignore[method-assign]
    writer, first = GreedyWriter(decoder, END, LONGEST), []
    for which, question in ((0, [3, 4, 5]), (0, [3, 4, 6]), (0, [3, 4, 6]), (1, [3, 4, 6]), (2, [3])):
        read.clear()
        whole(writer.write(seen(which), question))
        first.append(read[0])
    # (rows of the picture, words, positions known before): all, the last word, the last word, the last row, all.
    assert first == [(4, 3, 0), (0, 1, 6), (0, 1, 6), (1, 3, 3), (4, 1, 0)]


def test_a_question_that_was_left_in_the_middle_does_no_harm(graph: Path, writer: GreedyWriter) -> None:
    expected = plainly(graph, 0, [9, 2])
    running = writer.write(seen(0), [9, 2], [1, 2, 3])
    next(running)
    running.close()

    assert whole(writer.write(seen(0), [9, 2], expected[0]))[0] == expected[0]


def test_reciting_gives_the_states_of_writing(graph: Path, writer: GreedyWriter) -> None:
    written, hidden = plainly(graph, 0, [9, 2])
    assert writer.recite(seen(0), [9, 2], written).tobytes() == hidden.tobytes()


def test_a_graph_of_another_size_than_the_manifest_says_is_refused(graph: Path) -> None:
    with pytest.raises(VlaError, match='key_0: expected shape'):
        decoder_of(open_session(graph), SPEC.model_copy(update={'context': 99}))


@pytest.mark.parametrize(
    ('draft', 'written', 'expected'),
    [
        ([1, 2, 3], [], [1, 2, 3]),
        ([1, 2, 3], [1], [2, 3]),
        ([1, 2, 3], [1, 2, 3], []),
        ([], [1], []),
        ([1, 2, 3, 2], [1, 9], [3, 9]),  # what moved has moved everywhere
        ([1, 2, 3, 4], [1, 8, 9, 2, 3], [4]),  # something was put in
        ([1, 2, 3, 4, 5], [1, 4, 5], []),  # something was left out
    ],
)
def test_a_draft_is_followed(draft: list[int], written: list[int], expected: list[int]) -> None:
    assert continuation(draft, written) == expected


@given(drafts, drafts)
def test_a_draft_that_was_right_so_far_goes_on_as_it_is(draft: list[int], rest: list[int]) -> None:
    assert continuation([*draft, *rest], draft) == rest


@pytest.mark.parametrize(
    ('count', 'expected'), [(0, []), (1, [1, 20]), (2, [1, 20, 21]), (9, [1, 20, 21, 2])]
)
def test_a_guess_ends_behind_a_place(count: int, expected: list[int]) -> None:
    assert through_places([1, 20, 21, 2], {20, 21}, count) == expected
