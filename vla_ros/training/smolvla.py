"""SmolVLA (arXiv 2506.01844) as two functions of its published weights, made for export: prefix and step.

Written after the paper and LeRobot's ``modeling_smolvla.py`` and ``smolvlm_with_expert.py`` (0.4 to 0.6), with the
names that their checkpoints have. One robot at a time, nothing is padded: what LeRobot masks out is left out here,
which comes to the same. Shapes: C cameras, L words, P = C * tokens + L + 1 rows of the prefix, H steps of a chunk.

The step of the flow sees the prefix by keys and values alone, so these are made once a chunk. Of the expert's layers
one in ``self_every`` attends to the prefix's own keys and to the steps before; the others attend to the prefix by
projections of it, which do not change from step to step either and belong to the prefix here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

EXPERT, VLM = 'model.vlm_with_expert.lm_expert', 'model.vlm_with_expert.vlm.model'
VISION, TEXT = f'{VLM}.vision_model', f'{VLM}.text_model'
CONNECTOR = f'{VLM}.connector.modality_projection.proj'
LONGEST_WAVE = 10_000.0  # of rotary positions, whatever the language model was trained with


@dataclass(frozen=True)
class Architecture:
    """Sizes that the weights do not tell by their shapes.

    Attributes:
        image_size, patch: pixels a side.
        shuffle: patches a side that become one token.
        self_every: of the expert's layers, each so many is of self-attention; 0: none.
        horizon, state, action: of a chunk; and of the vectors, filled up with zeros.
    """

    image_size: int
    patch: int
    shuffle: int
    vision_layers: int
    vision_heads: int
    vision_epsilon: float
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    epsilon: float
    self_every: int
    horizon: int
    state: int
    action: int

    @property
    def tokens(self) -> int:
        """Rows of the prefix for one camera."""
        return (self.image_size // self.patch // self.shuffle) ** 2

    def mixes(self, layer: int) -> bool:
        """Whether a layer of the expert is of self-attention."""
        return self.self_every > 0 and layer % self.self_every == 0


class _Part(nn.Module):
    """Weights by the names of the checkpoint, and what is done with them everywhere."""

    def __init__(self, architecture: Architecture, weights: Mapping[str, Tensor], *begin: str) -> None:
        super().__init__()
        self.architecture = architecture
        for name, tensor in weights.items():
            if name.startswith(begin):
                self.register_buffer(name.replace('.', '/'), tensor.float())

    def weight(self, name: str) -> Tensor:
        found = self._buffers[name.replace('.', '/')]
        assert found is not None
        return found

    def linear(self, name: str, x: Tensor) -> Tensor:
        bias = self._buffers.get(f'{name}.bias'.replace('.', '/'))
        return functional.linear(x, self.weight(f'{name}.weight'), bias)

    def rms_norm(self, name: str, x: Tensor) -> Tensor:
        size = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.architecture.epsilon)
        return self.weight(f'{name}.weight') * (x * size)

    def heads(self, name: str, x: Tensor) -> Tensor:
        """(rows, heads, head width) of a projection."""
        return self.linear(name, x).view(x.shape[0], -1, self.architecture.head_width)

    def attend(self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None) -> Tensor:
        """(queries, heads * width) of (queries, heads, width) and (keys, key heads, width); groups share a key."""
        groups = self.architecture.heads // self.architecture.kv_heads
        keys, values = (x.repeat_interleave(groups, dim=1).transpose(0, 1) for x in (keys, values))
        scores = queries.transpose(0, 1) @ keys.transpose(1, 2) * self.architecture.head_width**-0.5
        if allowed is not None:
            scores = scores.masked_fill(~allowed, torch.finfo(torch.float32).min)
        mixed = scores.softmax(-1) @ values
        return mixed.transpose(0, 1).reshape(queries.shape[0], -1)

    def block_end(self, layer: str, x: Tensor, attended: Tensor) -> Tensor:
        """What follows attention in a layer of Llama: projection, and a gated network, both added."""
        x = x + self.linear(f'{layer}.self_attn.o_proj', attended)
        inner = self.rms_norm(f'{layer}.post_attention_layernorm', x)
        gate = functional.silu(self.linear(f'{layer}.mlp.gate_proj', inner))
        return x + self.linear(f'{layer}.mlp.down_proj', gate * self.linear(f'{layer}.mlp.up_proj', inner))


class Prefix(_Part):
    """What is seen, said and felt, as keys and values of every layer."""

    places: Tensor

    def __init__(self, architecture: Architecture, weights: Mapping[str, Tensor]) -> None:
        crossing = tuple(
            f'{EXPERT}.layers.{layer}.self_attn.{kind}_proj'
            for layer in range(architecture.layers)
            if not architecture.mixes(layer)
            for kind in 'kv'
        )
        super().__init__(architecture, weights, VLM, 'model.state_proj', *crossing)
        self.register_buffer('places', patch_places(architecture), persistent=False)

    def forward(self, images: Tensor, words: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (layers, P, key heads, head width).

        Args:
            images: (C, 3, image size, image size) in -1..1.
            words: (L) token ids.
            state: (state) normalised, filled up with zeros.
        """
        seen = self._see(images)
        said = functional.embedding(words, self.weight(f'{TEXT}.embed_tokens.weight'))
        felt = self.linear('model.state_proj', state[None])
        root = math.sqrt(seen.shape[-1])
        x = torch.cat([seen.reshape(-1, seen.shape[-1]) * root, said * root, felt])
        row = torch.arange(x.shape[0])
        last = x.shape[0] - 1
        allowed = (row[None, :] < last) | (row[:, None] == last)  # nobody but the state sees the state
        keys, values = [], []
        for number in range(self.architecture.layers):
            layer = f'{TEXT}.layers.{number}'
            inner = self.rms_norm(f'{layer}.input_layernorm', x)
            key = rotate(self.heads(f'{layer}.self_attn.k_proj', inner), row)
            value = self.heads(f'{layer}.self_attn.v_proj', inner)
            keys.append(self._for_expert(number, 'k', key))
            values.append(self._for_expert(number, 'v', value))
            if number < self.architecture.layers - 1:  # nobody reads what the last one makes of it
                query = rotate(self.heads(f'{layer}.self_attn.q_proj', inner), row)
                x = self.block_end(layer, x, self.attend(query, key, value, allowed))
        return torch.stack(keys), torch.stack(values)

    def _for_expert(self, layer: int, kind: str, x: Tensor) -> Tensor:
        if self.architecture.mixes(layer):
            return x
        return self.heads(f'{EXPERT}.layers.{layer}.self_attn.{kind}_proj', x.flatten(1))

    def _see(self, images: Tensor) -> Tensor:
        """SigLIP, and what puts patches together: (C, tokens, width)."""
        at, sizes = VISION, self.architecture
        patch = self.weight(f'{at}.embeddings.patch_embedding.weight')
        bias = self.weight(f'{at}.embeddings.patch_embedding.bias')
        x = functional.conv2d(images, patch, bias, stride=sizes.patch).flatten(2).transpose(1, 2)
        x = x + functional.embedding(self.places, self.weight(f'{at}.embeddings.position_embedding.weight'))
        for number in range(sizes.vision_layers):
            layer = f'{at}.encoder.layers.{number}'
            x = x + self._look(f'{layer}.self_attn', self._layer_norm(f'{layer}.layer_norm1', x))
            inner = self.linear(f'{layer}.mlp.fc1', self._layer_norm(f'{layer}.layer_norm2', x))
            x = x + self.linear(f'{layer}.mlp.fc2', functional.gelu(inner, approximate='tanh'))
        x = self._layer_norm(f'{at}.post_layernorm', x)
        side, shuffle = sizes.image_size // sizes.patch, sizes.shuffle
        x = x.reshape(-1, side // shuffle, shuffle, side // shuffle, shuffle, x.shape[-1])
        x = x.permute(0, 1, 3, 2, 4, 5).reshape(-1, sizes.tokens, shuffle * shuffle * x.shape[-1])
        return self.linear(CONNECTOR, x)

    def _layer_norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.weight(f'{name}.weight'), self.weight(f'{name}.bias')
        return functional.layer_norm(x, weight.shape, weight, bias, self.architecture.vision_epsilon)

    def _look(self, name: str, x: Tensor) -> Tensor:
        heads = self.architecture.vision_heads
        width = x.shape[-1] // heads
        rows = (len(self.places), heads, width)
        query, key, value = (
            self.linear(f'{name}.{kind}_proj', x).reshape(-1, *rows).transpose(1, 2) for kind in 'qkv'
        )
        mixed = (query @ key.transpose(2, 3) * width**-0.5).softmax(-1) @ value
        return self.linear(f'{name}.out_proj', mixed.transpose(1, 2).reshape(-1, rows[0], heads * width))


class Step(_Part):
    """The velocity of a chunk in the flow, from noise at time 1 to actions at time 0 (pi0's convention)."""

    def __init__(self, architecture: Architecture, weights: Mapping[str, Tensor]) -> None:
        super().__init__(architecture, weights, EXPERT, 'model.action_')

    def forward(self, actions: Tensor, time: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Velocity (H, action).

        Args:
            actions: (H, action) at this moment of the flow.
            time: (expert width) the moment, as sines and cosines.
            keys, values: of the prefix.
        """
        moved = self.linear('model.action_in_proj', actions)
        timed = torch.cat([moved, time.expand_as(moved)], dim=-1)
        x = self.linear(
            'model.action_time_mlp_out', functional.silu(self.linear('model.action_time_mlp_in', timed))
        )
        row, before = torch.arange(actions.shape[0]), keys.shape[1]
        allowed = torch.arange(before + actions.shape[0])[None, :] <= row[:, None] + before
        for number in range(self.architecture.layers):
            layer = f'{EXPERT}.layers.{number}'
            inner = self.rms_norm(f'{layer}.input_layernorm', x)
            query = self.heads(f'{layer}.self_attn.q_proj', inner)
            if self.architecture.mixes(number):
                own = rotate(self.heads(f'{layer}.self_attn.k_proj', inner), row + before)
                key = torch.cat([keys[number], own])
                value = torch.cat([values[number], self.heads(f'{layer}.self_attn.v_proj', inner)])
                attended = self.attend(rotate(query, row + before), key, value, allowed)
            else:
                attended = self.attend(rotate(query, row), keys[number], values[number], None)
            x = self.block_end(layer, x, attended)
        return self.linear('model.action_out_proj', self.rms_norm(f'{EXPERT}.norm', x))


def rotate(x: Tensor, positions: Tensor) -> Tensor:
    """Rotary positions (arXiv 2104.09864), halves apart: x (rows, heads, width), positions (rows)."""
    half = x.shape[-1] // 2
    frequency = LONGEST_WAVE ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = (positions.float()[:, None] * frequency)[:, None, :]
    first, second = x[..., :half], x[..., half:]
    sine, cosine = angle.sin(), angle.cos()
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


def patch_places(architecture: Architecture) -> Tensor:
    """Row of the position table for each patch of a full image (side * side).

    By fractions of a side, as SmolVLM's vision model finds it: rounding may put a patch one place off, and the
    weights were trained with that.
    """
    side = architecture.image_size // architecture.patch
    edges = torch.arange(1 / side, 1.0, 1 / side)
    place = torch.bucketize(
        (torch.arange(side) * (1.0 / torch.tensor(side))).clamp(max=1.0 - 1e-6), edges, right=True
    )
    return (place[:, None] * side + place[None, :]).flatten()
