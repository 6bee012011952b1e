"""System 1: a Diffusion Transformer that turns noise into an action chunk by flow matching.

After GR00T N1 (arXiv 2503.14734, section 2.1) with its conventions: flow time t runs from 0 (noise) to 1 (data),
the interpolant is x_t = (1 - t) noise + t action, the target velocity is action - noise, t is sampled as
0.999 (1 - Beta(1.5, 1)), and 4 Euler steps integrate. Self-attention over [state, actions] alternates with
cross-attention, first to the thought vectors, then to the visual tokens.

Flow time is given a token, so that a clean prefix of known actions (t = 1) can stand in front of the noisy rest:
training-time real-time chunking (arXiv 2512.05964). The loss counts the rest only.

One attention head, of the first block that reads the visual tokens, is taught to look at the patch that the wanted
object is in (see ``places``): a head that only has to imitate finds the table, and comes down beside the object.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from vla_ros.training.places import pointing_loss

POINTING_PAIR, POINTING_HEAD, POINTING_WEIGHT = 1, 0, 0.1
"""The attention head that is taught to look at the wanted object: the first one that has heard what is wanted."""


@dataclass(frozen=True)
class FlowConfig:
    """Sizes of the action head: ``tokens`` visual tokens of all cameras, ``prefix`` the longest clean prefix.

    ``velocities``: the state has the joints' velocities behind their positions.
    """

    joints: int = 6
    velocities: bool = False
    horizon: int = 16
    prefix: int = 6
    tokens: int = 128
    token_width: int = 192
    thought_width: int = 192
    width: int = 192
    heads: int = 6
    pairs: int = 4  # of one cross-attention block and one self-attention block
    steps: int = 4

    @property
    def state(self) -> int:
        """Numbers of the state."""
        return self.joints * (2 if self.velocities else 1)


def attention(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """w v and w = softmax(q k' / sqrt(d) + bias) over (batch, heads, tokens, width); written out, for CPUs and ONNX."""
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    if bias is not None:
        scores = scores + bias
    looks = scores.softmax(-1)
    return looks @ value, looks


class Attention(nn.Module):
    """Multi-head attention of ``x`` to ``context``, and where each head looks."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context_width, 2 * width)
        self.out = nn.Linear(width, width)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, context: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
        # Several noise draws of one sample share its context: they queue up along the query axis.
        query = self.query(x).reshape(context.shape[0], -1, x.shape[-1])
        key, value = self.key_value(context).chunk(2, -1)
        mixed, looks = attention(self._split(query), self._split(key), self._split(value), bias)
        return self.out(mixed.transpose(1, 2).reshape(x.shape)), looks


class Block(nn.Module):
    """x += attention(AdaLN(x, t), context); x += feed-forward(LN(x)). AdaLN gives scale and shift a token."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.attention = Attention(width, context_width, heads)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(approximate='tanh'),
            nn.Linear(4 * width, width),
        )

    def forward(
        self, x: Tensor, time: Tensor, context: Tensor | None, bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        scale, shift = self.modulation(time).chunk(2, -1)
        normalised = self.norm(x) * (1 + scale) + shift
        mixed, looks = self.attention(normalised, normalised if context is None else context, bias)
        x = x + mixed
        return x + self.feed_forward(x), looks


class TimeEmbedding(nn.Module):
    """Sines and cosines of the flow time, then a two-layer perceptron."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer(
            'frequencies', torch.exp(torch.linspace(0.0, math.log(1000.0), width // 2)), persistent=False
        )
        self.perceptron = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )

    def forward(self, time: Tensor) -> Tensor:
        angles = time.unsqueeze(-1) * self.frequencies
        return self.perceptron(torch.cat([angles.sin(), angles.cos()], -1))


class FlowHead(nn.Module):
    """The velocity field v(x_t, t | visual tokens, thought, state). All actions and states are normalised."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.state = nn.Sequential(nn.Linear(config.state, width), nn.SiLU(), nn.Linear(width, width))
        self.action = nn.Linear(config.joints, width)
        self.position = nn.Parameter(torch.randn(config.horizon, width) * 0.02)
        self.time = TimeEmbedding(width)
        self.token_norm = nn.LayerNorm(config.token_width)
        # Which camera and which patch a token comes from.
        self.token_position = nn.Parameter(torch.randn(config.tokens, config.token_width) * 0.02)
        self.thought_norm = nn.LayerNorm(config.thought_width)
        self.blocks = nn.ModuleList()
        for pair in range(config.pairs):
            context = config.thought_width if pair % 2 == 0 else config.token_width
            self.blocks.append(Block(width, context, config.heads))
            self.blocks.append(Block(width, width, config.heads))
        self.out_norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, config.joints)

    def forward(self, noisy: Tensor, time: Tensor, tokens: Tensor, thought: Tensor, state: Tensor) -> Tensor:
        """Velocities (batch, horizon, joints).

        Args:
            noisy: x_t (batch, horizon, joints); time: (batch, horizon) in 0..1; state: (batch, state).
            tokens: (samples, visual tokens, token width). In training the batch may hold several noise draws of
                each sample, one sample's draws in a row: batch = samples x draws.
            thought: (samples, rows, thought width); rows of zeros are padding and never attended to.
        """
        return self.velocity_and_looks(noisy, time, tokens, thought, state)[0]

    def velocity_and_looks(
        self, noisy: Tensor, time: Tensor, tokens: Tensor, thought: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``forward``, and the attention (samples, draws x (1 + horizon), visual tokens) of the head that points."""
        context = (self.thought_norm(thought), self.token_norm(tokens) + self.token_position)
        padding = (thought.abs().amax(-1) == 0)[:, None, None, :] * -1e4
        x = torch.cat([self.state(state).unsqueeze(1), self.action(noisy) + self.position], 1)
        # The state is known, so its flow time is that of data.
        clock = self.time(torch.cat([torch.ones_like(time[:, :1]), time], 1))
        looks = []
        for pair in range(self.config.pairs):
            to_thought = pair % 2 == 0
            x, look = self.blocks[2 * pair](x, clock, context[pair % 2], padding if to_thought else None)
            x, _ = self.blocks[2 * pair + 1](x, clock, None)
            looks.append(look)
        return self.out(self.out_norm(x[:, 1:])), looks[POINTING_PAIR][:, POINTING_HEAD]

    def deepened(self, pairs: int) -> FlowHead:
        """The same velocity field with ``pairs`` pairs of blocks: the new ones, at the end, add nothing yet."""
        deep = FlowHead(replace(self.config, pairs=pairs))
        deep.load_state_dict(self.state_dict(), strict=False)
        block: Any
        for block in deep.blocks[2 * self.config.pairs :]:
            for last in (block.attention.out, block.feed_forward[-1]):
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)
        return deep


def flow_matching_loss(
    head: FlowHead,
    actions: Tensor,
    tokens: Tensor,
    thought: Tensor,
    state: Tensor,
    patch: Tensor | None = None,
    draws: int = 2,
    padding: Tensor | None = None,
) -> Tensor:
    """Mean squared error of the velocity, on the steps behind a random clean prefix, ``draws`` noises a sample.

    ``patch`` (samples,) is the visual token that the wanted object is in, -1 where it is not known: not looking there
    counts too. ``padding`` (samples, horizon) is true for steps that nobody recorded, which count nothing.
    """
    actions, state = actions.repeat_interleave(draws, 0), state.repeat_interleave(draws, 0)
    batch, horizon, _ = actions.shape
    noise = torch.randn_like(actions)
    flow_time = 0.999 * (1 - torch.distributions.Beta(1.5, 1.0).sample((batch, 1)).to(actions.dtype))
    # Half of the samples have no prefix: the arm starts from rest, or its plan was refused.
    length = torch.randint(0, head.config.prefix + 1, (batch, 1)) * (torch.rand(batch, 1) < 0.5)
    clean = torch.arange(horizon)[None] < length
    time = torch.where(clean, torch.ones_like(flow_time), flow_time)
    noisy = (1 - time.unsqueeze(-1)) * noise + time.unsqueeze(-1) * actions
    velocity, looks = head.velocity_and_looks(noisy, time, tokens, thought, state)
    error = (velocity - (actions - noise)).square().mean(-1)
    counted = ~clean if padding is None else ~clean & ~padding.repeat_interleave(draws, 0)
    loss = (error * counted).sum() / counted.sum().clamp(min=1)
    if patch is None:
        return loss
    return loss + POINTING_WEIGHT * pointing_loss(looks, patch[:, None].expand(looks.shape[:2]))


def integrate(
    head: FlowHead,
    noise: Tensor,
    tokens: Tensor,
    thought: Tensor,
    state: Tensor,
    prefix: Tensor,
    clean: Tensor,
) -> Tensor:
    """Noise to action chunk by Euler steps; where ``clean`` (batch, horizon) is true the prefix stays as given."""
    keep = clean.unsqueeze(-1)
    x = torch.where(keep, prefix, noise)
    for step in range(head.config.steps):
        time = torch.where(
            clean, torch.ones_like(noise[..., 0]), torch.full_like(noise[..., 0], step / head.config.steps)
        )
        velocity = head(x, time, tokens, thought, state)
        x = torch.where(keep, prefix, x + velocity / head.config.steps)
    return x
