"""The road as it is travelled: each stage goes on from the one before, and an interrupted one from its checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('peft')

from peft import PeftModel  # noqa: E402

from vla_ros.training import corpus, language_report, lora, pretrain  # noqa: E402
from vla_ros.training.corpus import collect_corpus  # noqa: E402
from vla_ros.training.corpus_sources import GENERAL, Source  # noqa: E402
from vla_ros.training.language_report import language_report as report  # noqa: E402
from vla_ros.training.llama import LanguageSize, load_decoder  # noqa: E402
from vla_ros.training.loop import Schedule  # noqa: E402
from vla_ros.training.tokenizer import train_tokenizer  # noqa: E402

LENGTH = 32
SIZE = LanguageSize(width=32, layers=2, heads=2, feed_forward=64, context=LENGTH)
SENTENCES = ('the arm moves to the cube', 'the hand opens over the bowl', 'nobody pushes the red plate today')


def schedule(steps: int, rate: float = 1e-2) -> Schedule:
    return Schedule(steps, batch=8, learning_rate=rate, warm_up=1, average=0.0)


@pytest.fixture(scope='module')
def out(tmp_path_factory: pytest.TempPathFactory):
    """A folder with a tiny corpus and its tokenizer."""
    folder = tmp_path_factory.mktemp('road')
    book = folder / 'corpus' / 'packages' / 'book'
    book.mkdir(parents=True)
    texts = [
        ' and then '.join(SENTENCES[(i + k * j) % 3] for j in range(12)) + f' {i} times'
        for k in (1, 2)
        for i in range(300)
    ]
    (book / 'a.txt').write_text('\n\n'.join(texts))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, 'version', lambda package, root: '1')
        collect_corpus(folder, 400, [Source('book', GENERAL, ('*.txt',), 'paragraphs', 'CC0')])
        train_tokenizer(corpus.sample_texts(folder, 100_000), 16, 800).save_pretrained(
            str(folder / 'tokenizer')
        )
        for module in (pretrain, language_report):
            patch.setattr(module, 'LENGTH', LENGTH)
        yield folder


def test_the_stages_follow_each_other_and_the_report_measures_them(out: Path) -> None:
    first = pretrain.train_pretrain(out, schedule(12), SIZE)
    assert json.loads((out / 'pretrain' / 'metrics.json').read_text()) == first
    # The same command again does nothing again; more steps go on from the checkpoint.
    weights = load_decoder(out / 'pretrain').state_dict()
    pretrain.train_pretrain(out, schedule(12), SIZE)
    for name, weight in load_decoder(out / 'pretrain').state_dict().items():
        torch.testing.assert_close(weight, weights[name])
    second = pretrain.train_cpt(out, schedule(10), replay=0.3)
    assert second['start'] == {key: first[key] for key in ('general', 'domain')}
    assert second['domain_perplexity_ratio'] < 1
    found = report(out)
    assert found['held_out']['general']['pretrain']['perplexity'] == first['general']['perplexity']
    assert found['ratios']['cpt over pretrain, domain'] == pytest.approx(
        second['domain_perplexity_ratio'], abs=1e-3
    )
    tokens = {row['tokens'] for row in found['held_out']['general'].values()}
    assert len(tokens) == 1  # everything is measured on the same ones
    assert found['context']['length'] == 2 * LENGTH
    assert set(found['context']['scaling']) == {'none', 'linear', 'dynamic', 'yarn'}


def test_adapters_learn_a_stage_and_open_with_peft(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretrain.train_pretrain(out, schedule(12), SIZE)
    monkeypatch.setattr(lora, 'LARGEST_SHARE', 0.05)  # a tiny model has few weights to be a share of
    pretrain.train_cpt(out, schedule(6), rank=1)
    ids = torch.arange(10, 30)[None]
    merged = load_decoder(out / 'lora_cpt')(ids).logits
    adapted = PeftModel.from_pretrained(load_decoder(out / 'pretrain'), str(out / 'lora_cpt' / 'adapter'))(
        ids
    ).logits
    torch.testing.assert_close(adapted, merged, atol=1e-5, rtol=0)
    assert not torch.allclose(load_decoder(out / 'pretrain')(ids).logits, merged, atol=1e-4)
