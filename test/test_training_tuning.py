"""Preference optimisation, adapters and the pairs they learn from."""

from __future__ import annotations

import copy
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch')
transformers = pytest.importorskip('transformers')
pytest.importorskip('peft')

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from peft import PeftModel  # noqa: E402
from tiny_eyes import tiny_eyes  # noqa: E402

from vla_ros.bundle import sha256  # noqa: E402
from vla_ros.reasoning.subtask import DIRECTIONS  # noqa: E402
from vla_ros.reasoning.trace import read, sightings  # noqa: E402
from vla_ros.training import lora  # noqa: E402
from vla_ros.training.dpo import (  # noqa: E402
    DpoTrainer,
    Pairs,
    answer_log_probs,
    collate_pairs,
    dpo_losses,
    pair_log_probs,
)
from vla_ros.training.examples import Example, as_sample, draw_examples  # noqa: E402
from vla_ros.training.german import in_german, thing  # noqa: E402
from vla_ros.training.labels import KINDS, Truth  # noqa: E402
from vla_ros.training.language import IGNORED, LanguageTrainer, build_llava, collate  # noqa: E402
from vla_ros.training.llama import LanguageSize  # noqa: E402
from vla_ros.training.places import locations  # noqa: E402
from vla_ros.training.preferences import (  # noqa: E402
    INVENTED,
    OBEYED,
    REFUSED,
    WRONG_PLACE,
    acts,
    draw_preferences,
)
from vla_ros.training.stages import system2_folder  # noqa: E402
from vla_ros.training.text_answers import TextAnswers, dialogues  # noqa: E402
from vla_ros.training.tokenizer import BOUNDARY, train_tokenizer  # noqa: E402
from vla_ros.types import Verdict, VlaError  # noqa: E402

BINS = 32


def some_examples(scenes: int = 40) -> list[list[Example]]:
    rng = np.random.default_rng(0)
    centres = rng.random((scenes, len(KINDS), 2)).astype(np.float32)
    centres[rng.random((scenes, len(KINDS))) < 0.8] = np.nan
    reach = np.ones((scenes, len(KINDS)), bool)
    goals = rng.random((scenes, len(KINDS), len(DIRECTIONS), 2)).astype(np.float32)
    truth = Truth(centres, reach, goals, np.full(scenes, 0.6, np.float32), np.full(scenes, -1))
    return draw_examples(rng, truth, BINS, 6)


EXAMPLES = some_examples()


@pytest.fixture(scope='module')
def tokenizer():
    return train_tokenizer([e.prompt + e.trace for scene in EXAMPLES for e in scene], BINS, 760)


@pytest.fixture(scope='module')
def llava(tokenizer):
    eyes = tiny_eyes()
    size = LanguageSize(width=64, layers=2, heads=2, feed_forward=128)
    return build_llava(size, eyes, tokenizer, 4).eval()


def _pairs(tokenizer, count: int = 6) -> Pairs:
    drawn = draw_preferences(np.random.default_rng(1), EXAMPLES, BINS)[:count]
    looks = np.random.default_rng(2).standard_normal((len(EXAMPLES), 4, 24)).astype(np.float16)
    sides = [
        [as_sample(Example(p.scene, p.prompt, text), looks[p.scene], tokenizer) for p, text in chosen]
        for chosen in ([(p, p.chosen) for p in drawn], [(p, p.rejected) for p in drawn])
    ]
    return Pairs(*sides, np.zeros((count, 2)))


@given(*(st.floats(-50, 0) for _ in range(4)), st.floats(0.01, 1.0))
@settings(max_examples=60, deadline=None)
def test_the_loss_and_its_gradient_are_those_of_the_formula(
    c: float, r: float, rc: float, rr: float, beta: float
) -> None:
    chosen, rejected = (torch.tensor([x], dtype=torch.float64, requires_grad=True) for x in (c, r))
    loss = dpo_losses(chosen, rejected, torch.tensor([[rc, rr]], dtype=torch.float64), beta)
    loss.sum().backward()
    margin = beta * ((c - rc) - (r - rr))
    assert float(loss.detach()) == pytest.approx(math.log1p(math.exp(-margin)), rel=1e-6, abs=1e-9)
    # d loss / d log p(chosen) = -beta sigmoid(-margin), and the opposite for the rejected one.
    slope = beta / (1 + math.exp(margin))
    assert float(chosen.grad) == pytest.approx(-slope, rel=1e-6, abs=1e-12)
    assert float(rejected.grad) == pytest.approx(slope, rel=1e-6, abs=1e-12)


def test_a_model_that_is_its_own_reference_has_the_loss_of_a_coin(llava, tokenizer) -> None:
    trainer, pairs = LanguageTrainer(llava, locations(tokenizer)), _pairs(tokenizer)
    known = Pairs(pairs.chosen, pairs.rejected, pair_log_probs(trainer, pairs))
    loss = DpoTrainer(trainer, beta=0.3, anchor=0.0)(**collate_pairs([known[i] for i in range(len(known))]))[
        'loss'
    ]
    assert float(loss.detach()) == pytest.approx(math.log(2), abs=1e-4)


@torch.no_grad()
def test_an_answer_is_as_likely_as_its_tokens_one_after_the_other_whatever_the_padding(
    llava, tokenizer
) -> None:
    trainer, pairs = LanguageTrainer(llava, locations(tokenizer)), _pairs(tokenizer)
    batch = collate_pairs([pairs[i] for i in range(len(pairs))])
    padded = answer_log_probs(trainer, batch['visual'].repeat(2, 1, 1), batch['ids'], batch['labels'])
    sample = pairs.rejected[0]
    ids, visual = torch.tensor([sample['ids']]), torch.from_numpy(sample['visual'][None].astype(np.float32))
    scores = trainer.head(trainer.hidden(visual, ids)).log_softmax(-1)[0]
    expected = sum(float(scores[4 + i - 1, t]) for i, t in enumerate(sample['labels']) if t != IGNORED)
    assert float(padded[len(pairs)]) == pytest.approx(expected, abs=1e-3)


def test_training_prefers_what_was_chosen(llava, tokenizer) -> None:
    model = copy.deepcopy(llava)
    trainer, pairs = LanguageTrainer(model, locations(tokenizer)), _pairs(tokenizer, 4)
    before = pair_log_probs(trainer, pairs)
    learner = DpoTrainer(trainer, beta=0.5)
    batch = collate_pairs([pairs[i] for i in range(len(pairs))])
    batch['reference'] = torch.from_numpy(before).float()
    optimiser = torch.optim.Adam(learner.parameters(), lr=3e-3)
    for _ in range(8):
        learner(**batch)['loss'].backward()
        optimiser.step()
        optimiser.zero_grad()
    gained = pair_log_probs(trainer, pairs) - before
    assert (gained[:, 0] > gained[:, 1]).all()
    assert gained[:, 0].mean() > 0


def test_pairs_reject_what_is_wrong_in_the_way_that_they_say() -> None:
    drawn = draw_preferences(np.random.default_rng(0), EXAMPLES, BINS)
    assert {p.kind for p in drawn} == {WRONG_PLACE, INVENTED, OBEYED, REFUSED}
    for p in drawn:
        chosen, rejected = (read(text, '', BINS, 'front') for text in (p.chosen, p.rejected))
        seen = {s.name for s in sightings(p.chosen, BINS)}
        assert Verdict.UNSURE not in (chosen.verdict, rejected.verdict)
        if p.kind == WRONG_PLACE:
            assert (chosen.subtask, chosen.verdict) == (rejected.subtask, rejected.verdict)
            assert chosen.target != rejected.target
        elif p.kind == INVENTED:
            missing = chosen.subtask.removeprefix('there is no ')
            assert missing not in seen
            assert missing in {s.name for s in sightings(p.rejected, BINS)}
            assert rejected.verdict is Verdict.GO
            assert missing in rejected.subtask
        elif p.kind == OBEYED:
            assert (chosen.verdict, rejected.verdict) == (Verdict.REFUSED, Verdict.GO)
        else:
            assert (chosen.verdict, rejected.verdict) == (Verdict.GO, Verdict.REFUSED)
            assert acts(p.chosen)


def test_less_than_a_hundredth_learns_and_a_merged_model_equals_the_unmerged_one(
    llava, tokenizer, tmp_path: Path
) -> None:
    model, plain = copy.deepcopy(llava), copy.deepcopy(llava)
    trainer = LanguageTrainer(model, locations(tokenizer))
    visual, ids = torch.randn(1, 4, 24), torch.arange(20, 40)[None]
    before = trainer.hidden(visual, ids)
    adapted = lora.adapted(model, 1)
    assert 0 < lora.trainable_share(adapted) < lora.LARGEST_SHARE
    assert not any(p.requires_grad for n, p in adapted.named_parameters() if 'vision' in n or 'lora' not in n)
    torch.testing.assert_close(trainer.hidden(visual, ids), before)  # nothing learned yet
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if 'lora_B' in name:
                weight.normal_(0, 0.1)
    unmerged = trainer.hidden(visual, ids)
    assert float((unmerged - before).abs().max()) > 1e-3
    with adapted.disable_adapter():
        torch.testing.assert_close(trainer.hidden(visual, ids), before, atol=0, rtol=0)
    merged = lora.merged(adapted, tmp_path)
    torch.testing.assert_close(LanguageTrainer(merged).hidden(visual, ids), unmerged, atol=1e-5, rtol=0)
    # What peft wrote alone, put on the weights as they were, says the same.
    again = PeftModel.from_pretrained(plain, str(tmp_path)).merge_and_unload()
    for name, weight in merged.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], weight, atol=0, rtol=0)


def test_too_large_a_rank_is_no_small_part_any_more(llava) -> None:
    with pytest.raises(VlaError, match='less than 1 %'):
        lora.adapted(copy.deepcopy(llava), 32)


@torch.no_grad()
def test_a_text_without_a_picture_is_read_as_if_no_picture_stood_before_it(llava, tokenizer) -> None:
    said = TextAnswers(list(dialogues(2, 400_000)), tokenizer, (4, 24))
    sample = said[0]
    trainer = LanguageTrainer(llava, locations(tokenizer))
    batch = collate([sample, {**sample, 'visual': np.ones((4, 24), np.float16), 'seen': True}])
    assert batch['seen'].tolist() == [False, True]
    states = trainer._read(batch['visual'], batch['ids'], batch['seen']).last_hidden_state
    ids = torch.tensor([sample['ids']])
    alone = trainer.language(input_ids=ids, use_cache=False).last_hidden_state[0]
    torch.testing.assert_close(states[0, 4 : 4 + ids.shape[1]], alone, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(states[1, 4 : 4 + ids.shape[1]], alone, atol=1e-3)
    told = [i for i, label in zip(sample['ids'], sample['labels']) if label != IGNORED]
    assert tokenizer.decode(told).endswith(BOUNDARY)


def test_what_comes_after_uses_the_tuned_model_only_while_it_was_made_from_the_present_one(
    tmp_path: Path,
) -> None:
    for stage in ('language', 'dpo'):
        (tmp_path / stage).mkdir()
    weights = tmp_path / 'language' / 'model.safetensors'
    weights.write_bytes(b'one')
    assert system2_folder(tmp_path).name == 'language'
    start = {'start': {'language': sha256(weights)}}
    (tmp_path / 'dpo' / 'metrics.json').write_text(json.dumps(start))
    assert system2_folder(tmp_path).name == 'dpo'
    weights.write_bytes(b'trained again')
    assert system2_folder(tmp_path).name == 'language'


def test_german_says_what_the_trace_says() -> None:
    rng = np.random.default_rng(0)
    assert thing('red cube') == 'den roten Würfel'
    assert thing('purple bowl') == 'die lila Schüssel'
    for asked, words in {
        'touch red cube': ('den roten Würfel',),
        'put red cube in blue bowl, then go home': ('den roten Würfel', 'in die blaue Schüssel', ', dann '),
        'push green cylinder left': ('den grünen Zylinder', 'nach links'),
    }.items():
        said = in_german(rng, f'<think> i see nothing. asked: {asked}. so.')
        assert said is not None
        assert all(word in said for word in words)
        assert not re.search(r'[{}]', said)
    assert in_german(rng, '<think> i see nothing. asked: unknown.') is None
