"""A tiny GR00T N1.7 on disk: export, checkpoint and vision-language model, by the names and shapes of Isaac-GR00T.

No code of it is here. The graphs compute something simple of all that they are given, and ``expected`` computes the
same with numpy; what is behind the real ones, scripts/compare_groot.sh compares.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

EMBODIMENT, EMBODIMENT_ID, EMBODIMENTS = 'new_embodiment', 3, 5
CAMERAS, SIDE, PATCH, MERGE, FRAMES = ('front', 'wrist'), 16, 4, 2, 2
TOKENS = (SIDE // PATCH // MERGE) ** 2
PATCHES = len(CAMERAS) * TOKENS * MERGE**2
PIXELS = 3 * FRAMES * PATCH**2
FEATURES, EMBEDDING, HIDDEN, STATE, ACTION, ROWS, HORIZON, DEEP = 12, 10, 9, 8, 6, 5, 4, 3
SPECIAL = ['<|im_start|>', '<|im_end|>', '<|vision_start|>', '<|vision_end|>', '<|image_pad|>']
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    '<|im_end|>\n{% endfor %}'
)
METADATA: dict[str, Any] = {
    'model_version': 'n1d7',
    'num_deepstack': DEEP,
    'action_horizon': ROWS,
    'max_action_dim': ACTION,
    'max_state_dim': STATE,
    'state_history_length': 1,
    'hidden_size': HIDDEN,
    'input_embedding_dim': EMBEDDING,
    'backbone_embedding_dim': FEATURES,
    'embodiment_tag': 'EmbodimentTag.NEW_EMBODIMENT',
    'export_mode': 'full_pipeline',
    'precision': 'bf16',
    'batch_size': 1,
}
CONFIG: dict[str, Any] = {'model_type': 'Gr00tN1d7', 'num_inference_timesteps': 4}
JOINT = {'type': 'NON_EEF', 'format': 'DEFAULT', 'state_key': None}
MODALITIES: dict[str, Any] = {
    'video': {'delta_indices': [0], 'modality_keys': list(CAMERAS)},
    'state': {'delta_indices': [0], 'modality_keys': ['arm', 'turn'], 'sin_cos_embedding_keys': ['turn']},
    'action': {
        'delta_indices': list(range(HORIZON)),
        'modality_keys': ['arm', 'turn'],
        'mean_std_embedding_keys': ['turn'],
        'action_configs': [{**JOINT, 'rep': 'RELATIVE'}, {**JOINT, 'rep': 'ABSOLUTE'}],
    },
    'language': {'delta_indices': [0], 'modality_keys': ['annotation.human.task_description']},
}
PROCESSOR: dict[str, Any] = {
    'modality_configs': {EMBODIMENT: MODALITIES},
    'image_crop_size': None,
    'image_target_size': [SIDE, SIDE],
    'shortest_image_edge': SIDE,
    'crop_fraction': 0.9,
    'use_albumentations': True,
    'formalize_language': True,
    'use_percentiles': True,
    'clip_outliers': True,
    'apply_sincos_state_encoding': True,
    'use_relative_action': True,
    'exclude_state': False,
}
PREPROCESSOR: dict[str, Any] = {
    'patch_size': PATCH,
    'merge_size': MERGE,
    'temporal_patch_size': FRAMES,
    'size': {'shortest_edge': SIDE * SIDE, 'longest_edge': 4 * SIDE * SIDE},
    'image_mean': [0.5, 0.5, 0.5],
    'image_std': [0.5, 0.5, 0.5],
}
GRAPHS = {
    'vit_fp32.onnx': """
        vit (float[P,X] pixel_values) => (float[N,F] image_embeds, float[D,N,F] deepstack_features) {
            tokens = Reshape (pixel_values, vit_shape)
            image_embeds = MatMul (tokens, vit)
            one = Unsqueeze (image_embeds, zero)
            deepstack_features = Mul (one, vit_scales)
        }""",
    'llm_bf16.onnx': """
        llm (bfloat16[1,seq,F] inputs_embeds, int64[1,seq] attention_mask, int64[3,1,seq] position_ids,
             bool[1,seq] visual_pos_masks, bfloat16[N,F] deepstack_0, bfloat16[N,F] deepstack_1,
             bfloat16[N,F] deepstack_2) => (bfloat16[1,seq,F] embeddings) {
            mixed = MatMul (inputs_embeds, llm)
            where = Cast <to = 16> (position_ids)
            place = Einsum <equation = "cbs,c->bs"> (where, llm_place)
            mask = Cast <to = 16> (attention_mask)
            noted = Add (place, mask)
            beside = Unsqueeze (noted, two)
            deep = Sum (deepstack_0, deepstack_1, deepstack_2)
            shown = ReduceSum <keepdims = 0> (deep, zero)
            visual = Cast <to = 16> (visual_pos_masks)
            seen = Einsum <equation = "bs,f->bsf"> (visual, shown)
            embeddings = Sum (mixed, beside, seen)
        }""",
    'vl_self_attention.onnx': """
        vlsa (bfloat16[1,seq,F] hidden_states) => (bfloat16[1,seq,F] output) {
            mixed = MatMul (hidden_states, vlsa)
            output = Tanh (mixed)
        }""",
    'state_encoder.onnx': """
        state (bfloat16[1,1,S] state, int64[1] embodiment_id) => (bfloat16[1,1,E] output) {
            own = Gather (state_weights, embodiment_id)
            output = MatMul (state, own)
        }""",
    'action_encoder.onnx': """
        action (bfloat16[1,R,A] actions, int64[1] timesteps, int64[1] embodiment_id) => (bfloat16[1,R,E] output) {
            own = Gather (action_weights, embodiment_id)
            mixed = MatMul (actions, own)
            time = Cast <to = 16> (timesteps)
            late = Mul (time, slow)
            output = Add (mixed, late)
        }""",
    'dit_bf16.onnx': """
        dit (bfloat16[1,C,E] sa_embs, bfloat16[1,seq,F] vl_embs, int64[1] timestep, bool[1,seq] image_mask,
             bool[1,seq] backbone_attention_mask) => (bfloat16[1,C,H] output) {
            own = MatMul (sa_embs, dit)
            images = And (image_mask, backbone_attention_mask)
            others = Not (image_mask)
            text = And (others, backbone_attention_mask)
            image_flags = Cast <to = 16> (images)
            text_flags = Cast <to = 16> (text)
            seen = Einsum <equation = "bs,bsf->bf"> (image_flags, vl_embs)
            read = Einsum <equation = "bs,bsf->bf"> (text_flags, vl_embs)
            from_seen = MatMul (seen, dit_seen)
            from_read = MatMul (read, dit_read)
            time = Cast <to = 16> (timestep)
            late = Mul (time, slow)
            all = Sum (own, from_seen, from_read, late)
            output = Tanh (all)
        }""",
    'action_decoder.onnx': """
        decoder (bfloat16[1,C,H] model_output, int64[1] embodiment_id) => (bfloat16[1,C,A] output) {
            own = Gather (decoder_weights, embodiment_id)
            output = MatMul (model_output, own)
        }""",
}
LENGTHS = {
    'P': PATCHES,
    'X': PIXELS,
    'N': len(CAMERAS) * TOKENS,
    'F': FEATURES,
    'D': DEEP,
    'S': STATE,
    'E': EMBEDDING,
    'R': ROWS,
    'A': ACTION,
    'C': ROWS + 1,
    'H': HIDDEN,
}


def weights(seed: int = 1) -> dict[str, np.ndarray]:
    """Random, and such that bfloat16 rounds none of them."""
    rng = np.random.default_rng(seed)
    shapes = {
        'vit': (MERGE**2 * PIXELS, FEATURES),
        'llm': (FEATURES, FEATURES),
        'llm_place': (3,),
        'vlsa': (FEATURES, FEATURES),
        'state_weights': (EMBODIMENTS, STATE, EMBEDDING),
        'action_weights': (EMBODIMENTS, ACTION, EMBEDDING),
        'dit': (EMBEDDING, HIDDEN),
        'dit_seen': (FEATURES, HIDDEN),
        'dit_read': (FEATURES, HIDDEN),
        'decoder_weights': (EMBODIMENTS, HIDDEN, ACTION),
        'words': (300, FEATURES),
        'places': (ROWS + 3, EMBEDDING),
        'scale': (FEATURES,),
        'bias': (FEATURES,),
    }
    found = {name: rng.normal(0.0, 0.3, shape) for name, shape in shapes.items()}
    found |= {'vit_scales': np.array([0.5, 1.0, 2.0]).reshape(DEEP, 1, 1), 'slow': np.array(2.0**-8)}
    return {name: torch.tensor(array).bfloat16().float().numpy() for name, array in found.items()}


def write_export(folder: Path, **changes: Any) -> Path:
    """Seven graphs and what the export says of them; ``changes`` go into the latter."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in GRAPHS.items():
        onnx.save(graph(text), folder / name)
    (folder / 'export_metadata.json').write_text(json.dumps({**METADATA, **changes}))
    return folder


def graph(text: str) -> onnx.ModelProto:
    """A graph with its weights, in bfloat16 if it is."""
    for letter, length in LENGTHS.items():
        text = text.replace(f'[{letter},', f'[{length},').replace(f',{letter},', f',{length},')
        text = text.replace(f',{letter}]', f',{length}]')
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 19]> {text}')
    half = 'bfloat16' in text
    integers = {'zero': np.array([0]), 'two': np.array([2])}
    integers['vit_shape'] = np.array([len(CAMERAS) * TOKENS, MERGE**2 * PIXELS])
    used = {name for node in model.graph.node for name in node.input}
    for name, array in integers.items():
        if name in used:
            model.graph.initializer.append(numpy_helper.from_array(array, name))
    for name, array in weights().items():
        if name in used:
            kind = TensorProto.BFLOAT16 if half else TensorProto.FLOAT
            model.graph.initializer.append(helper.make_tensor(name, kind, array.shape, array.flatten()))
    return model


def statistics() -> dict[str, Any]:
    """By percentiles and extremes that differ, so that a mistaken choice shows; relative ones a step."""

    def of(low: np.ndarray, high: np.ndarray) -> dict[str, Any]:
        spread = {'mean': (low + high) / 2, 'std': (high - low) / 4, 'min': low - 0.5, 'max': high + 0.25}
        return {name: array.tolist() for name, array in {**spread, 'q01': low, 'q99': high}.items()}

    steps = np.arange(1, HORIZON + 1)[:, None] * np.array([0.1, 0.2])
    vectors = {
        'arm': of(np.array([-1.0, -2.0]), np.array([1.0, 3.0])),
        'turn': of(np.array([-3.0]), np.array([3.0])),
    }
    return {'state': vectors, 'action': vectors, 'relative_action': {'arm': of(-steps, steps)}}


def write_checkpoint(
    folder: Path, config: Mapping[str, Any] | None = None, processor: Mapping[str, Any] | None = None
) -> Path:
    """As Isaac-GR00T saves it, with the tensors that its export leaves out, and one that it does not."""
    folder.mkdir(parents=True, exist_ok=True)
    made = weights()
    tensors = {
        'backbone.model.model.language_model.embed_tokens.weight': made['words'],
        'action_head.position_embedding.weight': made['places'],
        'action_head.vlln.weight': made['scale'],
        'action_head.vlln.bias': made['bias'],
        'action_head.state_encoder.layer1.W': made['state_weights'],
    }
    save_file({name: torch.tensor(array) for name, array in tensors.items()}, folder / 'model.safetensors')
    for name, content in (
        ('config.json', {**CONFIG, **(config or {})}),
        ('processor_config.json', {'processor_kwargs': {**PROCESSOR, **(processor or {})}}),
        ('statistics.json', {EMBODIMENT: statistics()}),
        ('embodiment_id.json', {EMBODIMENT: EMBODIMENT_ID}),
    ):
        (folder / name).write_text(json.dumps(content))
    return folder


def write_vlm(folder: Path, **changes: Any) -> Path:
    """Tokenizer, chat template and how pictures are cut; ``changes`` go into the last."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(SPECIAL)
    made.save(str(folder / 'tokenizer.json'))
    (folder / 'chat_template.jinja').write_text(TEMPLATE)
    (folder / 'preprocessor_config.json').write_text(json.dumps({**PREPROCESSOR, **changes}))
    return folder


def expected(
    pixels: np.ndarray, ids: np.ndarray, places: np.ndarray, state: np.ndarray, started: np.ndarray
) -> np.ndarray:
    """What the graphs and four steps of Euler make of patches, tokens, their places, a state and noise."""
    w = weights()
    image = pixels.reshape(-1, MERGE**2 * PIXELS) @ w['vit']
    is_picture = ids == 256 + SPECIAL.index('<|image_pad|>')
    rows = w['words'][ids]
    rows[is_picture] = image
    features = rows @ w['llm'] + (places.T @ w['llm_place'] + 1.0)[:, None]
    features += is_picture[:, None] * (image.sum(0) * 3.5)
    centred = features - features.mean(1, keepdims=True)
    features = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * w['scale'] + w['bias']
    features = np.tanh(features @ w['vlsa'])
    seen = features[is_picture].sum(0) @ w['dit_seen'] + features[~is_picture].sum(0) @ w['dit_read']
    first = state @ w['state_weights'][EMBODIMENT_ID]
    x = started.astype(np.float64)
    for time in (0, 250, 500, 750):
        encoded = x @ w['action_weights'][EMBODIMENT_ID] + time * w['slow'] + w['places'][:ROWS]
        left = np.tanh(np.stack([first, *encoded]) @ w['dit'] + seen + time * w['slow'])
        x = x + (left @ w['decoder_weights'][EMBODIMENT_ID])[1:] / 4
    return x


def changed(**changes: Any) -> dict[str, Any]:
    """The processor's configuration with other modalities."""
    modalities = copy.deepcopy(MODALITIES)
    for key, value in changes.items():
        modalities[key].update(value)
    return {'modality_configs': {EMBODIMENT: modalities}}


def write_source(folder: Path) -> Path:
    """Export, checkpoint and vision-language model beside each other."""
    write_export(folder / 'export')
    write_checkpoint(folder / 'checkpoint')
    write_vlm(folder / 'vlm')
    return folder
