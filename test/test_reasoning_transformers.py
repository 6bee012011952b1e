"""Checkpoints on disk as minds: official classes with random weights, loaded as a real one would be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('PIL')
pytest.importorskip('tokenizers')

import torch
import transformers as hf
from tiny_minds import write_llava, write_qwen, write_smolvlm

from vla_ros.bundle import load_bundle
from vla_ros.reasoning import transformers_reasoner
from vla_ros.reasoning.foreign import ForeignReasoner
from vla_ros.reasoning.onnx_reasoner import OnnxReasoner
from vla_ros.reasoning.prompt_file import load_prompt
from vla_ros.reasoning.transformers_reasoner import TransformersMind, TransformersSettings
from vla_ros.types import Situation, Verdict, VisualTokens, VlaError

IMAGE = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
TOKENS, LONG = 6, 600.0
GO = json.dumps({'think': 't', 'verdict': 'go', 'subtask': 'touch red cube', 'target': [0.5, 0.5]})


@pytest.fixture(scope='module')
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('llava')
    write_llava(folder)
    return folder


def mind(folder: Path, **changes: Any) -> TransformersMind:
    return TransformersMind(
        TransformersSettings(**{'path': str(folder), 'timeout': LONG, 'max_tokens': TOKENS, **changes})
    )


def written(thinker: TransformersMind) -> str:
    """All that a mind writes until it is cut off, which with random weights it is."""
    heard: list[str] = []
    with pytest.raises(VlaError, match=f'cut off after {TOKENS} tokens'):
        thinker.answer('be good', 'touch it', IMAGE, heard.append)
    assert len(heard) == TOKENS + 1
    return heard[-1]


def generated(folder: Path, kind: Any) -> str:
    """What the official class writes greedily, without anything of this package."""
    processor = hf.AutoProcessor.from_pretrained(folder)
    model = kind.from_pretrained(folder)
    words = [
        {'role': 'system', 'content': [{'type': 'text', 'text': 'be good'}]},
        {'role': 'user', 'content': [{'type': 'image'}, {'type': 'text', 'text': 'touch it'}]},
    ]
    text = processor.apply_chat_template(words, add_generation_prompt=True)
    inputs = processor(text=[text], images=[IMAGE], return_tensors='pt')
    ids = model.generate(**inputs, do_sample=False, max_new_tokens=TOKENS)[0]
    return str(processor.tokenizer.decode(ids[inputs['input_ids'].shape[1] :]))


def test_llava_writes_what_the_official_class_writes_greedily(llava: Path) -> None:
    assert written(mind(llava)) == generated(llava, hf.LlavaForConditionalGeneration)


@pytest.mark.parametrize(
    ('write', 'kind', 'needs'),
    [
        (write_qwen, 'Qwen2_5_VLForConditionalGeneration', ['torchvision']),
        (write_smolvlm, 'SmolVLMForConditionalGeneration', ['torchvision', 'num2words']),
    ],
)
def test_so_do_its_sisters(tmp_path: Path, write: Any, kind: str, needs: list[str]) -> None:
    for library in needs:
        pytest.importorskip(library)
    write(tmp_path)
    assert written(mind(tmp_path)) == generated(tmp_path, getattr(hf, kind))


def test_without_the_cache_it_writes_the_same(llava: Path) -> None:
    assert written(mind(llava, kv_cache=False)) == written(mind(llava))


def test_a_dtype_is_that_of_the_weights(llava: Path) -> None:
    assert mind(llava, dtype='bfloat16')._model.dtype == torch.bfloat16
    assert mind(llava)._model.dtype == torch.float32


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'path': ''}, 'transformers_path: expected a folder with config.json'),
        ({'path': '/nowhere/some/model'}, 'transformers_path'),
        ({'device': 'abacus'}, 'could not be loaded on abacus'),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(
    llava: Path, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(VlaError, match=words):
        mind(llava, **changes)


def test_weights_that_are_a_pickle_are_not_opened(llava: Path, tmp_path: Path) -> None:
    for file in llava.iterdir():
        if file.suffix != '.safetensors':
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / 'pytorch_model.bin').write_bytes(b'not even a pickle')
    with pytest.raises(VlaError, match='safetensors'):
        mind(tmp_path)


def test_code_that_a_checkpoint_brings_is_not_run(llava: Path, tmp_path: Path) -> None:
    for file in llava.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / 'config.json').read_text())
    config['model_type'], config['auto_map'] = 'unheard_of', {'AutoConfig': 'mine.Config'}
    (tmp_path / 'config.json').write_text(json.dumps(config))
    (tmp_path / 'mine.py').write_text(f'open({str(tmp_path / "ran")!r}, "w")\nclass Config: pass\n')
    with pytest.raises(VlaError, match='could not be loaded'):
        mind(tmp_path)
    assert not (tmp_path / 'ran').exists()


def test_an_answer_that_takes_too_long_is_given_up(llava: Path) -> None:
    with pytest.raises(VlaError, match='in time'):
        mind(llava, timeout=0.0).answer('', 'touch', IMAGE, lambda _: None)


def test_who_hears_it_may_end_it(llava: Path) -> None:
    class PreemptedError(Exception):
        pass

    def on_text(text: str) -> None:
        if text:
            raise PreemptedError

    with pytest.raises(PreemptedError):
        mind(llava).answer('', 'touch', IMAGE, on_text)


def test_a_go_of_a_checkpoint_drives_the_body_of_the_bundle(
    llava: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights are random, so what ``generate`` draws is put in their place."""
    bundle = load_bundle(Path(__file__).parent.parent / 'models' / 'tabletop')
    thinker = mind(llava)
    end = thinker._ends[0]
    ids = [*thinker._processor.tokenizer.encode(GO, add_special_tokens=False), end]

    def generate(*, streamer: Any, input_ids: Any, **_: Any) -> None:
        for token in (input_ids, *(torch.tensor([i]) for i in ids)):
            streamer.put(token)

    monkeypatch.setattr(thinker._model, 'generate', generate)
    reasoner = ForeignReasoner(bundle, thinker, load_prompt('json'), lambda _: IMAGE, OnnxReasoner(bundle))
    shape = (bundle.manifest.tokens.rows, bundle.manifest.tokens.width)
    situation = Situation('open') if bundle.manifest.reasoning.hand is not None else None
    decision, thought = reasoner.think(
        VisualTokens(5, np.zeros(shape, np.float32)), 'touch the red one', None, situation
    )

    assert (decision.verdict, decision.subtask) == (Verdict.GO, 'touch red cube')
    assert not thought.holds_still


def test_the_file_imports_without_torch() -> None:
    names = set(vars(transformers_reasoner))
    assert not names & {'torch', 'transformers', 'peft'}
