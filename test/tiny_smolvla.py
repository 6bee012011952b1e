"""A tiny SmolVLA checkpoint on disk with random weights, in the names and files that LeRobot 0.4 writes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from safetensors.torch import save_file
from tiny_minds import tokenizer
from torch import nn

HORIZON, JOINTS, WORDS = 6, 2, 40
IMAGES = ('observation.images.camera1', 'observation.images.camera2')
MEAN, STD = [1.0, -2.0], [0.5, 3.0]
CONFIG: dict[str, Any] = {
    'type': 'smolvla',
    'n_obs_steps': 1,
    'chunk_size': HORIZON,
    'n_action_steps': HORIZON,
    'input_features': {
        'observation.state': {'type': 'STATE', 'shape': [JOINTS]},
        **{key: {'type': 'VISUAL', 'shape': [3, 48, 64]} for key in IMAGES},
    },
    'output_features': {'action': {'type': 'ACTION', 'shape': [JOINTS]}},
    'normalization_mapping': {'VISUAL': 'IDENTITY', 'STATE': 'MEAN_STD', 'ACTION': 'MEAN_STD'},
    'max_state_dim': 5,
    'max_action_dim': 4,
    'resize_imgs_with_padding': [32, 32],
    'empty_cameras': 0,
    'adapt_to_pi_aloha': False,
    'use_delta_joint_actions_aloha': False,
    'tokenizer_max_length': WORDS,
    'num_steps': 10,
    'add_image_special_tokens': False,
    'attention_mode': 'cross_attn',
    'prefix_length': -1,
    'num_expert_layers': -1,
    'num_vlm_layers': 4,
    'self_attn_every_n_layers': 2,
    'expert_width_multiplier': 0.75,
    'min_period': 4e-3,
    'max_period': 4.0,
}


def vlm_config() -> Any:
    """Of SmolVLM: grouped heads, whose width is not that of the model over their number in the expert."""
    words = tokenizer('<image>', '<fake_token_around_image>', '<global-img>')
    text = {
        'model_type': 'llama',
        'hidden_size': 32,
        'intermediate_size': 48,
        'num_hidden_layers': 5,
        'num_attention_heads': 4,
        'num_key_value_heads': 2,
        'head_dim': 8,
        'vocab_size': len(words),
        'rope_theta': 100_000.0,
        'pad_token_id': words.pad_token_id,
    }
    vision = {
        'hidden_size': 24,
        'intermediate_size': 40,
        'num_hidden_layers': 2,
        'num_attention_heads': 3,
        'image_size': 32,
        'patch_size': 4,
        'hidden_act': 'gelu_pytorch_tanh',
    }
    return hf.SmolVLMConfig(
        text_config=text, vision_config=vision, scale_factor=4, pad_token_id=words.pad_token_id
    )


def write_vlm(folder: Path) -> Path:
    """What an import wants of the vision-language model: its sizes and its tokenizer."""
    vlm_config().save_pretrained(folder)
    tokenizer('<image>', '<fake_token_around_image>', '<global-img>').save_pretrained(folder)
    return folder


def random_weights() -> dict[str, torch.Tensor]:
    """Of transformers' own classes, by the names that they have inside of LeRobot's."""
    torch.manual_seed(1)
    config = vlm_config()
    vlm = hf.SmolVLMForConditionalGeneration(config)
    layers = CONFIG['num_vlm_layers']
    vlm.model.text_model.layers = vlm.model.text_model.layers[:layers]
    narrow = copy.deepcopy(config.text_config)
    narrow.hidden_size, narrow.intermediate_size, narrow.num_hidden_layers = 24, 256, layers
    expert = hf.AutoModel.from_config(narrow)
    for number in range(1, layers, 2):
        for kind in ('k_proj', 'v_proj'):
            setattr(expert.layers[number].self_attn, kind, nn.Linear(16, 16, bias=False))
    del expert.embed_tokens
    own = {
        'state_proj': nn.Linear(CONFIG['max_state_dim'], 32),
        'action_in_proj': nn.Linear(CONFIG['max_action_dim'], 24),
        'action_out_proj': nn.Linear(24, CONFIG['max_action_dim']),
        'action_time_mlp_in': nn.Linear(48, 24),
        'action_time_mlp_out': nn.Linear(24, 24),
    }
    parts = {'vlm_with_expert.vlm': vlm, 'vlm_with_expert.lm_expert': expert, **own}
    return {
        f'model.{part}.{name}': tensor.detach().float().contiguous().clone()
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
        if 'lm_head' not in name
    }


def write_processors(folder: Path) -> None:
    """Pre- and postprocessor with their statistics, as LeRobot's pipelines save them."""
    steps = ['rename_observations_processor', 'to_batch_processor', 'smolvla_new_line_processor']
    steps += ['tokenizer_processor', 'device_processor', 'normalizer_processor']
    for name, names in (
        ('preprocessor', steps),
        ('postprocessor', ['unnormalizer_processor', 'device_processor']),
    ):
        entries: list[dict[str, Any]] = []
        for number, step in enumerate(names):
            entries.append({'registry_name': step, 'config': {}})
            if 'normalizer' in step:
                entries[-1]['state_file'] = f'policy_{name}_step_{number}_{step}.safetensors'
                tensors = {
                    f'{key}.{what}': torch.tensor(value)
                    for key in ('observation.state', 'action')
                    for what, value in (('mean', MEAN), ('std', STD))
                }
                save_file(tensors, folder / entries[-1]['state_file'])
        content = {'name': f'policy_{name}', 'steps': entries}
        (folder / f'policy_{name}.json').write_text(json.dumps(content))


def write_smolvla(folder: Path, vlm: Path, **changes: Any) -> Path:
    """The whole checkpoint; ``changes`` go into its config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'config.json').write_text(json.dumps({**CONFIG, 'vlm_model_name': str(vlm), **changes}))
    save_file(random_weights(), folder / 'model.safetensors')
    write_processors(folder)
    return folder
