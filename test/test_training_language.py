"""System 2's language model: the cache changes nothing, positions are relative, labels say what is true."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip('torch')
transformers = pytest.importorskip('transformers')

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from tiny_eyes import tiny_eyes  # noqa: E402

from vla_ros.reasoning.prompt import prompt  # noqa: E402
from vla_ros.reasoning.subtask import DIRECTIONS  # noqa: E402
from vla_ros.reasoning.trace import Request, Sighting, read, write  # noqa: E402
from vla_ros.training.conversations import drawn, weights  # noqa: E402
from vla_ros.training.decoder import CachedDecoder, empty_cache, rotate  # noqa: E402
from vla_ros.training.labels import KINDS, Truth  # noqa: E402
from vla_ros.training.language import LanguageSize, LanguageTrainer, build_llava  # noqa: E402
from vla_ros.training.places import (  # noqa: E402
    locations,
    patches_of,
    place_embeddings,
    pointing_loss,
    word_losses,
)
from vla_ros.training.tokenizer import train_tokenizer  # noqa: E402
from vla_ros.types import Subtask, Verdict  # noqa: E402

BINS = 16
FREQUENCIES = 1e4 ** (-torch.arange(4) / 4)
NAMES = ['red cube', 'blue cube', 'green bowl']


@pytest.fixture(scope='module')
def truth() -> Truth:
    """200 scenes with two cubes and a bowl, one cube out of reach in every second; the hand is open."""
    rng = np.random.default_rng(0)
    centres = np.full((200, len(KINDS), 2), np.nan, np.float32)
    centres[:, [KINDS.index(name) for name in NAMES]] = rng.random((200, len(NAMES), 2))
    reach = np.ones((200, len(KINDS)), bool)
    reach[::2, KINDS.index('blue cube')] = False
    goals = rng.random((200, len(KINDS), len(DIRECTIONS), 2)).astype(np.float32)
    return Truth(centres, reach, goals, np.full(200, 0.6, np.float32), np.full(200, -1))


@pytest.fixture(scope='module')
def tokenizer(truth):
    rng = np.random.default_rng(0)
    said = [drawn(rng, truth, i, BINS) for i in range(200)]
    return train_tokenizer([one.prompt(BINS) + one.trace for one in said], BINS, 680)


@pytest.fixture(scope='module')
def llava(tokenizer):
    eyes = tiny_eyes()
    return build_llava(LanguageSize(width=32, layers=2, heads=2, feed_forward=64), eyes, tokenizer, 4).eval()


@torch.no_grad()
def test_decoding_with_the_cache_equals_reading_it_all_at_once(llava) -> None:
    decoder = CachedDecoder(llava)
    visual, ids = torch.randn(4, 24), torch.randint(10, 400, (9,))
    logits, hidden, _ = decoder(visual, ids, empty_cache(llava))
    _, _, cache = decoder(visual, ids[:3], empty_cache(llava))
    for i in range(3, 9):
        step_logits, step_hidden, cache = decoder(visual[:0], ids[i : i + 1], cache)
    torch.testing.assert_close(step_logits, logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(step_hidden[-1], hidden[-1], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_decoder_equals_transformers_llava(llava) -> None:
    pixels, ids = torch.randn(1, 3, 32, 32), torch.randint(10, 400, (7,))
    image = torch.full((4,), llava.config.image_token_index)
    expected = llava(input_ids=torch.cat([image, ids])[None], pixel_values=pixels).logits[0, -1]
    visual = llava.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-1][0]
    logits, hidden, _ = CachedDecoder(llava)(visual, ids, empty_cache(llava))
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    trained = LanguageTrainer(llava).hidden(visual[None], ids[None])[0]
    torch.testing.assert_close(trained, hidden, atol=1e-5, rtol=1e-5)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
@settings(max_examples=30, deadline=None)
def test_rotary_positions_are_relative(first: int, second: int, shift: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(1, 1, 8, generator=generator), torch.randn(1, 1, 8, generator=generator)

    def score(m: int, n: int) -> float:
        a, b = rotate(query, torch.tensor([m]), FREQUENCIES), rotate(key, torch.tensor([n]), FREQUENCIES)
        return float((a * b).sum())

    assert score(first, second) == pytest.approx(score(first + shift, second + shift), abs=2e-3)


def test_special_tokens_are_one_token_each_and_text_survives(tokenizer) -> None:
    text = prompt('Touch the façade!') + write(
        [Sighting('red cube', 0.1, 0.9)], Request((Subtask('touch', 'red cube'),)), BINS
    )
    ids = tokenizer(text)['input_ids']
    assert tokenizer.decode(ids) == text
    for token in (
        '<think>',
        '</think>',
        '<answer>',
        '</answer>',
        '<loc_001>',
        '<loc_014>',
        '<|user|>',
        '<|assistant|>',
    ):
        assert ids.count(tokenizer.convert_tokens_to_ids(token)) >= 1


def test_what_is_said_is_thought_as_it_is_true_of_the_scene(truth) -> None:
    rng = np.random.default_rng(1)
    verdicts = []
    for scene in range(200):
        said = drawn(rng, truth, scene, BINS)
        decision = read(said.trace, said.instruction, BINS, 'front')
        verdicts.append(decision.verdict)
        if decision.doing is not None and decision.doing.object:
            assert decision.doing.object in NAMES
            assert decision.doing.object != 'blue cube' or scene % 2
        if decision.subtask.startswith('there is no'):
            assert decision.subtask.removeprefix('there is no ') not in NAMES
        if 'out of reach' in decision.subtask:
            assert decision.subtask == 'the blue cube is out of reach' and scene % 2 == 0
        assert said.situation.hand == 'open'
    assert 0.3 < np.mean([v is Verdict.GO for v in verdicts]) < 0.8
    assert 0.0 < np.mean([v is Verdict.UNSURE for v in verdicts]) < 0.1


def test_the_words_that_decide_count_most_and_the_scene_least(tokenizer) -> None:
    trace = write([Sighting('red cube', 0.1, 0.9)], Request((Subtask('touch', 'red cube'),)), BINS)
    counted = dict(zip(tokenizer(trace)['input_ids'], weights(tokenizer, trace)))
    ids = tokenizer.convert_tokens_to_ids
    assert counted[ids('<think>')] < counted[ids('<answer>')] < max(counted.values())


def test_near_places_begin_more_alike_than_far_ones() -> None:
    torch.manual_seed(0)
    places = place_embeddings(64, 96)
    alike = torch.nn.functional.cosine_similarity(places[:, None], places[None], dim=-1)
    assert float(places.std()) == pytest.approx(1.0, abs=1e-3)
    assert (alike[32, 33:48].diff() < 0).all()
    assert float(alike[32, 33]) > 0.9


def test_a_place_next_to_the_true_one_costs_less_than_one_far_away_and_words_cost_what_they_cost() -> None:
    places = range(4, 20)
    labels = torch.tensor([12, 12, 1])
    logits = torch.full((3, 24), -10.0)
    logits[0, 13] = logits[1, 19] = logits[2, 2] = 10.0
    near, far, word = word_losses(logits, labels, places)
    assert near < far
    assert float(word) == pytest.approx(float(torch.nn.functional.cross_entropy(logits[2:], labels[2:])))


def test_the_place_that_costs_least_is_the_true_one() -> None:
    places = range(4, 20)
    costs = []
    for place in places:
        logits = torch.full((1, 24), -10.0)
        logits[0, place] = 10.0
        costs.append(float(word_losses(logits, torch.tensor([9]), places)))
    assert int(np.argmin(costs)) == 9 - places.start


def test_a_pair_of_locations_names_the_patch_that_it_lies_in() -> None:
    places = range(10, 26)  # 16 bins over 4 x 4 patches
    labels = torch.tensor([[1, 10 + 5, 10 + 15, 2, 10, 10, 10 + 15, 10 + 4]])
    # Columns and rows are 4 bins wide: (5, 15) is column 1, row 3; (0, 0) the first; (15, 4) column 3, row 1.
    assert patches_of(labels, places, 16).tolist() == [[-1, 13, 13, -1, 0, 0, 7, 7]]


def test_pointing_costs_nothing_when_all_attention_goes_where_it_should() -> None:
    patches = torch.tensor([[2, -1]])
    looks = torch.zeros(1, 2, 4)
    looks[0, 0, 2] = 1.0
    assert float(pointing_loss(looks, patches)) == pytest.approx(0.0, abs=1e-5)
    looks[0, 0] = 0.25
    assert float(pointing_loss(looks, patches)) == pytest.approx(np.log(4), abs=1e-4)


def test_the_loss_learns_from_places_and_pointing_alike(llava, tokenizer) -> None:
    trainer = LanguageTrainer(copy.deepcopy(llava), locations(tokenizer))
    trace = write([Sighting('red cube', 0.1, 0.9)], Request((Subtask('touch', 'red cube'),)), BINS)
    ids = tokenizer(prompt('touch it') + trace)['input_ids']
    weights = [1.0] * len(ids)
    batch = {'visual': torch.randn(1, 4, 24), 'ids': torch.tensor([ids]), 'labels': torch.tensor([ids])}
    optimiser = torch.optim.Adam(trainer.parameters(), lr=1e-2)
    losses = []
    for _ in range(30):
        out = trainer(**batch, weights=torch.tensor([weights]))
        out['loss'].backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append((float(out['loss'].detach()), float(out['pointing'])))
    assert losses[-1][0] < losses[0][0]
    assert losses[-1][1] < losses[0][1]
