"""The corpus and the decoder that reads it: clean text, packed rows, and what attention may and may not see."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip('torch')
pytest.importorskip('transformers')

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb  # noqa: E402

from vla_ros.training import corpus, corpus_sources, language_report  # noqa: E402
from vla_ros.training.causal import CausalTrainer, token_losses  # noqa: E402
from vla_ros.training.corpus import HELD_OUT, Seen, collect_corpus, digest, is_held_out, load_part  # noqa: E402
from vla_ros.training.corpus_sources import GENERAL, Source  # noqa: E402
from vla_ros.training.dialogues import dialogues  # noqa: E402
from vla_ros.training.llama import (  # noqa: E402
    LanguageSize,
    foundation,
    load_decoder,
    new_decoder,
    save_decoder,
)
from vla_ros.training.packing import IGNORED, pack, token_stream  # noqa: E402
from vla_ros.training.plain_text import clean, gcide, is_prose, manual, page, wordnet  # noqa: E402
from vla_ros.training.tokenizer import BOUNDARY, train_tokenizer  # noqa: E402
from vla_ros.types import VlaError  # noqa: E402

SIZE = LanguageSize(width=32, layers=2, heads=2, feed_forward=64, context=32)
TEXTS = [dialogue.text for dialogue in dialogues(60, 400_000)]


@pytest.fixture(scope='module')
def tokenizer():
    return train_tokenizer(TEXTS, 16, 720)


@pytest.fixture(scope='module')
def decoder(tokenizer):
    torch.manual_seed(0)
    return new_decoder(SIZE, tokenizer).eval()


def test_special_tokens_of_actions_and_documents_are_one_token_each(tokenizer) -> None:
    ids = tokenizer(f'<act_000><act_255>{BOUNDARY}<loc_003>')['input_ids']
    assert tokenizer.convert_ids_to_tokens(ids) == ['<act_000>', '<act_255>', BOUNDARY, '<loc_003>']


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(4, 32))
@settings(max_examples=60, deadline=None)
def test_packing_keeps_every_token_in_order_and_begins_positions_anew_with_each_document(
    lengths: list[int], length: int
) -> None:
    boundary = 0
    stream = np.concatenate([[boundary, *range(1, n + 1), boundary] for n in lengths])
    packed = pack(stream, length, boundary)
    rows = len(stream) // length
    assert packed.ids.shape == (rows, length)
    np.testing.assert_array_equal(packed.ids.ravel(), stream[: rows * length])
    if not rows:
        return
    assert (packed.positions[:, 0] == 0).all()
    steps = packed.positions[:, 1:] - packed.positions[:, :-1]
    # One further, or back at a document's beginning, which is a boundary token after a boundary token.
    begins = (packed.ids[:, 1:] == boundary) & (packed.ids[:, :-1] == boundary)
    np.testing.assert_array_equal(packed.positions[:, 1:] == 0, begins)
    assert (steps[~begins] == 1).all()
    assert (packed.labels[packed.positions == 0] == IGNORED).all()


@torch.no_grad()
def test_no_token_attends_to_another_document(decoder, tokenizer) -> None:
    boundary = tokenizer.convert_tokens_to_ids(BOUNDARY)
    first, second = token_stream(['a red cube'], tokenizer), token_stream(['pick it up'], tokenizer)
    other = np.where(first == boundary, boundary, first[::-1])
    together, changed = (
        pack(np.concatenate([start, second]), len(first) + len(second), boundary) for start in (first, other)
    )
    alone = pack(second, len(second), boundary)

    def logits(packed):
        return decoder(
            input_ids=torch.from_numpy(packed.ids),
            position_ids=torch.from_numpy(packed.positions),
            use_cache=False,
        ).logits[0, -len(second) :]

    assert not np.array_equal(first, other)
    torch.testing.assert_close(logits(together), logits(changed), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits(together), logits(alone), atol=1e-5, rtol=1e-5)


@given(st.integers(1, 15), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
@torch.no_grad()
def test_later_tokens_do_not_change_earlier_logits(decoder, cut: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 700, (1, 16), generator=generator)
    changed = ids.clone()
    changed[:, cut:] = torch.randint(0, 700, (1, 16 - cut), generator=generator)
    before, after = (decoder(input_ids=x, use_cache=False).logits[:, :cut] for x in (ids, changed))
    torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-5)


@given(st.integers(1, 15), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
@torch.no_grad()
def test_cached_decoding_equals_a_full_forward(decoder, cut: int, seed: int) -> None:
    ids = torch.randint(0, 700, (1, 16), generator=torch.Generator().manual_seed(seed))
    full = decoder(input_ids=ids, use_cache=False).logits
    read = decoder(input_ids=ids[:, :cut], use_cache=True)
    found = [read.logits]
    for i in range(cut, 16):
        read = decoder(input_ids=ids[:, i : i + 1], past_key_values=read.past_key_values, use_cache=True)
        found.append(read.logits)
    torch.testing.assert_close(torch.cat(found, 1), full, atol=1e-4, rtol=1e-4)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 300))
@settings(max_examples=30, deadline=None)
def test_scores_of_the_decoders_rotary_positions_depend_on_the_distance_alone(
    decoder, m: int, n: int, shift: int
) -> None:
    query, key = torch.randn(2, 1, 1, 1, 16, generator=torch.Generator().manual_seed(1))

    def score(first: int, second: int) -> float:
        cos, sin = decoder.model.rotary_emb(query, torch.tensor([[first, second]]))
        turned, _ = apply_rotary_pos_emb(query, query, cos[:, :1], sin[:, :1])
        _, other = apply_rotary_pos_emb(key, key, cos[:, 1:], sin[:, 1:])
        return float((turned * other).sum())

    assert score(m, n) == pytest.approx(score(m + shift, n + shift), abs=2e-3)


@torch.no_grad()
def test_the_loss_is_the_mean_negative_log_probability_of_the_labels(decoder, tokenizer) -> None:
    rows = pack(token_stream(TEXTS[:4], tokenizer), 32, tokenizer.convert_tokens_to_ids(BOUNDARY))
    ids, positions, labels = (torch.from_numpy(x) for x in (rows.ids, rows.positions, rows.labels))
    scores = decoder(input_ids=ids, position_ids=positions, use_cache=False).logits.log_softmax(-1)
    expected = [
        -float(scores[r, c - 1, labels[r, c]])
        for r in range(len(ids))
        for c in range(1, 32)
        if labels[r, c] != IGNORED
    ]
    assert float(CausalTrainer(decoder)(ids, positions, labels)['loss']) == pytest.approx(
        np.mean(expected), rel=1e-4
    )
    assert float(token_losses(decoder, ids, positions, labels).sum()) == pytest.approx(
        sum(expected), rel=1e-4
    )


def test_a_checkpoint_is_read_back_and_another_tokenizer_is_refused(
    decoder, tokenizer, tmp_path: Path
) -> None:
    save_decoder(decoder, tokenizer, tmp_path / 'cpt')
    ids = torch.arange(12)[None]
    torch.testing.assert_close(load_decoder(tmp_path / 'cpt', tokenizer)(ids).logits, decoder(ids).logits)
    other = train_tokenizer(['quite other words than those', 'and others still'], 16, 700)
    with pytest.raises(VlaError, match='train it with this tokenizer'):
        load_decoder(tmp_path / 'cpt', other)
    with pytest.raises(VlaError, match='vla_ros train pretrain'):
        load_decoder(tmp_path / 'pretrain')


def test_fine_tuning_goes_on_from_the_last_stage_of_the_right_size(
    decoder, tokenizer, tmp_path: Path
) -> None:
    assert foundation(tmp_path, tokenizer, SIZE) is None
    save_decoder(decoder, tokenizer, tmp_path / 'pretrain')
    later = copy.deepcopy(decoder)
    later.model.norm.weight.data.fill_(2.0)
    save_decoder(later, tokenizer, tmp_path / 'cpt')
    found = foundation(tmp_path, tokenizer, LanguageSize(**{**vars(SIZE), 'context': 64}))
    assert found is not None
    assert float(found.model.norm.weight.mean()) == 2.0
    assert found.config.max_position_embeddings == 64
    with pytest.raises(VlaError, match='hidden_size: expected 64, found 32'):
        foundation(tmp_path, tokenizer, LanguageSize(**{**vars(SIZE), 'width': 64}))


@pytest.mark.parametrize('scaling', language_report.SCALINGS)
@torch.no_grad()
def test_scaled_positions_keep_the_weights_and_read_twice_as_far(
    decoder, tokenizer, tmp_path: Path, scaling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language_report, 'LENGTH', 32)
    save_decoder(decoder, tokenizer, tmp_path)
    scaled = language_report.scaled_decoder(tmp_path, scaling).eval()
    ids = torch.randint(0, 700, (1, 64), generator=torch.Generator().manual_seed(0))
    far, plain = scaled(ids, use_cache=False).logits, decoder(ids, use_cache=False).logits
    assert bool(far.isfinite().all())
    # Only 'none' reads as before.
    assert torch.allclose(far, plain, atol=1e-5) == (scaling == 'none')


def test_documents_are_clean_prose(tmp_path: Path) -> None:
    assert clean('see {Robot}  at https://a.b/c\n\n\nnow') == 'see Robot at\nnow'
    assert not is_prose('next up previous contents')
    assert not is_prose('x = [1, 2, 3]; y = {4: 5}; z = f(x, y) + 6 * 7 // 8')
    (tmp_path / 'a.html').write_text(
        '<html><head><script>var a;</script></head><body><nav><p>Menu of the site here</p></nav>'
        '<p>The arm has <b>six</b> joints and a gripper.</p><pre>code();</pre></body></html>'
    )
    assert list(page(tmp_path / 'a.html')) == ['The arm has six joints and a gripper.']
    (tmp_path / 'a.9').write_text(
        '.TH PID 9\n.SH NAME\npid \\- a \\fBcontroller\\fR\n.P\nIt holds a\nposition.\n'
    )
    assert list(manual(tmp_path / 'a.9')) == ['NAME pid - a controller\nIt holds a position.']


def test_dictionaries_lose_their_apparatus_and_keep_what_they_say(tmp_path: Path) -> None:
    (tmp_path / 'g').write_text(
        'Arm \\Arm\\ ([aum]rm), n. [AS. [=a]rm, {see\n   more}.]\n   The limb of a robot.\n   [1913 Webster]\n\n'
        'Armful \\Arm"ful\\ (-f[usl]l), n.\n   As much as an arm can hold.\n'
    )
    assert list(gcide(tmp_path / 'g')) == ['Arm: The limb of a robot.', 'Armful: As much as an arm can hold.']
    (tmp_path / 'w').write_text(
        'arm\n    n 1: a limb that\n       ends in a hand; "his arm" [syn: {limb},\n'
        '         {branch}]\n    2: a weapon\n'
    )
    assert list(wordnet(tmp_path / 'w')) == ['arm: a limb that ends in a hand; "his arm"', 'arm: a weapon']


def test_what_is_said_twice_is_kept_once_and_never_on_both_sides() -> None:
    gloss = 'a limb that ends in a hand, and with it in five fingers'
    page_line = 'The same paragraph stands on every page of a manual.'
    seen = Seen()
    assert list(seen.fresh([f'arm: {gloss}', f'limb: {gloss}'])) == [f'arm: {gloss}']
    assert list(seen.fresh([page_line, f'{page_line}\nThis one is new and stands on this page alone.'])) == [
        page_line,
        'This one is new and stands on this page alone.',
    ]
    assert digest(f'arm: {gloss}') == digest(f'Limb: {gloss.upper()}')
    numbered = [f'document number {i} of the corpus' for i in range(4000)]
    assert (
        0.6 / HELD_OUT[GENERAL]
        < np.mean([is_held_out(t, GENERAL) for t in numbered])
        < 1.5 / HELD_OUT[GENERAL]
    )


def test_the_corpus_leaves_out_what_cannot_be_fetched_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / 'corpus' / 'packages' / 'dict-here'
    root.mkdir(parents=True)
    (root / 'a.txt').write_text(
        '\n\n'.join(f'This is paragraph number {i} of a real book.' for i in range(200))
    )
    monkeypatch.setattr(corpus, 'version', lambda package, folder: '1.0')
    here, gone = (
        Source(name, GENERAL, ('*.txt',), 'paragraphs', 'CC0') for name in ('dict-here', 'dict-gone')
    )

    def download(package: str, folder: Path) -> Path:
        if package == 'dict-gone':
            raise VlaError('apt-get download dict-gone: E: Unable to locate package')
        return folder / package

    monkeypatch.setattr(corpus, 'download', download)
    card = collect_corpus(tmp_path, 30, [here, gone])
    assert card == json.loads((tmp_path / 'corpus' / 'card.json').read_text())
    assert [source.get('version', 'missing') for source in card['sources'][:2]] == ['1.0', 'missing']
    train, test = load_part(tmp_path, 'general_train'), load_part(tmp_path, 'general_test')
    assert len(train) + len(test) == 200
    assert not set(train) & set(test)
    assert load_part(tmp_path, 'domain_train', written=True) == []
    assert len(load_part(tmp_path, 'domain_train')) > 20
    with pytest.raises(VlaError, match='no source could be fetched'):
        collect_corpus(tmp_path, 30, [gone])


def test_a_missing_tool_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(VlaError, match='apt-get is missing'):
        corpus_sources.download('dict-wn', tmp_path)
