"""Tiny checkpoints of official classes with random weights, written to disk as the real ones are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

ROLES = ['<|system|>', '<|user|>', '<|assistant|>']
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}IMAGE{% else %}{{ c['text'] }}{% endif %}"
    '{% endfor %}{% endfor %}<|assistant|>'
)
SMALL: dict[str, Any] = {
    'hidden_size': 32,
    'intermediate_size': 64,
    'num_hidden_layers': 2,
    'num_attention_heads': 2,
}


def tokenizer(*special: str) -> Any:
    """Bytes, and a few special tokens."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token='<end>',
        pad_token='<pad>',
        additional_special_tokens=[*ROLES, *special],
    )


def write_llava(folder: Path) -> None:
    """LLaVA of SigLIP and Llama. Needs pillow alone."""
    words = tokenizer('<image>')
    ends = {'eos_token_id': words.eos_token_id, 'pad_token_id': words.pad_token_id}
    config = hf.LlavaConfig(
        vision_config=hf.SiglipVisionConfig(**SMALL, image_size=32, patch_size=16),
        text_config=hf.LlamaConfig(**SMALL, vocab_size=len(words), num_key_value_heads=2, **ends),
        image_token_index=words.convert_tokens_to_ids('<image>'),
        vision_feature_select_strategy='full',
        vision_feature_layer=-1,
        image_seq_length=4,
    )
    _write(hf.LlavaForConditionalGeneration, config, words, folder)
    images = hf.SiglipImageProcessor(size={'height': 32, 'width': 32})
    hf.LlavaProcessor(
        images,
        words,
        patch_size=16,
        vision_feature_select_strategy='full',
        chat_template=TEMPLATE.replace('IMAGE', '<image>'),
    ).save_pretrained(folder)


def write_qwen(folder: Path) -> None:
    """Qwen2.5-VL, of whose family Cosmos-Reason is. Needs torchvision."""
    marks = ('<|vision_start|>', '<|image_pad|>', '<|vision_end|>', '<|video_pad|>')
    words = tokenizer(*marks)
    start, image, end, video = (words.convert_tokens_to_ids(mark) for mark in marks)
    ends = {'eos_token_id': words.eos_token_id, 'pad_token_id': words.pad_token_id, 'bos_token_id': None}
    rope = {'rope_type': 'default', 'mrope_section': [2, 3, 3], 'rope_theta': 10_000.0}
    config = hf.Qwen2_5_VLConfig(
        text_config={
            **SMALL,
            **ends,
            'vocab_size': len(words),
            'num_key_value_heads': 2,
            'rope_parameters': rope,
        },
        vision_config={
            'depth': 2,
            'hidden_size': 32,
            'intermediate_size': 64,
            'num_heads': 2,
            'patch_size': 14,
            'out_hidden_size': 32,
            'fullatt_block_indexes': [1],
            'window_size': 56,
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    _write(hf.Qwen2_5_VLForConditionalGeneration, config, words, folder)
    images = hf.Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=112 * 112)
    template = TEMPLATE.replace('IMAGE', ''.join(marks[:3]))
    hf.Qwen2_5_VLProcessor(images, words, hf.Qwen2VLVideoProcessor(), chat_template=template).save_pretrained(
        folder
    )


def write_smolvlm(folder: Path) -> None:
    """SmolVLM. Needs torchvision and num2words."""
    rows = [f'<row_{row}_col_{column}>' for row in range(1, 5) for column in range(1, 5)]
    words = tokenizer('<image>', '<fake_token_around_image>', '<global-img>', '<end_of_utterance>', *rows)
    ends = {'eos_token_id': words.eos_token_id, 'pad_token_id': words.pad_token_id}
    text = {**SMALL, **ends, 'model_type': 'llama', 'vocab_size': len(words), 'num_key_value_heads': 2}
    config = hf.SmolVLMConfig(
        text_config=text,
        vision_config={**SMALL, 'image_size': 32, 'patch_size': 8},
        scale_factor=2,
        image_token_id=words.convert_tokens_to_ids('<image>'),
        pad_token_id=words.pad_token_id,
    )
    _write(hf.SmolVLMForConditionalGeneration, config, words, folder)
    size: dict[str, Any] = {'size': {'longest_edge': 64}, 'max_image_size': {'longest_edge': 32}}
    hf.SmolVLMProcessor(
        hf.SmolVLMImageProcessor(**size),
        words,
        hf.SmolVLMVideoProcessor(**size, fps=1),
        image_seq_len=4,
        chat_template=TEMPLATE.replace('IMAGE', '<image>'),
    ).save_pretrained(folder)


def _write(kind: Any, config: Any, words: Any, folder: Path) -> None:
    """Random weights that are the same each time, and the wishes of a checkpoint that samples."""
    torch.manual_seed(0)
    model = kind(config)
    wishes = {'do_sample': True, 'temperature': 0.9, 'eos_token_id': words.eos_token_id}
    model.generation_config.update(**wishes)
    model.save_pretrained(folder)
