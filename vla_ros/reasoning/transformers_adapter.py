"""A peft adapter (LoRA) for a checkpoint on disk: named by a parameter or by the bundle, merged when it is loaded.

peft takes what finds a module and says nothing of the rest: an adapter of a deeper model of the same family would be
applied in part. Here every tensor of the adapter must have found its place.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vla_ros.bundle import Bundle
from vla_ros.types import VlaError

CONFIG, WEIGHTS = 'adapter_config.json', 'adapter_model.safetensors'
PARAMETER = 'transformers_adapter'
SHOWN = 3  # names of tensors in a sentence
LARGEST_CONFIG = 2**20  # bytes


def adapter_of(bundle: Bundle) -> str:
    """The folder of the adapter among the bundle's files, checked against their checksums; '' if it has none.

    Raises:
        VlaError: one of its two files is not named, is not called as peft calls it, or was altered.
    """
    keys = ('adapter_config', 'adapter')
    named = [key for key in keys if key in bundle.manifest.files]
    if not named:
        return ''
    paths = [bundle.file(key) for key in keys]
    if [path.name for path in paths] != [CONFIG, WEIGHTS] or paths[0].parent != paths[1].parent:
        raise VlaError(
            f'files.adapter of bundle {bundle.manifest.name!r}: expected {CONFIG} and {WEIGHTS} in one folder, '
            f'found {[str(path) for path in paths]}'
        )
    return str(paths[0].parent)


def with_adapter(model: Any, folder: Path) -> Any:
    """The model with the adapter merged into its weights.

    Raises:
        VlaError: peft is not installed, the adapter is not LoRA, or not all of it fits the checkpoint.
    """
    try:
        from peft import PeftModel, get_peft_model_state_dict
        from safetensors import safe_open
    except ImportError as error:
        raise VlaError(f'{PARAMETER}: {error.name} is not installed; pip install vla_ros[train]') from error
    _require_lora(folder / CONFIG)
    try:
        with safe_open(str(folder / WEIGHTS), 'pt') as file:
            wanted = set(file.keys())
        adapted = PeftModel.from_pretrained(model, str(folder))
        found = set(get_peft_model_state_dict(adapted))
    except Exception as error:  # peft and torch raise whatever they stumble over
        raise VlaError(f'{PARAMETER}: {folder} does not fit the checkpoint: {first_line(error)}') from error
    _require_same(folder, wanted, found)
    return adapted.merge_and_unload()


def first_line(error: Exception) -> str:
    """What an error says, in a line."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _require_lora(path: Path) -> None:
    """Raise VlaError unless the adapter changes weights, as LoRA does, so that it can be merged into them."""
    try:
        if path.stat().st_size > LARGEST_CONFIG:
            raise ValueError(f'expected at most {LARGEST_CONFIG} bytes')
        config = json.loads(path.read_text('utf-8'))
        kind = config.get('peft_type') if isinstance(config, dict) else None
    except (OSError, ValueError, RecursionError) as error:
        raise VlaError(f'{PARAMETER}: {path} could not be read: {first_line(error)}') from error
    if kind != 'LORA':
        raise VlaError(
            f"{PARAMETER}: {path}: peft_type: expected 'LORA', which can be merged, found {kind!r:.40}"
        )


def _require_same(folder: Path, wanted: set[str], found: set[str]) -> None:
    homeless, missing = sorted(wanted - found), sorted(found - wanted)
    if homeless or missing:
        raise VlaError(
            f'{PARAMETER}: {folder} does not fit the checkpoint: expected a place for every tensor, '
            f'found none for {_some(homeless)}, and nothing for {_some(missing)}'
        )


def _some(names: Sequence[str]) -> str:
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return f'{list(names[:SHOWN])}{more}'
