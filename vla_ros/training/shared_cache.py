"""The decoder's graph as the robot runs it: the cache stays where it is, and many tokens are read in one pass.

The arithmetic is that of ``CachedDecoder``, with which it is compared. What differs is the cache: each layer has one
buffer of fixed length, input and output at once, so nothing is copied when it grows, and attention is one fused
operator (``com.microsoft.GroupQueryAttention``) that writes behind what is ``past`` and reads no further than it must.
A guess of what comes next is read together with what is known, and each of its tokens is checked against the one that
the model would have written in its place (speculative decoding, arXiv 2211.17192, with greedy choice).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlavaForConditionalGeneration

from vla_ros.training.decoder import CachedDecoder
from vla_ros.training.graph_builder import MICROSOFT, GraphBuilder, Shape

ROOM = 1
"""Positions behind the longest context, for the guess that is read beside the last token."""


def write_shared_cache(model: LlavaForConditionalGeneration, path: Path) -> None:
    """Write the graph.

    Its inputs and outputs:

    visual (V, channels) and ids (T,): what is read now; past (): how many positions are in the cache.
    answers (1,): for how many of the last positions a next token is wanted.
    key_i, value_i (1, heads, capacity, head width): the cache of layer i; to be bound to the same memory as the outputs
    new_key_i, new_value_i. Only the first ``past`` positions are read, so to forget is to count less.
    tokens (answers,): the most likely next token after each of the last positions; logits (answers, vocabulary).
    hidden (V + T, width): states after the final norm.
    """
    decoder, text = CachedDecoder(model), model.config.text_config
    capacity = text.max_position_embeddings + ROOM
    g = GraphBuilder()
    ends = g.constant(np.array([0], np.int64))
    visual = _projected(g, model)
    embedding = g.constant(decoder.embedding.weight)
    x = g.op('Concat', visual, g.op('Gather', embedding, 'ids'), axis=0)
    length = g.op('Cast', g.op('Squeeze', g.op('Shape', x, end=1), ends), to=6)
    total = g.op('Add', 'past', length)
    newest = g.op('Unsqueeze', g.op('Sub', total, g.constant(np.array(1, np.int32))), ends)
    x = g.op('Unsqueeze', x, ends)
    angles = torch.arange(capacity)[:, None].float() * decoder.frequencies
    cos, sin = (g.constant(f(angles) * decoder.rope_size) for f in (torch.cos, torch.sin))
    layer: Any
    normed = _rms_norm(g, x, decoder.layers[0].input_layernorm.weight, decoder.epsilon)
    norms = [*(layer.input_layernorm for layer in decoder.layers[1:]), decoder.norm]
    for i, (layer, next_norm) in enumerate(zip(decoder.layers, norms, strict=True)):
        weights, mlp = layer.self_attn, layer.mlp
        packed = torch.cat([weights.q_proj.weight, weights.k_proj.weight, weights.v_proj.weight])
        mixed = f'mixed_{i}'
        g.node(
            'GroupQueryAttention',
            [
                *(g.op('MatMul', normed, g.constant(packed.detach().T)), '', ''),
                *(f'key_{i}', f'value_{i}', newest, total, cos, sin),
            ],
            [mixed, f'new_key_{i}', f'new_value_{i}'],
            MICROSOFT,
            num_heads=decoder.heads,
            kv_num_heads=decoder.heads,
            do_rotary=1,
        )
        normed, x = _add_and_norm(
            g, x, g.linear(mixed, weights.o_proj), layer.post_attention_layernorm.weight, decoder.epsilon
        )
        wide = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]).detach().T
        gate, up = g.ops('Split', 2, g.op('MatMul', normed, g.constant(wide)), axis=-1, num_outputs=2)
        gated = g.op('Mul', g.op('QuickGelu', gate, domain=MICROSOFT, alpha=1.0), up)
        normed, x = _add_and_norm(g, x, g.linear(gated, mlp.down_proj), next_norm.weight, decoder.epsilon)
    hidden = g.op('Squeeze', normed, ends)
    g.named(hidden, 'hidden')
    end = g.constant(np.array([np.iinfo(np.int64).max], np.int64))
    last = g.op('Slice', hidden, g.op('Neg', 'answers'), end, ends)
    logits = g.op('Gemm', last, g.constant(decoder.head.weight), transB=1)
    g.named(logits, 'logits')
    g.named(g.op('ArgMax', logits, axis=-1, keepdims=0), 'tokens')
    cache: Shape = (1, decoder.heads, capacity, text.hidden_size // decoder.heads)
    kept = {
        f'{part}_{i}': (np.float32, cache) for i in range(len(decoder.layers)) for part in ('key', 'value')
    }
    g.save(
        path,
        {
            'visual': (np.float32, ('visual_tokens', model.config.vision_config.hidden_size)),
            'ids': (np.int64, ('text_tokens',)),
            'past': (np.int32, ()),
            'answers': (np.int64, (1,)),
            **kept,
        },
        {
            'tokens': (np.int64, ('answers',)),
            'logits': (np.float32, ('answers', text.vocab_size)),
            'hidden': (np.float32, ('read', text.hidden_size)),
            **{f'new_{name}': what for name, what in kept.items()},
        },
    )


def _projected(g: GraphBuilder, model: LlavaForConditionalGeneration) -> str:
    projector: Any = model.model.multi_modal_projector
    if model.config.projector_hidden_act != 'gelu':
        raise ValueError(f'projector_hidden_act: expected gelu, found {model.config.projector_hidden_act}')
    return g.linear(g.op('Gelu', g.linear('visual', projector.linear_1)), projector.linear_2)


def _rms_norm(g: GraphBuilder, x: str, weight: torch.Tensor, epsilon: float) -> str:
    return g.op('SimplifiedLayerNormalization', x, g.constant(weight), axis=-1, epsilon=epsilon)


def _add_and_norm(g: GraphBuilder, x: str, y: str, weight: torch.Tensor, epsilon: float) -> tuple[str, str]:
    """(norm(x + y), x + y) in one node."""
    normed, _, _, added = g.ops(
        'SkipSimplifiedLayerNormalization', 4, x, y, g.constant(weight), domain=MICROSOFT, epsilon=epsilon
    )
    return normed, added
