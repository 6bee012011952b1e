"""A SmolVLA checkpoint as LeRobot saves it (0.4 and later), read and checked before anything is made of it.

``config.json``, ``model.safetensors``, and ``policy_preprocessor.json`` and ``policy_postprocessor.json`` with the
statistics that they name. The sizes of its vision-language model, and its tokenizer, stand in that model's own folder.
What a checkpoint wants that is not done here is refused; nothing is left out without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from vla_ros.json_file import read_json
from vla_ros.training.smolvla import EXPERT, TEXT, VISION, Architecture
from vla_ros.types import VlaError

STATE, ACTION = 'observation.state', 'action'
HARMLESS = {
    'rename_observations_processor',
    'to_batch_processor',
    'smolvla_new_line_processor',
    'new_line_task_processor',
    'tokenizer_processor',
    'device_processor',
}
"""Steps that are done here, too, or that mean nothing to one robot."""
STATISTICS = {'normalizer_processor', 'unnormalizer_processor'}


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation a number, as LeRobot has them: ``(x - mean) / (std + 1e-8)``, ``y * std + mean``."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Checkpoint:
    """Everything that an import needs.

    Attributes:
        images: keys of the pictures, in the order in which the model sees them.
        words: tokens of an order at most.
        steps, shortest, longest: of the flow, and of the waves that tell its time.
        state, action: their statistics; as many numbers as the robot has.
    """

    architecture: Architecture
    weights: Mapping[str, Tensor]
    images: tuple[str, ...]
    words: int
    steps: int
    shortest: float
    longest: float
    state: Statistics
    action: Statistics
    tokenizer: Path


def read_checkpoint(folder: Path, vlm: Path | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        vlm: folder with config.json and tokenizer.json of the vision-language model; None if ``vlm_model_name`` of the
            checkpoint is a folder.

    Raises:
        VlaError: a file is missing, or the checkpoint wants what is not done here.
    """
    config = read_json(folder / 'config.json')
    _require(folder, config)
    try:
        return _read(folder, config, vlm)
    except (KeyError, TypeError, ValueError) as error:
        raise VlaError(
            f'{folder}: config.json of it or of its vlm: expected a key or a number, found none: {error!r}'
        ) from error


def _read(folder: Path, config: Mapping[str, Any], vlm: Path | None) -> Checkpoint:
    vlm = vlm or Path(str(config.get('vlm_model_name', '')))
    if not (vlm / 'config.json').is_file() or not (vlm / 'tokenizer.json').is_file():
        raise VlaError(
            f'{vlm}: expected the folder of the vision-language model, with config.json and tokenizer.json; '
            'name it with --vlm'
        )
    weights = _tensors(folder / 'model.safetensors')
    state, action = (
        _statistics(folder, file, key, kind)
        for file, key, kind in (
            ('policy_preprocessor.json', STATE, 'normalizer_processor'),
            ('policy_postprocessor.json', ACTION, 'unnormalizer_processor'),
        )
    )
    images = tuple(
        key
        for key, value in config['input_features'].items()
        if value.get('type') == 'VISUAL' and '.empty_camera_' not in key
    )
    if not images:
        raise VlaError(f'{folder}: config.json: input_features: expected pictures, found none')
    return Checkpoint(
        architecture=_architecture(config, read_json(vlm / 'config.json'), weights, vlm),
        weights=weights,
        images=images,
        words=int(config['tokenizer_max_length']),
        steps=int(config['num_steps']),
        shortest=float(config['min_period']),
        longest=float(config['max_period']),
        state=state,
        action=action,
        tokenizer=vlm / 'tokenizer.json',
    )


def _require(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse what the graphs do not do."""
    wanted: dict[str, tuple[Any, ...]] = {
        'type': ('smolvla',),
        'attention_mode': ('cross_attn',),
        'add_image_special_tokens': (False,),
        'adapt_to_pi_aloha': (False,),
        'use_delta_joint_actions_aloha': (False,),
        'n_obs_steps': (1,),
    }
    for key, allowed in wanted.items():
        if config.get(key) not in allowed:
            raise VlaError(
                f'{folder}: config.json: {key}: expected {allowed[0]!r}, found {config.get(key)!r}'
            )
    for kind in ('STATE', 'ACTION'):
        found = config.get('normalization_mapping', {}).get(kind)
        if found != 'MEAN_STD':
            raise VlaError(
                f"{folder}: config.json: normalization_mapping.{kind}: expected 'MEAN_STD', found {found!r}"
            )
    if config.get('normalization_mapping', {}).get('VISUAL', 'IDENTITY') != 'IDENTITY':
        raise VlaError(f"{folder}: config.json: normalization_mapping.VISUAL: expected 'IDENTITY'")


def _architecture(
    config: Mapping[str, Any], vlm: Mapping[str, Any], weights: Mapping[str, Tensor], folder: Path
) -> Architecture:
    text, vision = vlm['text_config'], vlm['vision_config']
    heads = int(text['num_attention_heads'])
    layers, expert = _count(weights, TEXT), _count(weights, EXPERT)
    if layers != expert or layers == 0:
        raise VlaError(
            f'{folder}: expected as many layers of the expert as of the language model, found {expert} and {layers}'
        )
    for key, wanted, found in (
        ('vision_config.hidden_act', 'gelu_pytorch_tanh', vision.get('hidden_act', 'gelu_pytorch_tanh')),
        ('text_config.hidden_act', 'silu', text.get('hidden_act', 'silu')),
        ('resize_imgs_with_padding', [vision['image_size']] * 2, config['resize_imgs_with_padding']),
    ):
        if wanted != found:
            raise VlaError(f'{folder}: {key}: expected {wanted!r}, found {found!r}')
    return Architecture(
        image_size=int(vision['image_size']),
        patch=int(vision['patch_size']),
        shuffle=int(vlm['scale_factor']),
        vision_layers=_count(weights, f'{VISION}.encoder'),
        vision_heads=int(vision['num_attention_heads']),
        vision_epsilon=float(vision.get('layer_norm_eps', 1e-6)),
        layers=layers,
        heads=heads,
        kv_heads=int(text.get('num_key_value_heads') or heads),
        head_width=int(text.get('head_dim') or text['hidden_size'] // heads),
        epsilon=float(text.get('rms_norm_eps', 1e-6)),
        self_every=int(config['self_attn_every_n_layers']),
        horizon=int(config['chunk_size']),
        state=int(config['max_state_dim']),
        action=int(config['max_action_dim']),
    )


def _count(weights: Mapping[str, Tensor], at: str) -> int:
    """Layers whose weights are there."""
    begin = f'{at}.layers.'
    return len({name[len(begin) :].split('.')[0] for name in weights if name.startswith(begin)})


def _statistics(folder: Path, file: str, key: str, kind: str) -> Statistics:
    """Of one vector, from the steps of a processor; every step must be one that is known."""
    steps = read_json(folder / file).get('steps', [])
    names = [step.get('registry_name') for step in steps]
    strange = [name for name in names if name not in HARMLESS | STATISTICS]
    if strange:
        raise VlaError(f'{folder / file}: expected steps of {sorted(HARMLESS | STATISTICS)}, found {strange}')
    state = next((step.get('state_file') for step in steps if step.get('registry_name') == kind), None)
    if not isinstance(state, str) or Path(state).name != state:
        raise VlaError(f'{folder / file}: expected a {kind} with a state_file beside it, found {state!r}')
    tensors = _tensors(folder / state)
    missing = [name for name in (f'{key}.mean', f'{key}.std') if name not in tensors]
    if missing:
        raise VlaError(
            f'{folder / state}: expected {missing[0]}; without it LeRobot does not normalise at all, and nobody is told'
        )
    mean, std = (tuple(map(float, tensors[f'{key}.{what}'].flatten())) for what in ('mean', 'std'))
    return Statistics(mean, std)


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except Exception as error:  # safetensors raises errors of its own
        raise VlaError(f'{path}: expected safetensors, found none ({error})') from error
