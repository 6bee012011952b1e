"""The language model with its KV cache in the open: one pass that serves prefill and decoding, ready for ONNX.

The weights are a Hugging Face LLaVA checkpoint's; the arithmetic is the Llama decoder's (arXiv 2302.13971:
RMSNorm, rotary positions, SwiGLU), written out because an exported graph needs the cache as an input and an
output. A test holds it equal to ``transformers``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlavaForConditionalGeneration


def rotate(x: Tensor, positions: Tensor, frequencies: Tensor, size: float = 1.0) -> Tensor:
    """Rotary position embedding of (heads, length, width) at integer ``positions`` (length,) (arXiv 2104.09864).

    ``frequencies`` (width / 2,) in rad a position; what is rotated also grows by ``size``, as YaRN wants it.
    """
    half = x.shape[-1] // 2
    angles = positions.to(torch.float32).unsqueeze(-1) * frequencies
    cos, sin = angles.cos() * size, angles.sin() * size
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """x / sqrt(mean(x^2) + epsilon), scaled by ``weight``."""
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight


class CachedDecoder(nn.Module):
    """[visual tokens, text tokens] in; logits of the last token and hidden states of all out; the cache grows.

    Prefill: visual (V, channels), ids (T,), an empty cache. Decoding: visual (0, channels), ids (1,), the cache.
    """

    def __init__(self, model: LlavaForConditionalGeneration) -> None:
        super().__init__()
        self.projector: Any = model.model.multi_modal_projector
        language: Any = model.model.language_model
        self.embedding, self.layers, self.norm, self.head = (
            language.embed_tokens,
            language.layers,
            language.norm,
            model.lm_head,
        )
        config: Any = model.config.text_config
        self.heads, self.epsilon = config.num_attention_heads, config.rms_norm_eps
        if config.num_key_value_heads != self.heads:
            raise ValueError('num_key_value_heads: expected as many as heads')
        rotary = language.rotary_emb
        if rotary.rope_type == 'dynamic':
            raise ValueError(
                'rope_type: expected one whose frequencies do not depend on the length, found dynamic'
            )
        self.frequencies, self.rope_size = rotary.inv_freq.detach().clone(), float(rotary.attention_scaling)

    def forward(self, visual: Tensor, ids: Tensor, cache: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One pass.

        Args:
            visual: (V, channels) visual tokens; ids: (T,) int64.
            cache: (layers, 2, heads, past, head width) keys and values, keys already rotated.

        Returns:
            logits (vocabulary,) after the last token; hidden (V + T, width) after the final norm; the new cache.
        """
        return self.read(torch.cat([self.projector(visual), self.embedding(ids)]), cache)

    def read(self, x: Tensor, cache: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``forward`` on what is embedded already, (N, width)."""
        past = cache.shape[3]
        positions = torch.arange(x.shape[0]) + past
        # Masked attention: a token sees itself and what stands before it.
        future = torch.arange(past + x.shape[0])[None] > positions[:, None]
        bias = future.to(torch.float32) * -1e9
        layers = []
        for i, layer in enumerate(self.layers):
            mixed, kept = self._attend(
                layer.self_attn,
                rms_norm(x, layer.input_layernorm.weight, self.epsilon),
                cache[i],
                positions,
                bias,
            )
            x = x + mixed
            y = rms_norm(x, layer.post_attention_layernorm.weight, self.epsilon)
            x = x + layer.mlp.down_proj(functional.silu(layer.mlp.gate_proj(y)) * layer.mlp.up_proj(y))
            layers.append(kept)
        hidden = rms_norm(x, self.norm.weight, self.epsilon)
        return self.head(hidden[-1:])[0], hidden, torch.stack(layers)

    def _attend(
        self, weights: Any, x: Tensor, cache: Tensor, positions: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        def split(y: Tensor) -> Tensor:
            return y.unflatten(-1, (self.heads, -1)).transpose(0, 1)

        def turned(y: Tensor) -> Tensor:
            return rotate(split(y), positions, self.frequencies, self.rope_size)

        query = turned(weights.q_proj(x))
        key = torch.cat([cache[0], turned(weights.k_proj(x))], 1)
        value = torch.cat([cache[1], split(weights.v_proj(x))], 1)
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5 + bias
        mixed = (scores.softmax(-1) @ value).transpose(0, 1).flatten(1)
        return weights.o_proj(mixed), torch.stack([key, value])


def empty_cache(model: LlavaForConditionalGeneration) -> Tensor:
    """A cache with nothing in it."""
    config: Any = model.config.text_config
    return torch.zeros(
        config.num_hidden_layers,
        2,
        config.num_attention_heads,
        0,
        config.hidden_size // config.num_attention_heads,
    )
