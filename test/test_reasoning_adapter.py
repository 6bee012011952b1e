"""LoRA adapters as peft writes them, merged into a checkpoint on disk; what does not fit is refused whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip('torch')
pytest.importorskip('transformers')
pytest.importorskip('PIL')
pytest.importorskip('peft')

import peft
import transformers as hf
from safetensors.torch import load_file, save_file
from tiny_minds import write_llava
from torch import Tensor, equal, testing, zeros

from vla_ros.bundle import Bundle, sha256
from vla_ros.manifest import FileSpec
from vla_ros.reasoning.transformers_adapter import CONFIG, WEIGHTS, adapter_of
from vla_ros.reasoning.transformers_reasoner import TransformersMind, TransformersSettings
from vla_ros.types import VlaError


@pytest.fixture(scope='module')
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('llava')
    write_llava(folder)
    return folder


@pytest.fixture
def adapter(llava: Path, tmp_path: Path) -> Path:
    model = hf.LlavaForConditionalGeneration.from_pretrained(llava)
    config = peft.LoraConfig(r=2, target_modules=['q_proj', 'v_proj'], init_lora_weights=False)
    peft.get_peft_model(model, config).save_pretrained(tmp_path / 'adapter')
    return tmp_path / 'adapter'


def weights(llava: Path, adapter: str = '') -> dict[str, Tensor]:
    """What the backend computes with."""
    mind = TransformersMind(TransformersSettings(str(llava), adapter))
    return dict(mind._model.state_dict())


def test_the_adapter_is_merged_as_peft_merges_it(llava: Path, adapter: Path) -> None:
    model = hf.LlavaForConditionalGeneration.from_pretrained(llava)
    merged = peft.PeftModel.from_pretrained(model, adapter).merge_and_unload().state_dict()

    found, plain = weights(llava, str(adapter)), weights(llava)

    assert found.keys() == merged.keys() == plain.keys()
    for name, weight in merged.items():
        testing.assert_close(found[name], weight)
    changed = {name for name in plain if not equal(found[name], plain[name])}
    assert changed
    assert all(name.endswith(('q_proj.weight', 'v_proj.weight')) for name in changed)


def of_a_deeper_model(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    tensors |= {
        name.replace('layers.1.', 'layers.7.'): zeros(tensor.shape) for name, tensor in tensors.items()
    }
    save_file(tensors, folder / WEIGHTS)


def half_of_it(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    save_file({name: tensor for name, tensor in tensors.items() if 'layers.1.' not in name}, folder / WEIGHTS)


def of_a_wider_model(folder: Path) -> None:
    tensors = load_file(folder / WEIGHTS)
    save_file(
        {name: zeros((tensor.shape[0], 2 * tensor.shape[1])) for name, tensor in tensors.items()},
        folder / WEIGHTS,
    )


def of_other_modules(folder: Path) -> None:
    rewrite(folder, target_modules=['query_key_value'])


def that_is_a_prompt(folder: Path) -> None:
    rewrite(folder, peft_type='PROMPT_TUNING')


def garbage(folder: Path) -> None:
    (folder / CONFIG).write_text('[[[')


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / 'adapter_model.bin')


def rewrite(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **changes}))


@pytest.mark.parametrize(
    ('spoil', 'says'),
    [
        (of_a_deeper_model, r'found none for .*layers\.7'),
        (half_of_it, r'nothing for .*layers\.1'),
        (of_a_wider_model, 'does not fit the checkpoint'),
        (of_other_modules, 'does not fit the checkpoint'),
        (that_is_a_prompt, "peft_type: expected 'LORA'"),
        (garbage, 'could not be read'),
        (pickled, 'expected a folder with adapter_config.json and adapter_model.safetensors'),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    llava: Path, adapter: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(adapter)
    with pytest.raises(VlaError, match=f'transformers_adapter: .*{says}'):
        weights(llava, str(adapter))


def bundle(folder: Path, **files: str) -> Bundle:
    """A bundle that has just what is asked of it here."""
    specs = {key: FileSpec(path=path, sha256=sha256(folder / path)) for key, path in files.items()}
    manifest: Any = SimpleNamespace(name='tiny', files=specs)
    return Bundle(folder, manifest)


def test_a_bundle_may_name_an_adapter_among_its_files(adapter: Path) -> None:
    home = adapter.parent
    assert adapter_of(bundle(home)) == ''
    named = bundle(home, adapter=f'adapter/{WEIGHTS}', adapter_config=f'adapter/{CONFIG}')
    assert adapter_of(named) == str(adapter)

    rewrite(adapter, r=3)
    with pytest.raises(VlaError, match='was altered'):
        adapter_of(named)


def test_of_a_named_adapter_both_files_are_named_and_called_as_peft_calls_them(adapter: Path) -> None:
    home = adapter.parent
    with pytest.raises(VlaError, match=r'files\.adapter_config is missing'):
        adapter_of(bundle(home, adapter=f'adapter/{WEIGHTS}'))
    (home / 'other').mkdir()
    (adapter / CONFIG).rename(home / 'other' / CONFIG)
    with pytest.raises(VlaError, match='in one folder'):
        adapter_of(bundle(home, adapter=f'adapter/{WEIGHTS}', adapter_config=f'other/{CONFIG}'))
