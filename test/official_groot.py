"""Isaac-GR00T's own N1.7, tiny and random: its checkpoint, its ONNX export, and what it answers.

Not for the project's environment: scripts/compare_groot.sh makes one, and runs this there as a program. What
Isaac-GR00T needs for data sets and training is left out, and its export, which is written for CUDA, runs on the CPU.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from official_smolvla import KEPT  # noqa: F401  before anybody imports torchvision
from torch.overrides import TorchFunctionMode

EMBODIMENT, CAMERAS, HORIZON, ACTION = 'new_embodiment', ('front', 'wrist'), 6, 8
SIDE, PATCH, SELECTED = 32, 4, 4
ORDERS = ('Touch the red cube!', 'put it in the bowl')
SHAPES = ((48, 64), (32, 32), (128, 128))
SPECIAL = '<|im_start|> <|im_end|> <|vision_start|> <|vision_end|> <|image_pad|> <|video_pad|> <|endoftext|>'
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    '<|im_end|>\n{% endfor %}'
)


class OnCpu(TorchFunctionMode):
    """Takes 'cuda' for the CPU, wherever it is named."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if str(kwargs.get('device', '')).startswith('cuda'):
            kwargs['device'] = 'cpu'
        return function(*args, **kwargs)


def packages(source: Path) -> Any:
    """Isaac-GR00T's modules that are wanted, without those that they are packed with."""
    sys.path.insert(0, str(source))
    for name in ('gr00t.model', 'gr00t.data.dataset'):
        package = ModuleType(name)
        package.__path__ = [str(source / name.replace('.', '/'))]
        sys.modules[name] = package
    for name, wanted in (
        ('gr00t.data.dataset.lerobot_episode_loader', 'LeRobotEpisodeLoader'),
        ('gr00t.data.dataset.sharded_single_step_dataset', 'extract_step_data'),
    ):
        sys.modules[name] = module = ModuleType(name)
        setattr(module, wanted, lambda **_: [])
    sys.path.insert(0, str(source / 'scripts' / 'deployment'))
    import export_onnx_n1d7

    return export_onnx_n1d7


def write_vlm(folder: Path) -> Path:
    """A tiny Qwen3-VL with its processor, as the backbone loads them."""
    import transformers as hf
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(SPECIAL.split())
    words = hf.Qwen2TokenizerFast(tokenizer_object=made, eos_token='<|im_end|>', pad_token='<|endoftext|>')
    ids = {name: words.convert_tokens_to_ids(f'<|{name}|>') for name in ('image_pad', 'video_pad')}
    ids |= {name: words.convert_tokens_to_ids(f'<|{name}|>') for name in ('vision_start', 'vision_end')}
    config = hf.Qwen3VLConfig(
        text_config={
            'hidden_size': 32,
            'intermediate_size': 48,
            'num_hidden_layers': SELECTED + 2,
            'num_attention_heads': 4,
            'num_key_value_heads': 2,
            'head_dim': 8,
            'vocab_size': len(words),
            'rope_theta': 5_000_000,
            'rope_scaling': {'rope_type': 'default', 'mrope_section': [2, 1, 1], 'mrope_interleaved': True},
        },
        vision_config={
            'depth': 4,
            'hidden_size': 16,
            'intermediate_size': 24,
            'num_heads': 2,
            'patch_size': PATCH,
            'spatial_merge_size': 2,
            'temporal_patch_size': 2,
            'out_hidden_size': 32,
            'num_position_embeddings': 16,
            'deepstack_visual_indexes': [0, 1, 2],
        },
        image_token_id=ids['image_pad'],
        video_token_id=ids['video_pad'],
        vision_start_token_id=ids['vision_start'],
        vision_end_token_id=ids['vision_end'],
    )
    shaken(hf.Qwen3VLForConditionalGeneration(config)).save_pretrained(folder)
    small = {'patch_size': PATCH, 'merge_size': 2, 'temporal_patch_size': 2}
    means = {'image_mean': [0.5] * 3, 'image_std': [0.5] * 3}
    size = {'size': {'shortest_edge': SIDE * SIDE, 'longest_edge': 16 * SIDE * SIDE}}
    images = hf.Qwen2VLImageProcessorFast(**small, **means, **size)
    videos = hf.Qwen3VLVideoProcessor(**small, **means)
    hf.Qwen3VLProcessor(images, words, videos, chat_template=TEMPLATE).save_pretrained(folder)
    return folder


def shaken(model: Any) -> Any:
    """Its weights random, large enough that everything counts, and such that bfloat16 rounds none of them."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weights in model.parameters():
            spread = 0.7 / max(weights.shape[-1], 1) ** 0.5 if weights.ndim > 1 else 0.1
            if weights.ndim > 1 or float(weights.abs().max()) < 1e-6:
                weights.copy_(torch.randn(weights.shape, generator=generator) * spread)
            else:
                weights.add_(torch.randn(weights.shape, generator=generator) * spread)
            weights.copy_(weights.bfloat16())
    return model


def modalities() -> dict[str, Any]:
    """Two joints of the arm, relative; a gripper, absolute by its deviation; and one more angle in sines."""
    from gr00t.data.types import ActionConfig, ActionFormat, ActionRepresentation, ActionType, ModalityConfig

    def joints(representation: str, state: str | None = None) -> Any:
        kind = ActionRepresentation[representation]
        return ActionConfig(kind, ActionType.NON_EEF, ActionFormat.DEFAULT, state)

    return {
        'video': ModalityConfig([0], list(CAMERAS)),
        'state': ModalityConfig([0], ['arm', 'gripper', 'turn'], sin_cos_embedding_keys=['turn']),
        'action': ModalityConfig(
            list(range(HORIZON)),
            ['arm', 'gripper', 'turn'],
            mean_std_embedding_keys=['gripper'],
            action_configs=[joints('RELATIVE'), joints('ABSOLUTE'), joints('RELATIVE', 'turn')],
        ),
        'language': ModalityConfig([0], ['annotation.human.task_description']),
    }


def statistics() -> dict[str, Any]:
    """Relative ones a step, as N1.7 has them."""

    def of(low: Any, high: Any) -> dict[str, Any]:
        low, high = np.asarray(low, float), np.asarray(high, float)
        return {
            'min': (low - 0.1).tolist(),
            'max': (high + 0.2).tolist(),
            'mean': ((low + high) / 2 + 0.05).tolist(),
            'std': ((high - low) / 3).tolist(),
            'q01': low.tolist(),
            'q99': high.tolist(),
        }

    steps = np.arange(1, HORIZON + 1)[:, None]
    vectors = {'arm': of([-2.0, -1.0], [1.5, 2.5]), 'gripper': of([0.0], [100.0]), 'turn': of([-3.0], [3.0])}
    return {
        'state': vectors,
        'action': vectors,
        'relative_action': {
            'arm': of(-0.1 * steps * [1, 2], 0.2 * steps * [1, 1]),
            'turn': of(-0.3 * steps, 0.1 * steps),
        },
    }


def write_checkpoint(folder: Path, vlm: Path) -> Path:
    """As its training saves it."""
    from gr00t.configs.model.gr00t_n1d7 import Gr00tN1d7Config
    from gr00t.model.gr00t_n1d7.gr00t_n1d7 import Gr00tN1d7
    from gr00t.model.gr00t_n1d7.processing_gr00t_n1d7 import Gr00tN1d7Processor

    heads = {'num_attention_heads': 4, 'attention_head_dim': 6}
    sizes = {'max_state_dim': 10, 'max_action_dim': ACTION}
    config = Gr00tN1d7Config(
        model_name=str(vlm),
        backbone_embedding_dim=32,
        select_layer=SELECTED,
        use_flash_attention=False,
        **sizes,
        action_horizon=HORIZON + 2,
        hidden_size=20,
        input_embedding_dim=24,
        max_seq_len=16,
        max_num_embodiments=12,
        diffusion_model_cfg={
            **Gr00tN1d7Config().diffusion_model_cfg,
            **heads,
            'num_layers': 8,
            'output_dim': 20,
        },
        vl_self_attention_cfg={
            'num_attention_heads': 4,
            'attention_head_dim': 8,
            'num_layers': 2,
            'dropout': 0.1,
            'final_dropout': True,
            'positional_embeddings': None,
        },
    )
    shaken(Gr00tN1d7(config)).save_pretrained(folder)
    Gr00tN1d7Processor(
        modality_configs={EMBODIMENT: modalities()},
        statistics={EMBODIMENT: statistics()},
        use_percentiles=True,
        image_crop_size=None,
        image_target_size=[SIDE, SIDE],
        shortest_image_edge=SIDE,
        crop_fraction=0.95,
        use_albumentations=True,
        use_relative_action=True,
        apply_sincos_state_encoding=True,
        model_name=str(vlm),
        max_action_horizon=HORIZON + 2,
        **sizes,
    ).save_pretrained(folder)
    return folder


def questions() -> list[dict[str, Any]]:
    """Observations in a batch of one, as its policy takes them."""
    rng = np.random.default_rng(5)
    return [
        {
            'video': {
                name: rng.integers(0, 255, (1, 1, *shape, 3)).astype(np.uint8) for name in CAMERAS
            },
            'state': {
                'arm': rng.uniform(-3, 3, (1, 1, 2)).astype(np.float32),
                'gripper': rng.uniform(0, 100, (1, 1, 1)).astype(np.float32),
                'turn': rng.uniform(-3, 3, (1, 1, 1)).astype(np.float32),
            },
            'language': {'annotation.human.task_description': [[order]]},
        }
        for shape in SHAPES
        for order in ORDERS
    ]  # fmt: skip


def export(module: Any, policy: Any, checkpoint: Path, out: Path, *, single: bool) -> None:
    """Its own export, whole; torch 2.7, which it pins, exports by the older of two ways.

    Args:
        single: each of its functions is told not to use bfloat16, which it knows but its command does not offer.
    """
    older = torch.onnx.export
    told = {'use_bf16': False} if single else {}
    functions = {name: getattr(module, name) for name in vars(module) if name.startswith('export_')}
    with (
        mock.patch.multiple(
            module,
            **{
                name: lambda *a, _function=function, **k: _function(*a, **{**k, **told})
                for name, function in functions.items()
            },
        ),
        OnCpu(),
        mock.patch.object(torch.nn.Module, 'cuda', lambda self, *_: self),
        mock.patch.object(module, 'Gr00tPolicy', lambda **_: policy),
        mock.patch.object(module, 'prepare_observation', lambda *_, **__: questions()[0]),
        mock.patch.object(torch.onnx, 'export', lambda *a, **k: older(*a, **{**k, 'dynamo': False})),
    ):
        module.main(
            SimpleNamespace(
                model_path=str(checkpoint),
                dataset_path='',
                embodiment_tag=EMBODIMENT,
                output_dir=str(out),
                export_mode='full_pipeline',
                video_backend='',
                precision='bf16',
                batch_size=1,
            )
        )


def answers(policy: Any, noise: np.ndarray) -> dict[str, np.ndarray]:
    """By question and key what a policy in single precision was asked, and what it said."""
    found: dict[str, np.ndarray] = {}
    started = torch.from_numpy(noise)[None]
    head = sys.modules[type(policy.model.action_head).__module__]
    policies = sys.modules[type(policy).__module__]
    for number, question in enumerate(questions()):
        with (
            mock.patch.object(policies, '_rec_to_dtype', lambda values, dtype: values),
            mock.patch.object(head.torch, 'randn', lambda **_: started),
        ):
            actions, _ = policy.get_action(question)
        found |= {f'{number}/action/{key}': value[0] for key, value in actions.items()}
        for kind in ('video', 'state'):
            found |= {f'{number}/{kind}/{key}': value[0, 0] for key, value in question[kind].items()}
        found[f'{number}/order'] = np.array(next(iter(question['language'].values()))[0][0])
    return found


def main(source: Path, out: Path) -> None:
    """Write vlm, checkpoint, both exports, the noise and answers.npz into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(9).standard_normal((HORIZON + 2, ACTION)).astype(np.float32)
    np.save(out / 'noise.npy', noise)
    module = packages(source)
    from gr00t.policy.gr00t_policy import Gr00tPolicy
    from transformers import AutoModel

    torch.manual_seed(1)
    vlm = write_vlm(out / 'nvidia' / 'Cosmos-Reason2-2B')
    checkpoint = write_checkpoint(out / 'checkpoint', vlm)
    policy = Gr00tPolicy(EMBODIMENT, str(checkpoint), device='cpu')
    export(module, policy, checkpoint, out / 'export', single=False)
    policy.model = AutoModel.from_pretrained(
        checkpoint
    ).eval()  # the policy's own was rounded, tables and all
    export(module, policy, checkpoint, out / 'export_single', single=True)
    np.savez(out / 'answers.npz', **answers(policy, noise))
    print(json.dumps(sorted(path.name for path in (out / 'export').iterdir())))


if __name__ == '__main__':
    main(Path(sys.argv[1]), Path(sys.argv[2]))
