"""Vocabulary surgery: new words, and not a bit of the old ones."""

from __future__ import annotations

import pytest

torch = pytest.importorskip('torch')
hf = pytest.importorskip('transformers')

from tiny_minds import SMALL, tokenizer  # noqa: E402

from vla_ros.action.action_tokens import ACTION_BINS, action_tokens  # noqa: E402
from vla_ros.training.surgery import add_action_tokens, require_same_rows  # noqa: E402
from vla_ros.types import VlaError  # noqa: E402


def llama(words: int, *, tied: bool):
    torch.manual_seed(0)
    config = hf.LlamaConfig(**SMALL, vocab_size=words, num_key_value_heads=2, tie_word_embeddings=tied)
    return hf.LlamaForCausalLM(config).eval()


def llava(words: int, *, tied: bool):
    torch.manual_seed(0)
    config = hf.LlavaConfig(
        vision_config=hf.SiglipVisionConfig(**SMALL, image_size=32, patch_size=16),
        text_config=hf.LlamaConfig(
            **SMALL, vocab_size=words, num_key_value_heads=2, tie_word_embeddings=tied
        ),
        image_token_index=3,
        image_seq_length=4,
        tie_word_embeddings=tied,
    )
    return hf.LlavaForConditionalGeneration(config).eval()


@pytest.mark.parametrize('make', [llama, llava])
@pytest.mark.parametrize('tied', [True, False])
def test_given_no_action_tokens_when_added_then_there_are_256_new_rows_and_the_old_ones_are_the_same(
    make, tied: bool
) -> None:
    words = tokenizer('<image>')
    model, known, ids = make(len(words), tied=tied), len(words), torch.arange(5, 20)[None]
    tables = [model.get_input_embeddings(), model.get_output_embeddings()]
    before = [table.weight.detach().clone() for table in tables]
    said = model(input_ids=ids).logits

    found = add_action_tokens(model, words)

    assert found == range(known, known + ACTION_BINS)
    assert words.convert_ids_to_tokens(list(found)) == action_tokens()
    assert words('<act_007>')['input_ids'] == [known + 7]
    for old, table in zip(before, [model.get_input_embeddings(), model.get_output_embeddings()]):
        assert table.weight.shape == (known + ACTION_BINS, SMALL['hidden_size'])
        assert torch.equal(table.weight[:known], old)
        torch.testing.assert_close(
            table.weight[known:], old.mean(0).expand(ACTION_BINS, -1), atol=1e-7, rtol=0
        )
    assert model.config.get_text_config().vocab_size == known + ACTION_BINS
    # What it said of the old words it still says, and a new word is never the likeliest.
    after = model(input_ids=ids).logits
    assert torch.equal(after[..., :known], said)
    assert (after.argmax(-1) < known).all()


def test_given_a_tokenizer_that_has_them_when_added_again_then_nothing_is_doubled() -> None:
    words = tokenizer()
    model = llama(len(words), tied=True)
    first = add_action_tokens(model, words)
    weights = model.get_input_embeddings().weight.detach().clone()
    assert add_action_tokens(model, words) == first
    assert torch.equal(model.get_input_embeddings().weight, weights)
    assert len(words) == first.stop


def test_given_a_tokenizer_that_has_them_and_a_model_without_when_added_then_only_rows_are_new() -> None:
    words = tokenizer()
    known = len(words)
    words.add_tokens(action_tokens(), special_tokens=True)
    model = llama(known, tied=True)
    assert add_action_tokens(model, words) == range(known, known + ACTION_BINS)
    assert model.get_input_embeddings().weight.shape[0] == known + ACTION_BINS


def test_given_some_of_the_tokens_when_added_then_it_is_refused() -> None:
    words = tokenizer(*action_tokens()[:10])
    with pytest.raises(VlaError, match='expected all 256 action tokens or none, found 10'):
        add_action_tokens(llama(len(words), tied=True), words)


def test_given_scattered_tokens_when_added_then_it_is_refused() -> None:
    words = tokenizer(*reversed(action_tokens()))
    with pytest.raises(VlaError, match='in the order of their bins'):
        add_action_tokens(llama(len(words), tied=True), words)


def test_a_row_that_was_altered_is_counted() -> None:
    before = torch.randn(5, 3)
    after = torch.cat([before, torch.zeros(2, 3)])
    require_same_rows(before, after)
    after[3, 1] += 1e-7
    with pytest.raises(VlaError, match='expected all 5 rows .* found 1 altered'):
        require_same_rows(before, after)
